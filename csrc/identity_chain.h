/* identity_chain - the order in which the sources of credentials are asked.
 *
 * For:   environment, profile, container, web identity, instance metadata: each by its name and the
 *        plan that it comes to.
 * Never: carrying a plan out (identity), keeping credentials.
 */
#ifndef VAULT_IDENTITY_CHAIN_H
#define VAULT_IDENTITY_CHAIN_H

#include "credential_plan.h"

struct vault_chain_link {
    const char *name;
    bool must_have; /* where its plan has nothing after all, the chain ends */
    /* Fill in `plan`, which is empty. VAULT_OK; VAULT_NOT_CONFIGURED: nothing to offer, and `why`
     * has the reason in a few words; else configured and broken, `why` has the message. */
    enum vault_status (*plan)(const struct vault_credential_query *query, struct vault_plan *plan,
                              struct vault_message *why);
};

#define VAULT_CHAIN_LINKS 5
extern const struct vault_chain_link vault_chain[VAULT_CHAIN_LINKS];

#endif
