/* aws_error - what AWS's refusals mean.
 *
 * For:   the table of AWS's error codes, and finding code and message in an answer. By code, since
 *        AWS sends throttling, expiry and refusal alike as HTTP 400.
 * Never: which call it was, sockets, retries.
 */
#include "aws_error.h"

#include <string.h>

#include "json_extract.h"

#define TEXT_MAX    512 /* bytes of AWS's text in a message */
#define TELLING_MAX 16  /* bytes of a header's value by which its quotation is known */

struct slice {
    const char *bytes;
    size_t length;
};

struct code_row {
    const char *code;
    enum vault_status status;
};

/* (docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html,
 * API_GetSecretValue.html; docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html and
 * API_AssumeRoleWithWebIdentity.html) */
static const struct code_row code_rows[] = {
    {"BandwidthLimitExceeded", VAULT_THROTTLED},
    {"EC2ThrottledException", VAULT_THROTTLED},
    {"KMSThrottlingException", VAULT_THROTTLED},
    {"LimitExceededException", VAULT_THROTTLED},
    {"ProvisionedThroughputExceededException", VAULT_THROTTLED},
    {"RequestLimitExceeded", VAULT_THROTTLED},
    {"RequestThrottled", VAULT_THROTTLED},
    {"RequestThrottledException", VAULT_THROTTLED},
    {"SlowDown", VAULT_THROTTLED},
    {"ThrottledException", VAULT_THROTTLED},
    {"Throttling", VAULT_THROTTLED},
    {"ThrottlingException", VAULT_THROTTLED},
    {"TooManyRequestsException", VAULT_THROTTLED},
    {"TransactionInProgressException", VAULT_THROTTLED},

    {"IDPCommunicationError", VAULT_SERVER_ERROR},
    {"IDPCommunicationErrorException", VAULT_SERVER_ERROR},
    {"InternalError", VAULT_SERVER_ERROR},
    {"InternalFailure", VAULT_SERVER_ERROR},
    {"InternalServerError", VAULT_SERVER_ERROR},
    {"InternalServerException", VAULT_SERVER_ERROR},
    {"InternalServiceError", VAULT_SERVER_ERROR},
    {"InternalServiceErrorException", VAULT_SERVER_ERROR},
    {"InternalServiceException", VAULT_SERVER_ERROR},
    /* said of good tokens too, until AWS has the provider's newest keys */
    {"InvalidIdentityToken", VAULT_SERVER_ERROR},
    {"InvalidIdentityTokenException", VAULT_SERVER_ERROR},
    {"KMSInternalException", VAULT_SERVER_ERROR},
    {"PriorRequestNotComplete", VAULT_SERVER_ERROR},
    {"RequestAbortedException", VAULT_SERVER_ERROR},
    {"RequestTimeout", VAULT_SERVER_ERROR},
    {"RequestTimeoutException", VAULT_SERVER_ERROR},
    {"ServiceUnavailable", VAULT_SERVER_ERROR},
    {"ServiceUnavailableException", VAULT_SERVER_ERROR},

    {"ExpiredToken", VAULT_EXPIRED_TOKEN},
    {"ExpiredTokenException", VAULT_EXPIRED_TOKEN},

    {"RequestExpired", VAULT_CLOCK_SKEW},
    {"RequestInTheFuture", VAULT_CLOCK_SKEW},
    {"RequestTimeTooSkewed", VAULT_CLOCK_SKEW},

    /* a wrong signature may be a wrong clock too: whoever knows the answer's Date decides */
    {"AuthFailure", VAULT_CREDENTIALS_REFUSED},
    {"IDPRejectedClaim", VAULT_CREDENTIALS_REFUSED},
    {"IDPRejectedClaimException", VAULT_CREDENTIALS_REFUSED},
    {"IncompleteSignature", VAULT_CREDENTIALS_REFUSED},
    {"IncompleteSignatureException", VAULT_CREDENTIALS_REFUSED},
    {"InvalidAccessKeyId", VAULT_CREDENTIALS_REFUSED},
    {"InvalidClientTokenId", VAULT_CREDENTIALS_REFUSED},
    {"InvalidSignatureException", VAULT_CREDENTIALS_REFUSED},
    {"InvalidToken", VAULT_CREDENTIALS_REFUSED},
    {"MissingAuthenticationToken", VAULT_CREDENTIALS_REFUSED},
    {"MissingAuthenticationTokenException", VAULT_CREDENTIALS_REFUSED},
    {"OptInRequired", VAULT_CREDENTIALS_REFUSED},
    {"SignatureDoesNotMatch", VAULT_CREDENTIALS_REFUSED},
    {"UnrecognizedClientException", VAULT_CREDENTIALS_REFUSED},

    {"AccessDenied", VAULT_ACCESS_DENIED},
    {"AccessDeniedException", VAULT_ACCESS_DENIED},
    {"KMSAccessDenied", VAULT_ACCESS_DENIED},
    {"KMSAccessDeniedException", VAULT_ACCESS_DENIED},
    {"NotAuthorized", VAULT_ACCESS_DENIED},
    {"UnauthorizedOperation", VAULT_ACCESS_DENIED},

    {"ResourceNotFoundException", VAULT_NOT_FOUND},

    {"DecryptionFailure", VAULT_DECRYPTION_FAILED},
    {"DecryptionFailureException", VAULT_DECRYPTION_FAILED},
    {"KMSDisabledException", VAULT_DECRYPTION_FAILED},
    {"KMSInvalidStateException", VAULT_DECRYPTION_FAILED},
    {"KMSNotFoundException", VAULT_DECRYPTION_FAILED},
    {"KMSOptInRequired", VAULT_DECRYPTION_FAILED},

    {"InvalidAction", VAULT_INVALID_REQUEST},
    {"InvalidNextTokenException", VAULT_INVALID_REQUEST},
    {"InvalidParameterCombination", VAULT_INVALID_REQUEST},
    {"InvalidParameterException", VAULT_INVALID_REQUEST},
    {"InvalidParameterValue", VAULT_INVALID_REQUEST},
    {"InvalidQueryParameter", VAULT_INVALID_REQUEST},
    {"InvalidRequestException", VAULT_INVALID_REQUEST},
    {"MalformedHttpRequestException", VAULT_INVALID_REQUEST},
    {"MalformedPolicyDocument", VAULT_INVALID_REQUEST},
    {"MalformedPolicyDocumentException", VAULT_INVALID_REQUEST},
    {"MalformedQueryString", VAULT_INVALID_REQUEST},
    {"MissingAction", VAULT_INVALID_REQUEST},
    {"MissingParameter", VAULT_INVALID_REQUEST},
    {"PackedPolicyTooLarge", VAULT_INVALID_REQUEST},
    {"PackedPolicyTooLargeException", VAULT_INVALID_REQUEST},
    {"RequestEntityTooLargeException", VAULT_INVALID_REQUEST},
    {"SerializationException", VAULT_INVALID_REQUEST},
    {"UnknownOperationException", VAULT_INVALID_REQUEST},
    {"ValidationError", VAULT_INVALID_REQUEST},
    {"ValidationException", VAULT_INVALID_REQUEST},

    {"RegionDisabledException", VAULT_REJECTED},
};

/* "com.amazonaws.x#Code:http://..." without what is around Code: the colon first, since a URL may
 * hold a '#'. */
static struct slice bare_code(struct slice code)
{
    const char *end = memchr(code.bytes, ':', code.length);

    if (end != NULL)
        code.length = (size_t)(end - code.bytes);
    const char *hash = memchr(code.bytes, '#', code.length);
    if (hash != NULL) {
        code.length -= (size_t)(hash + 1 - code.bytes);
        code.bytes = hash + 1;
    }
    return code;
}

static enum vault_status classify_status(int http_status)
{
    if (http_status == 429)
        return VAULT_THROTTLED;
    if (http_status == 408 || http_status >= 500)
        return VAULT_SERVER_ERROR;
    return http_status >= 400 ? VAULT_REJECTED : VAULT_BAD_RESPONSE;
}

static enum vault_status classify(struct slice code, int http_status)
{
    for (size_t i = 0; i < sizeof code_rows / sizeof code_rows[0]; i++) {
        if (strlen(code_rows[i].code) == code.length &&
            memcmp(code_rows[i].code, code.bytes, code.length) == 0)
            return code_rows[i].status;
    }
    return classify_status(http_status);
}

static struct slice slice_of(const char *text)
{
    return (struct slice){.bytes = text, .length = strlen(text)};
}

enum vault_status vault_aws_classify(const char *code, int http_status)
{
    return classify(bare_code(slice_of(code != NULL ? code : "")), http_status);
}

/* The text of the first of two members that is a non-empty string; `text` stays empty where there
 * is none. VAULT_OK or VAULT_NO_MEMORY. */
static enum vault_status read_either(const struct vault_json_member members[2],
                                     struct vault_buffer *text)
{
    enum vault_status status = VAULT_OK;

    for (int i = 0; i < 2 && text->length == 0; i++) {
        if (members[i].type == VAULT_JSON_STRING && members[i].length > 0)
            status = vault_json_unescape(members[i].text, members[i].length, text);
        if (status == VAULT_NO_MEMORY)
            return status;
    }
    return VAULT_OK;
}

static enum vault_status read_body(const struct vault_buffer *answer, struct vault_buffer *code,
                                   struct vault_buffer *message)
{
    struct vault_json_member members[] = {
        {.key = "__type", .key_length = 6},
        {.key = "code", .key_length = 4},
        {.key = "message", .key_length = 7},
        {.key = "Message", .key_length = 7},
    };
    enum vault_status status = vault_json_members(answer->data, answer->length, members, 4, NULL);

    if (status != VAULT_OK)
        return VAULT_OK; /* a proxy's page, say: it has neither */
    status = read_either(members, code);
    return status == VAULT_OK ? read_either(members + 2, message) : status;
}

/* Where the request has what a message must not repeat: what stands behind `name`. */
struct held {
    const char *name;
    const char
        *ends; /* at any of these; a token goes on behind an escape, but not as it was sent */
};

static const struct held held_in_headers[] = {
    {"Authorization: ", "\r"},
    {"X-Amz-Security-Token: ", "\r"},
    {"x-amz-sso_bearer_token: ", "\r"},
};
static const struct held held_in_body = {"WebIdentityToken=", "&%"};

/* How many of the first `shown` bytes of `message` go before a quotation of what is held. */
static size_t before_quotation(const struct vault_buffer *message, size_t shown,
                               const struct vault_buffer *asked, const struct held *held)
{
    const char *value = asked->length ? strcasestr(asked->data, held->name) : NULL, *quoted;
    size_t length;

    if (!value || shown == 0)
        return shown;
    value += strlen(held->name);
    length = strcspn(value, held->ends);
    if (length == 0) /* known by nothing, so that nothing may be shown */
        return *value == '%' ? 0 : shown;
    quoted = memmem(message->data, shown, value, length < TELLING_MAX ? length : TELLING_MAX);
    return quoted ? (size_t)(quoted - message->data) : shown;
}

/* How much of AWS's message may be shown. That of a refused signature goes on with the request as
 * AWS saw it, session token and all. */
static size_t before_credential(const struct vault_buffer *message,
                                const struct vault_exchange *exchange)
{
    size_t shown = before_quotation(message, message->length, &exchange->body, &held_in_body);

    for (size_t i = 0; i < sizeof held_in_headers / sizeof held_in_headers[0]; i++)
        shown = before_quotation(message, shown, &exchange->headers, &held_in_headers[i]);
    return shown;
}

static void add_sentence(struct slice code, const struct vault_buffer *message,
                         const struct vault_exchange *exchange, struct vault_message *why)
{
    size_t most = before_credential(message, exchange);

    if (code.length == 0) {
        vault_message_add(why, "HTTP %d", exchange->status);
        return;
    }
    vault_message_quote(why, code.bytes, code.length, TEXT_MAX);
    if (message->length == 0 || code.length >= TEXT_MAX)
        return;
    vault_message_add(why, ": ");
    if (most > TEXT_MAX - code.length)
        most = TEXT_MAX - code.length;
    vault_message_quote(why, message->data, message->length, most);
}

enum vault_status vault_aws_tell_error(const struct vault_exchange *exchange,
                                       const struct vault_buffer *body_code,
                                       const struct vault_buffer *message,
                                       struct vault_message *why)
{
    struct slice code = bare_code(slice_of(exchange->error_type));

    vault_message_clear(why);
    if (code.length == 0 && body_code->length > 0)
        code = bare_code((struct slice){body_code->data, body_code->length});
    add_sentence(code, message, exchange, why);
    return classify(code, exchange->status);
}

enum vault_status vault_aws_read_error(const struct vault_exchange *exchange,
                                       struct vault_message *why)
{
    struct vault_buffer code, message;
    enum vault_status status;

    vault_message_clear(why);
    vault_buffer_init(&code, VAULT_EXCHANGE_ANSWER_MAX);
    vault_buffer_init(&message, VAULT_EXCHANGE_ANSWER_MAX);
    status = read_body(&exchange->answer, &code, &message);
    if (status == VAULT_OK)
        status = vault_aws_tell_error(exchange, &code, &message, why);
    vault_buffer_free(&code);
    vault_buffer_free(&message);
    return status;
}
