/* credentials_sts - what to ask AWS's Security Token Service, and how to read its answer.
 *
 * For:   AssumeRole (signed by the caller of this) and AssumeRoleWithWebIdentity (unsigned), in the
 *        query protocol with XML answers.
 *        (docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html)
 * Never: sockets, signing, retries, which role, token files.
 */
#ifndef VAULT_CREDENTIALS_STS_H
#define VAULT_CREDENTIALS_STS_H

#include "credentials.h"
#include "exchange.h"

#define VAULT_STS_DURATION_MIN 900
#define VAULT_STS_DURATION_MAX 43200

struct vault_sts_role {
    const char *arn;          /* 20 .. 2048 of printable ASCII, "arn:" first */
    const char *session_name; /* 2 .. 64 of [A-Za-z0-9_+=,.@-] */
    const char *external_id;  /* NULL: none; 2 .. 1224 of [A-Za-z0-9_+=,.@:/-] */
    int duration_seconds;     /* 0: AWS's own default */
};

extern const char vault_sts_service[]; /* "sts" */

/* Whether AWS could take the role's texts at all; both calls below ask this first. VAULT_OK, or
 * VAULT_BAD_CONFIG with the malformed part in `why`. */
VAULT_MUST_CHECK enum vault_status vault_sts_check_role(const struct vault_sts_role *role,
                                                        struct vault_message *why);

/* Fill in method, body and Content-Type of `exchange`, which is unchanged unless VAULT_OK; the URL
 * is the caller's. `why` names the malformed part and never shows it. VAULT_OK, VAULT_BAD_CONFIG,
 * VAULT_NO_MEMORY, VAULT_TOO_LARGE. */
VAULT_MUST_CHECK enum vault_status vault_sts_ask_role(struct vault_exchange *exchange,
                                                      const struct vault_sts_role *role,
                                                      struct vault_message *why);

/* The same with the token, 4 .. 20000 bytes, percent-encoded in the body. This call has no external
 * id: it is checked and not sent. */
VAULT_MUST_CHECK enum vault_status
vault_sts_ask_web_identity(struct vault_exchange *exchange, const struct vault_sts_role *role,
                           const char *token, size_t token_length, struct vault_message *why);

/* Read either's answer (exchange->outcome must be VAULT_OK): XML, or the JSON that some servers
 * give. `source` becomes credential->source.
 *
 * VAULT_OK: `credential` is filled, expires included. Else it is unchanged and `why` has "<AWS's
 * code>: <AWS's message>" or "HTTP <status>": ACCESS_DENIED, EXPIRED_TOKEN, CREDENTIALS_REFUSED,
 * CLOCK_SKEW, INVALID_REQUEST, THROTTLED, SERVER_ERROR (IDPCommunicationError and
 * InvalidIdentityToken among them: they may be tried again), REJECTED, BAD_RESPONSE, NO_MEMORY. */
VAULT_MUST_CHECK enum vault_status vault_sts_read(const struct vault_exchange *exchange,
                                                  const char *source,
                                                  struct vault_credential *credential,
                                                  struct vault_message *why);

#endif
