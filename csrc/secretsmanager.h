/* secretsmanager - the API calls: what to ask, how to read the answer.
 *
 * For:   building GetSecretValue, reading its answer, classifying its errors by code.
 *        (docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html)
 * Never: sockets, signing, retries, caching.
 */
#ifndef VAULT_SECRETSMANAGER_H
#define VAULT_SECRETSMANAGER_H

#include "aws_error.h"
#include "exchange.h"

#define VAULT_SECRET_ID_MAX 2048
#define VAULT_SECRET_MAX    65536 /* bytes of SecretString or SecretBinary */

struct vault_secret {
    struct vault_buffer payload; /* SecretString's bytes, or SecretBinary decoded */
    bool binary;
    char version_id[65];
    char arn[2049]; /* "" where the answer has none */
};

void vault_secret_init(struct vault_secret *secret);
void vault_secret_free(struct vault_secret *secret);

/* The host label and the name in the signing scope. */
extern const char vault_secretsmanager_service[]; /* "secretsmanager" */

/* Fill in method, body and the headers that are not the signature's (Content-Type, X-Amz-Target) of
 * `exchange`; the URL is the caller's.
 *
 * secret_id  name or ARN, 1..VAULT_SECRET_ID_MAX bytes of UTF-8
 * stage      "AWSCURRENT", "AWSPREVIOUS", ...; NULL for AWSCURRENT
 *
 * VAULT_OK, VAULT_BAD_REFERENCE (empty, too long or not UTF-8), VAULT_NO_MEMORY, VAULT_TOO_LARGE.
 */
VAULT_MUST_CHECK enum vault_status vault_secretsmanager_ask_value(struct vault_exchange *exchange,
                                                                  const char *secret_id,
                                                                  size_t secret_id_length,
                                                                  const char *stage);

/* Read the answer of that call: exchange->outcome must be VAULT_OK.
 *
 * secret  filled on VAULT_OK, else unchanged
 * why     receives "<AWS's code>: <AWS's message>", escaped, at most 512 bytes of AWS's text; for
 *         what has no such shape "HTTP <status>", with what is amiss in a 200; never a body
 *
 * VAULT_OK; NOT_FOUND, ACCESS_DENIED, INVALID_REQUEST, DECRYPTION_FAILED, THROTTLED, SERVER_ERROR,
 * CREDENTIALS_REFUSED, EXPIRED_TOKEN, CLOCK_SKEW, REJECTED (any other refusal), BAD_RESPONSE (a 200
 * without what it must hold), TOO_LARGE, NO_MEMORY. */
VAULT_MUST_CHECK enum vault_status
vault_secretsmanager_read_value(const struct vault_exchange *exchange, struct vault_secret *secret,
                                struct vault_message *why);

#endif
