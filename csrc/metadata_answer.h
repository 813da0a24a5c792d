/* metadata_answer - the credentials that a metadata service answers with.
 *
 * For:   the JSON that EC2 instance metadata, the ECS agent and the EKS Pod Identity agent share:
 *        AccessKeyId, SecretAccessKey, Token, Expiration, Code; what their HTTP statuses mean.
 * Never: which service it was, what to ask next, clocks.
 */
#ifndef VAULT_METADATA_ANSWER_H
#define VAULT_METADATA_ANSWER_H

#include "credentials.h"
#include "exchange.h"

/* What an HTTP status other than 200 stands for: THROTTLED (429), SERVER_ERROR (408, 5xx),
 * CREDENTIALS_REFUSED (4xx), BAD_RESPONSE (the rest). */
enum vault_status vault_metadata_classify(int http_status);

/* What an answer of another HTTP status says: `why` receives "HTTP 404", or "HTTP 404, <code>:
 * <message>" where the service gives them, as vault_aws_read_error shows them, and not where they
 * quote the request's token. What vault_metadata_classify says, or VAULT_NO_MEMORY. */
VAULT_MUST_CHECK enum vault_status vault_metadata_refusal(const struct vault_exchange *exchange,
                                                          struct vault_message *why);

/* Read an answer of HTTP 200. All four fields must be there; Code, where there is one, must be
 * Success.
 *
 * credential  filled on VAULT_OK, else unchanged; `expires` is what the service says, past or not
 * source      becomes credential->source
 * why         receives "HTTP 200: " and what is amiss: of the answer's bytes only Code and Message,
 *             escaped, at most 512 bytes, and not where they quote the request's token
 *
 * VAULT_OK, VAULT_CREDENTIALS_REFUSED (another Code), VAULT_BAD_RESPONSE, VAULT_NO_MEMORY. */
VAULT_MUST_CHECK enum vault_status vault_metadata_read(const struct vault_exchange *exchange,
                                                       const char *source,
                                                       struct vault_credential *credential,
                                                       struct vault_message *why);

#endif
