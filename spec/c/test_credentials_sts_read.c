/* test_credentials_sts_read - the two calls of AWS's Security Token Service: what is answered.
 *
 * For:   vault_sts_read: each kind of answer to its status and sentence; that no message shows a
 *        token or a key; lost memory.
 * Never: XML and JSON one by one (test_sts_answer, test_sts_json), codes one by one
 *        (test_aws_error).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "credentials_sts.h"

#define ARN   "arn:aws:iam::123456789012:role/reader"
#define TOKEN "eyJhbGciOiJSUzI1NiJ9.canary.c2ln"
#define TEXTS                                                                                      \
    "<AccessKeyId>ASIAcanary</AccessKeyId><SecretAccessKey>key/canary+=</SecretAccessKey>"         \
    "<SessionToken>session-canary==</SessionToken><Expiration>2026-11-22T15:00:00Z</Expiration>"
#define XML(inner)                                                                                 \
    "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>"   \
    "<Credentials>" inner "</Credentials></AssumeRoleResult></AssumeRoleResponse>"
#define JSON(inner) "{\"AssumeRoleResponse\":{\"AssumeRoleResult\":{\"Credentials\":{" inner "}}}}"
#define KEYS                                                                                       \
    "\"AccessKeyId\":\"ASIAcanary\",\"SecretAccessKey\":\"key/canary+=\","                         \
    "\"SessionToken\":\"session-canary==\""
#define REFUSAL(code, message)                                                                     \
    "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender"       \
    "</Type><Code>" code "</Code><Message>" message "</Message></Error><RequestId>1</RequestId>"   \
    "</ErrorResponse>"

static char *repeat(char byte, size_t count)
{
    char *text = calloc(1, count + 1);

    memset(text, byte, count);
    return text;
}

static void answer(struct vault_exchange *exchange, int status, const char *body)
{
    static const struct vault_sts_role role = {ARN, "KongVault", NULL, 0};
    struct vault_message why = {0};

    vault_exchange_init(exchange);
    assert_int_equal(vault_sts_ask_web_identity(exchange, &role, TOKEN, strlen(TOKEN), &why),
                     VAULT_OK);
    assert_int_equal(vault_buffer_text(&exchange->headers, "X-Amz-Security-Token: old-canary\r\n"),
                     VAULT_OK);
    exchange->outcome = VAULT_OK;
    exchange->status = status;
    assert_int_equal(vault_buffer_text(&exchange->answer, body), VAULT_OK);
}

static void test_read(void **state)
{
    static const char *const bodies[] = {
        XML(TEXTS),
        "<?xml version='1.0'?>\n" XML(TEXTS) "\n",
        "\n\t " XML(TEXTS),
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>" TEXTS
        "</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>",
        JSON(KEYS ",\"Expiration\":1.7953596E9"),
        " \r\n\t" JSON(KEYS ",\"Expiration\":1795359600"),
        JSON("\"Expiration\":\"2026-11-22T15:00:00Z\"," KEYS),
    };

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct vault_credential credential = {0};
        struct vault_exchange exchange;
        struct vault_message why = {0};

        vault_message_add(&why, "left over");
        answer(&exchange, 200, bodies[i]);
        if (vault_sts_read(&exchange, "web identity", &credential, &why) != VAULT_OK)
            fail_msg("row %zu: %s", i, why.text);
        assert_int_equal(why.length, 0);
        assert_string_equal(credential.access_key_id, "ASIAcanary");
        assert_string_equal(credential.secret_access_key, "key/canary+=");
        assert_string_equal(credential.session_token, "session-canary==");
        assert_string_equal(credential.source, "web identity");
        assert_int_equal(credential.expires, 1795359600);
        vault_credential_clear(&credential);
        vault_exchange_free(&exchange);
    }
}

static void expect_refusal(int http, const char *body, enum vault_status status, const char *text)
{
    struct vault_credential credential = {0};
    struct vault_exchange exchange;
    struct vault_message why = {0};

    assert_int_equal(vault_credential_set(&credential, "old", "old", "old", "old", &why), VAULT_OK);
    credential.expires = 7;
    answer(&exchange, http, body);
    assert_int_equal(vault_sts_read(&exchange, "new", &credential, &why), status);
    assert_string_equal(why.text, text);
    assert_null(strstr(why.text, "canary"));
    assert_string_equal(credential.access_key_id, "old");
    assert_string_equal(credential.source, "old");
    assert_int_equal(credential.expires, 7);
    vault_credential_clear(&credential);
    vault_exchange_free(&exchange);
}

static void test_refusals(void **state)
{
    static const struct {
        int http;
        const char *body;
        enum vault_status status;
        const char *why;
    } rows[] = {
        {403, REFUSAL("AccessDenied", "User: x is not authorized"), VAULT_ACCESS_DENIED,
         "AccessDenied: User: x is not authorized"},
        {400, REFUSAL("ExpiredTokenException", "Token expired: current"), VAULT_EXPIRED_TOKEN,
         "ExpiredTokenException: Token expired: current"},
        {403, REFUSAL("IDPRejectedClaim", "No."), VAULT_CREDENTIALS_REFUSED,
         "IDPRejectedClaim: No."},
        {403, REFUSAL("InvalidClientTokenId", "No."), VAULT_CREDENTIALS_REFUSED,
         "InvalidClientTokenId: No."},
        {403, REFUSAL("RequestExpired", "No."), VAULT_CLOCK_SKEW, "RequestExpired: No."},
        {400, REFUSAL("ValidationError", "No."), VAULT_INVALID_REQUEST, "ValidationError: No."},
        {400, REFUSAL("MalformedPolicyDocument", ""), VAULT_INVALID_REQUEST,
         "MalformedPolicyDocument"},
        {400, REFUSAL("PackedPolicyTooLarge", ""), VAULT_INVALID_REQUEST, "PackedPolicyTooLarge"},
        {400, REFUSAL("Throttling", "Rate exceeded"), VAULT_THROTTLED, "Throttling: Rate exceeded"},
        {400, REFUSAL("IDPCommunicationError", ""), VAULT_SERVER_ERROR, "IDPCommunicationError"},
        {400, REFUSAL("InvalidIdentityToken", "No."), VAULT_SERVER_ERROR,
         "InvalidIdentityToken: No."},
        {403, REFUSAL("RegionDisabledException", ""), VAULT_REJECTED, "RegionDisabledException"},
        {400, REFUSAL("NewCode", "line\nforged"), VAULT_REJECTED, "NewCode: line\\x0Aforged"},
        {500, REFUSAL("NewCode", ""), VAULT_SERVER_ERROR, "NewCode"},
        {400, "<Error><Code>AccessDenied</Code></Error>", VAULT_ACCESS_DENIED, "AccessDenied"},
        {200, REFUSAL("AccessDenied", "No."), VAULT_ACCESS_DENIED, "AccessDenied: No."},
        {200, REFUSAL("NewCode", "No."), VAULT_BAD_RESPONSE, "NewCode: No."},
        {400, "{\"Error\":{\"Code\":\"ExpiredTokenException\",\"Message\":\"m\"}}",
         VAULT_EXPIRED_TOKEN, "ExpiredTokenException: m"},
        {400, "{\"__type\":\"com.x#AccessDenied\",\"message\":\"m\"}", VAULT_ACCESS_DENIED,
         "AccessDenied: m"},
        /* quotations of what was sent */
        {400, REFUSAL("InvalidIdentityToken", "of " TOKEN), VAULT_SERVER_ERROR,
         "InvalidIdentityToken: of ..."},
        {400, REFUSAL("SignatureDoesNotMatch", "got old-canary"), VAULT_CREDENTIALS_REFUSED,
         "SignatureDoesNotMatch: got ..."},
        {400, "{\"Error\":{\"Code\":\"ValidationError\",\"Message\":\"bad " TOKEN "\"}}",
         VAULT_INVALID_REQUEST, "ValidationError: bad ..."},
        /* no code to be had */
        {502, "<!DOCTYPE html><html><body>canary</body></html>", VAULT_SERVER_ERROR, "HTTP 502"},
        {404, "canary", VAULT_REJECTED, "HTTP 404"},
        {429, "", VAULT_THROTTLED, "HTTP 429"},
        {400, "<ErrorResponse><Error><Code>canary</Code></Error>", VAULT_REJECTED, "HTTP 400"},
        {400, "<ErrorResponse><Error><Message>canary</Message></Error></ErrorResponse>",
         VAULT_REJECTED, "HTTP 400"},
        {301, XML(TEXTS), VAULT_BAD_RESPONSE, "HTTP 301"},
        {500, XML(TEXTS), VAULT_SERVER_ERROR, "HTTP 500"},
        {204, "", VAULT_BAD_RESPONSE, "HTTP 204"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_refusal(rows[i].http, rows[i].body, rows[i].status, rows[i].why);
}

static void test_malformed(void **state)
{
    static const struct {
        const char *body;
        const char *why;
    } rows[] = {
        {"", "HTTP 200: XML: no element found, at byte 1"},
        {"<canary/>", "HTTP 200: no credentials are in it"},
        {"{\"canary\":1}", "HTTP 200: no credentials are in it"},
        {"{\"canary\"}", "HTTP 200: JSON: the text is not JSON, at byte 10"},
        {XML(""), "HTTP 200: no credentials are in it"},
        {XML("<AccessKeyId>canary</AccessKeyId>"), "HTTP 200: the session token is absent"},
        {XML("<AccessKeyId>canary</AccessKeyId><SessionToken>canary</SessionToken>"),
         "HTTP 200: the expiration is absent"},
        {XML("<SessionToken>canary</SessionToken><Expiration>2026-11-22T15:00:00Z</Expiration>"),
         "HTTP 200: the access key id is empty"},
        {XML("<AccessKeyId>canary</AccessKeyId><SessionToken>canary</SessionToken>"
             "<Expiration>2026-11-22T15:00:00Z</Expiration>"),
         "HTTP 200: the secret access key is empty"},
        {XML("<Expiration>1970-01-01T00:00:00Z</Expiration><AccessKeyId>canary</AccessKeyId>"
             "<SecretAccessKey>canary</SecretAccessKey><SessionToken>canary</SessionToken>"),
         "HTTP 200: the expiration is absent"},
        {XML("<Expiration>canary</Expiration>"), "HTTP 200: Expiration is no moment of ISO 8601"},
        {XML("<SecretAccessKey>canary x</SecretAccessKey><AccessKeyId>canary</AccessKeyId>"
             "<SessionToken>c</SessionToken><Expiration>2026-11-22T15:00:00Z</Expiration>"),
         "HTTP 200: the secret access key holds white space or a byte that is not printable "
         "ASCII"},
        {JSON(KEYS), "HTTP 200: the expiration is absent"},
        {JSON(KEYS ",\"Expiration\":0"), "HTTP 200: the expiration is absent"},
        {JSON(KEYS ",\"Expiration\":-5"), "HTTP 200: JSON: Expiration is no moment"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_refusal(200, rows[i].body, VAULT_BAD_RESPONSE, rows[i].why);
}

/* A part that is over what a credential may have, and a whole answer at its limit. */
static void test_huge(void **state)
{
    static char body[VAULT_EXCHANGE_ANSWER_MAX + 1];
    const size_t room = sizeof body - 1;
    char *token = repeat('t', 16385), *filling = repeat(' ', room);

    (void)state;
    (void)snprintf(body, sizeof body,
                   XML("<SessionToken>%s</SessionToken><AccessKeyId>a"
                       "</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
                       "<Expiration>2026-11-22T15:00:00Z</Expiration>"),
                   token);
    expect_refusal(200, body, VAULT_BAD_RESPONSE,
                   "HTTP 200: the session token is over 16384 bytes");
    memcpy(body, filling, room);
    memcpy(body, "<canary>", 8);
    expect_refusal(200, body, VAULT_BAD_RESPONSE,
                   "HTTP 200: XML: no element found, at byte 524289");
    memcpy(body + room - 9, "</canary>", 9);
    expect_refusal(200, body, VAULT_BAD_RESPONSE, "HTTP 200: no credentials are in it");
    free(token);
    free(filling);
}

/* Whatever of an answer came: no part of a credential is taken or shown. */
static void test_every_beginning(void **state)
{
    static const char *const bodies[] = {XML(TEXTS), JSON(KEYS ",\"Expiration\":1795359600")};

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        for (size_t length = 0; length < strlen(bodies[i]); length++) {
            struct vault_credential credential = {0};
            struct vault_exchange exchange;
            struct vault_message why;

            answer(&exchange, 200, "");
            assert_int_equal(vault_buffer_append(&exchange.answer, bodies[i], length), VAULT_OK);
            assert_int_equal(vault_sts_read(&exchange, "s", &credential, &why), VAULT_BAD_RESPONSE);
            assert_null(credential.access_key_id);
            assert_null(strstr(why.text, "canary"));
            vault_exchange_free(&exchange);
        }
    }
}

static void test_read_allocations(void **state)
{
    static const struct {
        int http;
        const char *body;
        enum vault_status status;
        unsigned long least;
    } rows[] = {
        {200, XML(TEXTS), VAULT_OK, 15},
        {200, JSON(KEYS ",\"Expiration\":1795359600"), VAULT_OK, 6},
        {400, REFUSAL("AccessDenied", "No."), VAULT_ACCESS_DENIED, 8},
        {400, "{\"__type\":\"AccessDenied\",\"message\":\"m\"}", VAULT_ACCESS_DENIED, 2},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum vault_status status = VAULT_NO_MEMORY;
        struct vault_credential credential = {0};
        struct vault_exchange exchange;
        struct vault_message why;
        unsigned long nth;

        answer(&exchange, rows[i].http, rows[i].body);
        for (nth = 1; status == VAULT_NO_MEMORY; nth++) {
            assert_null(credential.access_key_id);
            (void)vault_alloc_fail(nth);
            status = vault_sts_read(&exchange, "s", &credential, &why);
            (void)vault_alloc_fail(0);
        }
        assert_int_equal(status, rows[i].status);
        assert_true(nth > rows[i].least);
        vault_credential_clear(&credential);
        vault_exchange_free(&exchange);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_huge),
        cmocka_unit_test(test_every_beginning),
        cmocka_unit_test(test_read_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
