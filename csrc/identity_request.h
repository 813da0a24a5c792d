/* identity_request - what decides who asks, as texts.
 *
 * For:   the texts of one request for a credential: copies of them, and a key that tells two apart.
 * Never: what comes of them (identity), the cache.
 */
#ifndef VAULT_IDENTITY_REQUEST_H
#define VAULT_IDENTITY_REQUEST_H

#include "buffer.h"

/* What decides who asks. Texts NULL or "" for none. */
struct vault_identity_request {
    const char *access_key_id; /* a vault's own keys: then no source of the chain is asked */
    const char *secret_access_key;
    const char *session_token;
    const char *region; /* for STS's endpoint and its signatures */
    const char *assume_role_arn;
    const char *role_session_name; /* none: KongVault */
    const char *external_id;
    const char *sts_endpoint_url; /* for signed calls only: whoever may set it must not be sent a
                                     web identity's token */
};

#define VAULT_IDENTITY_TEXTS 8

/* The same texts, NULL for each one that there is none of. Borrows them. */
struct vault_identity_request vault_identity_plain(const struct vault_identity_request *request);

/* Copies of the texts of `from` into `texts`, each from vault_copy or NULL, and `to` made of them.
 * VAULT_OK, VAULT_NO_MEMORY (what was copied is in `texts` all the same). */
VAULT_MUST_CHECK enum vault_status vault_identity_copy(const struct vault_identity_request *from,
                                                       char *texts[VAULT_IDENTITY_TEXTS],
                                                       struct vault_identity_request *to);

/* Wipe and free such copies; NULL afterwards. */
void vault_identity_forget(char *texts[VAULT_IDENTITY_TEXTS]);

/* Append the text of what `request` selects, lengths in front so that no two look alike: for a key
 * of the cache; it holds secrets and is for hashing or comparing only. VAULT_OK, VAULT_NO_MEMORY,
 * VAULT_TOO_LARGE. */
VAULT_MUST_CHECK enum vault_status vault_identity_key(const struct vault_identity_request *request,
                                                      struct vault_buffer *key);

#endif
