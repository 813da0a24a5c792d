/* test_aws_error - every code of AWS's to its status; what an error answer may say.
 *
 * For:   vault_aws_classify, vault_aws_read_error, vault_aws_tell_error.
 * Never: answers of HTTP 200 (test_secretsmanager).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "aws_error.h"

/* The codes of one status, with a blank between. */
static const struct {
    enum vault_status status;
    const char *codes;
} tables[] = {
    {VAULT_THROTTLED, "Throttling ThrottlingException ThrottledException RequestThrottled "
                      "RequestThrottledException TooManyRequestsException RequestLimitExceeded "
                      "BandwidthLimitExceeded LimitExceededException SlowDown "
                      "ProvisionedThroughputExceededException TransactionInProgressException "
                      "EC2ThrottledException KMSThrottlingException"},
    {VAULT_SERVER_ERROR, "InternalServiceError InternalServiceErrorException InternalFailure "
                         "InternalError InternalServerError InternalServerException "
                         "InternalServiceException KMSInternalException ServiceUnavailable "
                         "ServiceUnavailableException RequestTimeout RequestTimeoutException "
                         "PriorRequestNotComplete RequestAbortedException IDPCommunicationError "
                         "IDPCommunicationErrorException InvalidIdentityToken "
                         "InvalidIdentityTokenException"},
    {VAULT_EXPIRED_TOKEN, "ExpiredToken ExpiredTokenException"},
    {VAULT_CLOCK_SKEW, "RequestTimeTooSkewed RequestExpired RequestInTheFuture"},
    {VAULT_CREDENTIALS_REFUSED,
     "UnrecognizedClientException InvalidClientTokenId IncompleteSignature "
     "IncompleteSignatureException MissingAuthenticationToken "
     "MissingAuthenticationTokenException InvalidSignatureException SignatureDoesNotMatch "
     "OptInRequired AuthFailure InvalidAccessKeyId InvalidToken IDPRejectedClaim "
     "IDPRejectedClaimException"},
    {VAULT_ACCESS_DENIED, "AccessDeniedException AccessDenied KMSAccessDenied "
                          "KMSAccessDeniedException NotAuthorized UnauthorizedOperation"},
    {VAULT_NOT_FOUND, "ResourceNotFoundException"},
    {VAULT_DECRYPTION_FAILED, "DecryptionFailure DecryptionFailureException KMSDisabledException "
                              "KMSInvalidStateException KMSNotFoundException KMSOptInRequired"},
    {VAULT_INVALID_REQUEST,
     "InvalidParameterException InvalidRequestException ValidationException ValidationError "
     "InvalidParameterValue InvalidParameterCombination InvalidQueryParameter InvalidAction "
     "MissingAction MissingParameter MalformedQueryString MalformedHttpRequestException "
     "MalformedPolicyDocument MalformedPolicyDocumentException PackedPolicyTooLarge "
     "PackedPolicyTooLargeException RequestEntityTooLargeException SerializationException "
     "UnknownOperationException "
     "InvalidNextTokenException"},
    {VAULT_REJECTED, "RegionDisabledException"},
};

static void check_code(const char *code, enum vault_status status)
{
    static const char *const shapes[] = {"%s", "com.amazonaws.secretsmanager#%s",
                                         "%s:", "%s:http://internal.amazon.com/coral/#x",
                                         "aws.protocoltests#%s:http://host/#y"};
    /* whatever AWS sends the code with */
    static const int http[] = {400, 403, 404, 429, 500, 503};

    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        char text[256];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(text, sizeof text, shapes[i], code);
#pragma GCC diagnostic pop
        for (size_t n = 0; n < sizeof http / sizeof http[0]; n++) {
            if (vault_aws_classify(text, http[n]) != status)
                fail_msg("%s with HTTP %d: %s", text, http[n],
                         vault_status_row(vault_aws_classify(text, http[n]))->word);
        }
    }
}

static void test_every_code(void **state)
{
    unsigned count = 0;

    (void)state;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        char codes[1024];
        char *rest = codes;

        assert_true(strlen(tables[i].codes) < sizeof codes);
        (void)snprintf(codes, sizeof codes, "%s", tables[i].codes);
        for (char *code = strtok_r(codes, " ", &rest); code; code = strtok_r(NULL, " ", &rest)) {
            check_code(code, tables[i].status);
            count++;
        }
    }
    print_message("%u codes\n", count);
    assert_true(count >= 78);
}

static void test_status_where_the_code_is_none(void **state)
{
    static const struct {
        int http;
        enum vault_status status;
    } rows[] = {
        {400, VAULT_REJECTED},     {401, VAULT_REJECTED},     {403, VAULT_REJECTED},
        {404, VAULT_REJECTED},     {408, VAULT_SERVER_ERROR}, {413, VAULT_REJECTED},
        {429, VAULT_THROTTLED},    {499, VAULT_REJECTED},     {500, VAULT_SERVER_ERROR},
        {502, VAULT_SERVER_ERROR}, {503, VAULT_SERVER_ERROR}, {504, VAULT_SERVER_ERROR},
        {200, VAULT_BAD_RESPONSE}, {204, VAULT_BAD_RESPONSE}, {301, VAULT_BAD_RESPONSE},
        {0, VAULT_BAD_RESPONSE},
    };
    static const char *const codes[] = {
        "", "NoSuchCode", "x#", "#", ":", "throttling", "Throttling ", "hrottling", "Throttlin",
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(vault_aws_classify(NULL, rows[i].http), rows[i].status);
        for (size_t n = 0; n < sizeof codes / sizeof codes[0]; n++)
            assert_int_equal(vault_aws_classify(codes[n], rows[i].http), rows[i].status);
    }
}

static void answer(struct vault_exchange *exchange, int status, const char *type, const char *body)
{
    vault_exchange_init(exchange);
    exchange->outcome = VAULT_OK;
    exchange->status = status;
    (void)snprintf(exchange->error_type, sizeof exchange->error_type, "%s", type);
    assert_int_equal(vault_buffer_text(&exchange->answer, body), VAULT_OK);
}

static void test_sentences(void **state)
{
    static const struct {
        int http;
        const char *type;
        const char *body;
        enum vault_status status;
        const char *why;
    } rows[] = {
        {400, "", "{\"__type\":\"ResourceNotFoundException\",\"Message\":\"No such secret.\"}",
         VAULT_NOT_FOUND, "ResourceNotFoundException: No such secret."},
        {400, "", "{\"__type\":\"com.x#AccessDeniedException\",\"message\":\"No.\"}",
         VAULT_ACCESS_DENIED, "AccessDeniedException: No."},
        {400, "", "{\"code\":\"ThrottlingException\",\"message\":\"Rate exceeded\"}",
         VAULT_THROTTLED, "ThrottlingException: Rate exceeded"},
        {400, "ThrottlingException:http://h/#a", "{\"message\":\"Rate exceeded\"}", VAULT_THROTTLED,
         "ThrottlingException: Rate exceeded"},
        {400, "ThrottlingException", "{\"__type\":\"AccessDenied\",\"message\":\"m\"}",
         VAULT_THROTTLED, "ThrottlingException: m"},
        {400, ":", "{\"__type\":\"AccessDenied\"}", VAULT_ACCESS_DENIED, "AccessDenied"},
        {400, "AccessDenied", "", VAULT_ACCESS_DENIED, "AccessDenied"},
        {400, "AccessDenied", "<html>", VAULT_ACCESS_DENIED, "AccessDenied"},
        {400, "", "{\"__type\":\"ExpiredToken\"}", VAULT_EXPIRED_TOKEN, "ExpiredToken"},
        {400, "", "{\"__type\":\"ExpiredToken\",\"message\":null,\"Message\":\"m\"}",
         VAULT_EXPIRED_TOKEN, "ExpiredToken: m"},
        {400, "", "{\"__type\":\"New#Thing\",\"message\":\"m\"}", VAULT_REJECTED, "Thing: m"},
        {500, "", "{\"__type\":\"Thing\",\"message\":\"m\"}", VAULT_SERVER_ERROR, "Thing: m"},
        {403, "", "{\"message\":\"Forbidden\"}", VAULT_REJECTED, "HTTP 403"},
        {403, "", "{\"code\":403,\"message\":\"Forbidden\"}", VAULT_REJECTED, "HTTP 403"},
        {502, "", "<html><h1>502 Bad Gateway</h1></html>", VAULT_SERVER_ERROR, "HTTP 502"},
        {503, "", "", VAULT_SERVER_ERROR, "HTTP 503"},
        {404, "", "[\"__type\",\"AccessDenied\"]", VAULT_REJECTED, "HTTP 404"},
        {400, "", "{\"__type\":\"AccessDenied\"} x", VAULT_REJECTED, "HTTP 400"},
        {302, "", "", VAULT_BAD_RESPONSE, "HTTP 302"},
        {400, "",
         "{\"__type\":\"A\\nB\",\"message\":\"\\u001b[31m\\r\\n2026 [error] \\\\ \\u00e9\"}",
         VAULT_REJECTED, "A\\x0AB: \\x1B[31m\\x0D\\x0A2026 [error] \\\\ \\xC3\\xA9"},
        {400, "A\nB", "", VAULT_REJECTED, "A\\x0AB"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct vault_exchange exchange;
        struct vault_message why;

        vault_message_clear(&why);
        vault_message_add(&why, "left over");
        answer(&exchange, rows[i].http, rows[i].type, rows[i].body);
        assert_int_equal(vault_aws_read_error(&exchange, &why), rows[i].status);
        assert_string_equal(why.text, rows[i].why);
        vault_exchange_free(&exchange);
    }
}

/* At most 512 bytes of AWS's text, code and message together. */
static void test_long_texts(void **state)
{
    static const struct {
        int code;
        int message;
        size_t shown; /* of the message */
    } rows[] = {{12, 500, 500}, {12, 501, 500}, {12, 100000, 500}, {512, 10, 0}, {600, 10, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        static char body[128 * 1024];
        struct vault_exchange exchange;
        struct vault_message why;
        size_t shown = 0;

        (void)snprintf(body, sizeof body, "{\"__type\":\"%0*d\",\"message\":\"%0*d\"}",
                       rows[i].code, 0, rows[i].message, 1);
        memset(strchr(strstr(body, "message") + 8, '"') + 1, 'm', (size_t)rows[i].message);
        answer(&exchange, 400, "", body);
        assert_int_equal(vault_aws_read_error(&exchange, &why), VAULT_REJECTED);
        for (size_t n = 0; n < why.length; n++)
            shown += why.text[n] == 'm';
        assert_int_equal(shown, rows[i].shown);
        assert_true(why.length <= 512 + strlen(": ..."));
        vault_exchange_free(&exchange);
    }
}

/* Of the body nothing but code and message is ever shown. */
static void test_canary(void **state)
{
    static const char *const bodies[] = {
        "{\"__type\":\"AccessDenied\",\"message\":\"m\",\"SecretString\":\"canary\"}",
        "{\"SecretString\":\"canary\"}",
        "{\"SecretString\":\"canary",
        "{\"message\":\"canary\"}",
        "{\"__type\":\"AccessDenied\",\"message\":\"canary\"",
        "{\"__type\":{\"a\":\"canary\"},\"message\":\"canary\"}",
        "canary",
        "<Error><Code>canary</Code></Error>",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct vault_exchange exchange;
        struct vault_message why;

        answer(&exchange, 400, "", bodies[i]);
        assert_int_not_equal(vault_aws_read_error(&exchange, &why), VAULT_OK);
        assert_null(strstr(why.text, "canary"));
        assert_true(why.length > 0);
        vault_exchange_free(&exchange);
    }
}

/* AWS shows a refused signature's whole request in its message. */
static void test_request_shown_back(void **state)
{
    static const struct {
        const char *headers;
        const char *message;
        const char *why;
    } rows[] = {
        {"Host: h\r\nX-Amz-Security-Token: token-canary-0123456789\r\n",
         "It should have been 'host:h x-amz-security-token:token-canary-0123456789'",
         "SignatureDoesNotMatch: It should have been 'host:h x-amz-security-token:..."},
        {"X-Amz-Security-Token: token-canary-0123456789\r\n", "cut off: token-canary-0123",
         "SignatureDoesNotMatch: cut off: ..."},
        {"X-Amz-Security-Token: tiny\r\nHost: h\r\n", "a tiny one", "SignatureDoesNotMatch: a ..."},
        {"Authorization: AWS4-HMAC-SHA256 Credential=canary/1\r\n",
         "not AWS4-HMAC-SHA256 Credential=canary/1", "SignatureDoesNotMatch: not ..."},
        {"X-Amz-Security-Token: token-canary-0123456789\r\n", "The security token is invalid.",
         "SignatureDoesNotMatch: The security token is invalid."},
        {"X-Amz-Security-Token: \r\nHost: h\r\n", "as it is", "SignatureDoesNotMatch: as it is"},
        {"Host: h\r\n", "as it is", "SignatureDoesNotMatch: as it is"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct vault_exchange exchange;
        struct vault_message why;
        char body[256];

        (void)snprintf(body, sizeof body,
                       "{\"__type\":\"SignatureDoesNotMatch\",\"message\":\"%s\"}",
                       rows[i].message);
        answer(&exchange, 403, "", body);
        assert_int_equal(vault_buffer_text(&exchange.headers, rows[i].headers), VAULT_OK);
        assert_int_equal(vault_aws_read_error(&exchange, &why), VAULT_CREDENTIALS_REFUSED);
        assert_string_equal(why.text, rows[i].why);
        vault_exchange_free(&exchange);
    }
}

/* The token of an unsigned call is in its body. */
static void test_token_shown_back(void **state)
{
    static const struct {
        const char *body;
        const char *message;
        const char *why;
    } rows[] = {
        {"Action=A&WebIdentityToken=eyJhbGciOiJSUzI1NiJ9.canary",
         "no provider for eyJhbGciOiJSUzI1NiJ9.canary",
         "InvalidIdentityToken: no provider for ..."},
        {"WebIdentityToken=tiny&Version=1", "a tiny one", "InvalidIdentityToken: a ..."},
        {"WebIdentityToken=Atza%7Ccanary", "bad: Atza|canary", "InvalidIdentityToken: bad: ..."},
        {"WebIdentityToken=%7Ccanary", "bad: |canary", "InvalidIdentityToken: ..."},
        {"WebIdentityToken=", "as it is", "InvalidIdentityToken: as it is"},
        {"WebIdentityToken=abcdef", "", "InvalidIdentityToken"},
        {"Action=A", "as it is", "InvalidIdentityToken: as it is"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct vault_buffer code, message;
        struct vault_exchange exchange;
        struct vault_message why;

        answer(&exchange, 400, "", "");
        vault_buffer_init(&code, 100);
        vault_buffer_init(&message, 100);
        assert_int_equal(vault_buffer_text(&exchange.body, rows[i].body), VAULT_OK);
        assert_int_equal(vault_buffer_text(&code, "InvalidIdentityToken"), VAULT_OK);
        assert_int_equal(vault_buffer_text(&message, rows[i].message), VAULT_OK);
        assert_int_equal(vault_aws_tell_error(&exchange, &code, &message, &why),
                         VAULT_SERVER_ERROR);
        assert_string_equal(why.text, rows[i].why);
        vault_buffer_free(&code);
        vault_buffer_free(&message);
        vault_exchange_free(&exchange);
    }
}

static void test_told(void **state)
{
    static const struct {
        int http;
        const char *type; /* x-amzn-errortype */
        const char *code;
        const char *message;
        enum vault_status status;
        const char *why;
    } rows[] = {
        {400, "", "AccessDenied", "No.", VAULT_ACCESS_DENIED, "AccessDenied: No."},
        {400, "", "sts#Throttling:x", "", VAULT_THROTTLED, "Throttling"},
        {400, "SlowDown:u", "AccessDenied", "m", VAULT_THROTTLED, "SlowDown: m"},
        {200, "", "NoSuchCode", "m\n", VAULT_BAD_RESPONSE, "NoSuchCode: m\\x0A"},
        {200, "", "", "m", VAULT_BAD_RESPONSE, "HTTP 200"},
        {503, "", "", "", VAULT_SERVER_ERROR, "HTTP 503"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct vault_buffer code, message;
        struct vault_exchange exchange;
        struct vault_message why;

        answer(&exchange, rows[i].http, rows[i].type, "{\"__type\":\"Canary\"}");
        vault_buffer_init(&code, 100);
        vault_buffer_init(&message, 100);
        assert_int_equal(vault_buffer_text(&code, rows[i].code), VAULT_OK);
        assert_int_equal(vault_buffer_text(&message, rows[i].message), VAULT_OK);
        assert_int_equal(vault_aws_tell_error(&exchange, &code, &message, &why), rows[i].status);
        assert_string_equal(why.text, rows[i].why);
        vault_buffer_free(&code);
        vault_buffer_free(&message);
        vault_exchange_free(&exchange);
    }
}

static void test_allocations(void **state)
{
    struct vault_exchange exchange;
    struct vault_message why;
    enum vault_status status = VAULT_NO_MEMORY;
    unsigned long nth;

    (void)state;
    answer(&exchange, 400, "", "{\"__type\":\"AccessDenied\",\"message\":\"m\"}");
    for (nth = 1; status == VAULT_NO_MEMORY; nth++) {
        (void)vault_alloc_fail(nth);
        status = vault_aws_read_error(&exchange, &why);
    }
    (void)vault_alloc_fail(0);
    assert_int_equal(status, VAULT_ACCESS_DENIED);
    assert_string_equal(why.text, "AccessDenied: m");
    assert_true(nth > 2);
    vault_exchange_free(&exchange);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code),
        cmocka_unit_test(test_status_where_the_code_is_none),
        cmocka_unit_test(test_sentences),
        cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_canary),
        cmocka_unit_test(test_request_shown_back),
        cmocka_unit_test(test_token_shown_back),
        cmocka_unit_test(test_told),
        cmocka_unit_test(test_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
