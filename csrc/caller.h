/* caller - who asks, for one fetch: out of the cache, or by finding out.
 *
 * For:   joining identity (how a credential is had) and credential_cache (who has it already), so
 *        that a fetch only asks for the next step.
 * Never: sockets, the clock, the secret that is fetched.
 */
#ifndef VAULT_CALLER_H
#define VAULT_CALLER_H

#include "identity.h"

struct vault_caller;

/* `request` is copied, `world` borrowed. `*made` goes to vault_caller_free, which also lets others
 * renew what this one has not. VAULT_OK, VAULT_NO_MEMORY, VAULT_TOO_LARGE. */
VAULT_MUST_CHECK enum vault_status vault_caller_new(const struct vault_identity_request *request,
                                                    const struct vault_identity_world *world,
                                                    struct vault_caller **made);
void vault_caller_free(struct vault_caller *caller);

/* Go on as far as possible; `now` as vault_identity_next. After VAULT_STEP_DONE with VAULT_OK the
 * credential stands; called again it begins anew. */
enum vault_step vault_caller_next(struct vault_caller *caller, int64_t now);

struct vault_exchange *vault_caller_exchange(struct vault_caller *caller);
int64_t vault_caller_pause(const struct vault_caller *caller);
enum vault_status vault_caller_status(const struct vault_caller *caller);
const struct vault_message *vault_caller_message(const struct vault_caller *caller);
const struct vault_credential *vault_caller_credential(const struct vault_caller *caller);

/* AWS refused the credential: whoever asks next gets a new one. */
void vault_caller_refused(struct vault_caller *caller);

#endif
