/* secretsmanager - one secret: what to ask, how to read the answer.
 *
 * For:   building GetSecretValue, reading its answer, classifying its errors by code; and what
 *        BatchGetSecretValue (secretsmanager_batch) has in common with it.
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
    struct vault_buffer version_id, arn; /* "" where the answer has none */
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

/* Fill in method, headers and body of a call of `operation` ("GetSecretValue"); `body` is taken: on
 * VAULT_OK it holds what is to be freed. VAULT_NO_MEMORY, VAULT_TOO_LARGE (the headers). `exchange`
 * and `body` are unchanged unless VAULT_OK. */
VAULT_MUST_CHECK enum vault_status vault_secretsmanager_ask(struct vault_exchange *exchange,
                                                            const char *operation,
                                                            struct vault_buffer *body);

/* Append a name, an ARN, a stage as a JSON string. VAULT_BAD_REFERENCE (not UTF-8), NO_MEMORY,
 * TOO_LARGE. */
VAULT_MUST_CHECK enum vault_status vault_secretsmanager_quote(struct vault_buffer *body,
                                                              const char *text, size_t length);

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

/* Read one secret, as the answer has it: the JSON object that is `text`.
 *
 * secret  filled on VAULT_OK, else unchanged
 * why     "HTTP 200: " and what is amiss is added to it
 *
 * VAULT_OK, BAD_RESPONSE, TOO_LARGE, NO_MEMORY. */
VAULT_MUST_CHECK enum vault_status vault_secretsmanager_read_object(const char *text, size_t length,
                                                                    struct vault_secret *secret,
                                                                    struct vault_message *why);

/* Say in `why` that an answer with HTTP status 200 is not the JSON it must be: what
 * vault_json_members said of it, and where (from 0). VAULT_BAD_RESPONSE. */
VAULT_MUST_CHECK enum vault_status
vault_secretsmanager_not_json(enum vault_status status, size_t offset, struct vault_message *why);

#endif
