/* credentials - a credential, and the one the environment holds.
 *
 * For:   what a credential is, what may stand in it, how it is wiped.
 * Never: HTTP, environ itself (it comes in as an argument), files, the chain (identity).
 */
#ifndef VAULT_CREDENTIALS_H
#define VAULT_CREDENTIALS_H

#include <stdint.h>

#include "buffer.h"
#include "environment.h"
#include "message.h"

struct vault_credential {
    char *access_key_id; /* all three from vault_copy, wiped by vault_credential_clear */
    char *secret_access_key;
    char *session_token; /* NULL for none */
    int64_t expires;     /* seconds since 1970; 0: never */
    const char *source;  /* the provider's name, constant text */
};

/* Wipe and free what it holds; {0} afterwards. */
void vault_credential_clear(struct vault_credential *credential);

/* Fill in copies of the three texts (`session_token` may be NULL or ""). VAULT_OK, VAULT_NO_MEMORY,
 * VAULT_BAD_CONFIG (empty, over 4096 bytes, a token over 16384, or a byte below 0x21 or over 0x7e
 * in one of them; `why` names the part, never the text). `credential` is unchanged unless VAULT_OK.
 */
VAULT_MUST_CHECK enum vault_status
vault_credential_set(struct vault_credential *credential, const char *access_key_id,
                     const char *secret_access_key, const char *session_token, const char *source,
                     struct vault_message *why);

/* What a provider may look at. All borrowed for the call. */
struct vault_credential_query {
    const struct vault_environment *environment;
    const char *profile; /* NULL: AWS_PROFILE, else "default" */
};

/* AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN. VAULT_OK: `credential` is filled.
 * VAULT_NOT_CONFIGURED: not set, or half set; `why` says what in a few words. Else as
 * vault_credential_set. */
VAULT_MUST_CHECK enum vault_status
vault_environment_keys(const struct vault_credential_query *query,
                       struct vault_credential *credential, struct vault_message *why);

#endif
