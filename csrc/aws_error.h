/* aws_error - what AWS's refusals mean.
 *
 * For:   an error answer of AWS's JSON protocol to a status and a sentence, by AWS's code; the same
 *        for a code and message that another protocol's reader found.
 * Never: which call it was, sockets, retries; any text of an answer that is not AWS's code or
 * message.
 */
#ifndef VAULT_AWS_ERROR_H
#define VAULT_AWS_ERROR_H

#include "exchange.h"

/* The status that an error `code` of AWS ("ThrottlingException", with or without a "prefix#" before
 * and a ":url" behind) and an HTTP status stand for: by code; the status only where the code is
 * unknown, empty or NULL. Never OK. */
enum vault_status vault_aws_classify(const char *code, int http_status);

/* What an answer other than the call's 200 says: exchange->outcome must be VAULT_OK.
 *
 * why  receives "<AWS's code>: <AWS's message>", escaped, at most 512 bytes of AWS's text and only
 *      what goes before a quotation of the request's own signature, session token, bearer token or
 *      web identity token; for what has no such shape "HTTP <status>"; never a body
 *
 * What vault_aws_classify says, or VAULT_NO_MEMORY. Never OK. */
VAULT_MUST_CHECK enum vault_status vault_aws_read_error(const struct vault_exchange *exchange,
                                                        struct vault_message *why);

/* The same where the answer's code and message (empty for none) were read already. Allocates
 * nothing. Never OK. */
VAULT_MUST_CHECK enum vault_status vault_aws_tell_error(const struct vault_exchange *exchange,
                                                        const struct vault_buffer *code,
                                                        const struct vault_buffer *message,
                                                        struct vault_message *why);

#endif
