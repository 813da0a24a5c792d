/* identity - who asks: one credential, out of the chain and through the roles on top of it.
 *
 * For:   the order: a vault's own keys, else environment, profile, container, web identity,
 *        instance metadata, the first that has something; then each role to assume. As steps for
 *        a driver.
 * Never: reading and writing the protocols, sockets, the clock (it comes in), keeping credentials
 *        (credential_cache).
 */
#ifndef VAULT_IDENTITY_H
#define VAULT_IDENTITY_H

#include "credential_source.h"
#include "identity_request.h"
#include "retry.h"
#include "sigv4.h"
#include "trail.h"

/* Borrowed for the identity's life. */
struct vault_identity_world {
    const struct vault_environment *environment;
    struct vault_signer *signer;
    struct vault_retry_budgets *budgets;
    vault_random *random;
    void *random_at;
    _Atomic int64_t *skew_ms;  /* NULL, or AWS's clock minus ours: corrected by what STS says */
    struct vault_trail *trail; /* NULL, or to be told of each step */
};

struct vault_identity;

/* `request` and `world` are borrowed for the identity's life. `*made` goes to vault_identity_free.
 * VAULT_OK, VAULT_NO_MEMORY. */
VAULT_MUST_CHECK enum vault_status vault_identity_new(const struct vault_identity_request *request,
                                                      const struct vault_identity_world *world,
                                                      struct vault_identity **made);
void vault_identity_free(struct vault_identity *identity);

/* Go on as far as possible. `now` is in seconds since 1970 by AWS's clock.
 *
 * VAULT_STEP_EXCHANGE  perform vault_identity_exchange(), then call again
 * VAULT_STEP_PAUSE     call again after vault_identity_pause() milliseconds
 * VAULT_STEP_DONE      vault_identity_status() stands */
enum vault_step vault_identity_next(struct vault_identity *identity, int64_t now);

struct vault_exchange *vault_identity_exchange(struct vault_identity *identity);
int64_t vault_identity_pause(const struct vault_identity *identity);

/* VAULT_OK, or what broke; VAULT_NO_CREDENTIALS where no source had anything, with each one and its
 * reason in the message. In a role's pause the message says what the last attempt ended with. */
enum vault_status vault_identity_status(const struct vault_identity *identity);
const struct vault_message *vault_identity_message(const struct vault_identity *identity);

/* Move the credential out; once, after VAULT_OK. */
void vault_identity_steal(struct vault_identity *identity, struct vault_credential *credential);

#endif
