/* identity_chain - the order in which the sources of credentials are asked.
 *
 * For:   environment, profile, container, web identity, instance metadata: each by its name and the
 *        plan that it comes to; what stands before all of them; whether a region matters to it.
 * Never: carrying a plan out (identity), keeping credentials.
 */
#ifndef VAULT_IDENTITY_CHAIN_H
#define VAULT_IDENTITY_CHAIN_H

#include "credential_plan.h"
#include "identity_request.h"

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

/* A vault's own keys. As vault_credential_set. */
VAULT_MUST_CHECK enum vault_status vault_own_keys(const struct vault_identity_request *request,
                                                  struct vault_credential *credential,
                                                  struct vault_message *why);

/* The credential that takes no finding out, since it is always the same: a vault's own keys, else
 * those of the environment, where there is no role to assume with it. VAULT_OK: `credential` is
 * filled. Else it is to be found out, which says as well what is amiss with such keys. */
VAULT_MUST_CHECK enum vault_status vault_chain_at_hand(const struct vault_identity_request *request,
                                                       const struct vault_credential_query *query,
                                                       struct vault_credential *credential);

/* Whether a plan of the chain has roles, as it was found less than a second ago: files say so, too,
 * and are not read for every fetch. {0}: not known. One thread's at a time. */
struct vault_chain_roles {
    bool any;
    int64_t until_ms;
};

/* Whether the region may decide which credential comes of the request: where a role may have to be
 * assumed, by STS of that region. `roles` NULL: nothing is kept. `now_ms`: any clock that does not
 * go back. VAULT_OK, VAULT_NO_MEMORY. */
VAULT_MUST_CHECK enum vault_status
vault_chain_regional(const struct vault_identity_request *request,
                     const struct vault_credential_query *query, struct vault_chain_roles *roles,
                     int64_t now_ms, bool *regional);

#endif
