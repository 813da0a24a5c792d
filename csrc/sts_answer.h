/* sts_answer - the texts of an answer of AWS's Security Token Service.
 *
 * For:   XML to the four parts of a credential, or to an error's code and message.
 * Never: whether the parts will do, what a code means, HTTP, JSON (sts_json).
 */
#ifndef VAULT_STS_ANSWER_H
#define VAULT_STS_ANSWER_H

#include "buffer.h"
#include "message.h"

#define VAULT_STS_TEXT_MAX (32 * 1024) /* bytes of each text */

struct vault_sts_answer {
    struct vault_buffer access_key_id; /* a text that is absent has length 0 */
    struct vault_buffer secret_access_key;
    struct vault_buffer session_token;
    struct vault_buffer expiration; /* as it came */
    int64_t expires;                /* what it says, seconds since 1970; 0: absent */
    struct vault_buffer code;       /* of an error; none of the texts holds a NUL */
    struct vault_buffer message;
};

/* Empty, with its limits. Allocates nothing. */
void vault_sts_answer_init(struct vault_sts_answer *answer);

/* Wipe and free all it holds. */
void vault_sts_answer_free(struct vault_sts_answer *answer);

/* Read the expiration's text; `expires` stays 0 where there is none. VAULT_OK, or
 * VAULT_BAD_RESPONSE with `why`. */
VAULT_MUST_CHECK enum vault_status vault_sts_answer_settle(struct vault_sts_answer *answer,
                                                           struct vault_message *why);

/* Read the members of AssumeRoleResponse/AssumeRoleResult/Credentials, the same of
 * AssumeRoleWithWebIdentity, and ErrorResponse/Error/{Code,Message} or a bare Error, whatever their
 * namespace, into `answer`, which is empty. What else there is is checked as XML and passed over.
 * The text is UTF-8, whatever it says of itself; nothing of it is shown in `why`, which gets the
 * fault and its byte.
 *
 * VAULT_OK (any of the texts may be absent), VAULT_BAD_RESPONSE (not well-formed, a document type
 * and so any entity of one's own, over 16 elements deep, a text over VAULT_STS_TEXT_MAX, one of
 * these elements twice, an expiration that is no moment), VAULT_NO_MEMORY. `answer` is unspecified
 * unless VAULT_OK. */
VAULT_MUST_CHECK enum vault_status vault_sts_answer_read(const char *text, size_t length,
                                                         struct vault_sts_answer *answer,
                                                         struct vault_message *why);

#endif
