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

/* What one does about a credential that takes an exchange to be had. */
enum vault_caller_mode {
    VAULT_CALLER_ALONE, /* have it; never early, while the old one is good */
    VAULT_CALLER_SENDS, /* leave it to an errand (vault_caller_take_errand), which does not end with
                           this caller; meanwhile go on with the old one, or pause */
    VAULT_CALLER_ERRAND /* be that errand: have it, early too */
};

/* `request` and `world` are borrowed for the caller's life. Not `regional`: whatever the region, it
 * is the same credential, and kept once (vault_chain_regional). `*made` goes to vault_caller_free,
 * which lets others renew what this one has not. VAULT_OK, VAULT_NO_MEMORY, VAULT_TOO_LARGE. */
VAULT_MUST_CHECK enum vault_status vault_caller_new(const struct vault_identity_request *request,
                                                    const struct vault_identity_world *world,
                                                    bool regional, struct vault_caller **made);
void vault_caller_free(struct vault_caller *caller);

/* VAULT_CALLER_ALONE until it is set; before the first vault_caller_next. */
void vault_caller_set_mode(struct vault_caller *caller, enum vault_caller_mode mode);

/* Whether somebody is to run a caller for the same request as an errand; asked once. */
bool vault_caller_take_errand(struct vault_caller *caller);

/* Go on as far as possible; `now` as vault_identity_next. After VAULT_STEP_DONE with VAULT_OK the
 * credential stands; called again it begins anew. */
enum vault_step vault_caller_next(struct vault_caller *caller, int64_t now);

struct vault_exchange *vault_caller_exchange(struct vault_caller *caller);
int64_t vault_caller_pause(const struct vault_caller *caller);

/* Whether that pause is over as soon as somebody else has come to an end. */
bool vault_caller_waits(const struct vault_caller *caller);

enum vault_status vault_caller_status(const struct vault_caller *caller);
const char *vault_caller_message(const struct vault_caller *caller);
const struct vault_credential *vault_caller_credential(const struct vault_caller *caller);

/* AWS refused the credential: whoever asks next gets a new one. */
void vault_caller_refused(struct vault_caller *caller);

#endif
