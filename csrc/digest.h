/* digest - SHA-256 and HMAC-SHA-256, and SHA-1 where others name their files by it.
 *
 * For:   the algorithms, fetched from OpenSSL once, and contexts that are used again. With buffer.c
 *        and http.c the only room that knows OpenSSL, 1.1.1 or 3.
 * Never: what is hashed or signed.
 */
#ifndef VAULT_DIGEST_H
#define VAULT_DIGEST_H

#include <stddef.h>

#include "status.h"

#define VAULT_DIGEST_SIZE 32
#define VAULT_DIGEST_HEX  64
#define VAULT_SHA1_HEX    40

/* The algorithms and one SHA-256 context. For one thread at a time. */
struct vault_digest;

/* VAULT_NO_MEMORY, VAULT_INTERNAL (this OpenSSL offers no SHA-256 or no HMAC). */
VAULT_MUST_CHECK enum vault_status vault_digest_new(struct vault_digest **made);
void vault_digest_free(struct vault_digest *digest);

/* The SHA-256 of `length` bytes into hash[VAULT_DIGEST_SIZE]. VAULT_INTERNAL: OpenSSL failed. */
VAULT_MUST_CHECK enum vault_status vault_digest_sha256(struct vault_digest *digest,
                                                       const void *bytes, size_t length,
                                                       unsigned char *hash);

/* `hash` as lower-case hex digits, no NUL. */
void vault_digest_hex(const unsigned char *hash, char hex[VAULT_DIGEST_HEX]);

/* The SHA-1 of `length` bytes as lower-case hex digits and NUL. Not for anything that must
 * withstand anybody. VAULT_INTERNAL: OpenSSL failed. */
VAULT_MUST_CHECK enum vault_status vault_digest_sha1_hex(const void *bytes, size_t length,
                                                         char hex[VAULT_SHA1_HEX + 1]);

/* HMAC-SHA-256 with one key at a time, wiped when another is set and on free. */
struct vault_hmac;

/* `digest` is borrowed until vault_hmac_free. VAULT_NO_MEMORY, VAULT_INTERNAL. */
VAULT_MUST_CHECK enum vault_status vault_hmac_new(const struct vault_digest *digest,
                                                  struct vault_hmac **made);
void vault_hmac_free(struct vault_hmac *hmac);

/* Set the key, 1 byte or more. After any other outcome than VAULT_OK `hmac` has no key.
 * VAULT_NO_MEMORY, VAULT_INTERNAL. */
VAULT_MUST_CHECK enum vault_status vault_hmac_key(struct vault_hmac *hmac, const void *key,
                                                  size_t length);

/* The HMAC of `length` bytes into mac[VAULT_DIGEST_SIZE], any number of times per key.
 * VAULT_INTERNAL (OpenSSL failed, or no key was set). */
VAULT_MUST_CHECK enum vault_status vault_hmac_run(struct vault_hmac *hmac, const void *bytes,
                                                  size_t length, unsigned char *mac);

#endif
