/* sigv4_keys - the signing keys of the day.
 *
 * For:   the few keys in use, derived once and wiped when they leave. A key is found by its scope
 *        and by the whole secret it came from, never by an access key id: another secret's key is
 *        never served.
 * Never: requests, the clock.
 */
#ifndef VAULT_SIGV4_KEYS_H
#define VAULT_SIGV4_KEYS_H

#include "digest.h"

#define VAULT_SIGV4_KEYS_MAX 8

/* For one thread at a time. */
struct vault_sigv4_keys;

/* `digest` is borrowed until vault_sigv4_keys_free. VAULT_NO_MEMORY. */
VAULT_MUST_CHECK enum vault_status vault_sigv4_keys_new(const struct vault_digest *digest,
                                                        struct vault_sigv4_keys **made);
void vault_sigv4_keys_free(struct vault_sigv4_keys *keys);

/* *found is set to the HMAC that signs in `scope` ("date/region/service/aws4_request"), borrowed
 * until the next call; where it has to be derived, the key longest unused is wiped and gives way.
 * `secret` is NUL-ended and borrowed for the call. VAULT_NO_MEMORY, VAULT_INTERNAL (OpenSSL
 * failed), VAULT_TOO_LARGE (a secret over 4096 bytes). */
VAULT_MUST_CHECK enum vault_status vault_sigv4_keys_find(struct vault_sigv4_keys *keys,
                                                         const char *scope, size_t scope_length,
                                                         const char *secret,
                                                         struct vault_hmac **found);

#endif
