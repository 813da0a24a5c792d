/* test_secretsmanager - GetSecretValue: what is asked, what each answer means.
 *
 * For:   requests byte by byte; answers of HTTP 200, whole and malformed; that no message shows a
 *        body; lost memory.
 * Never: the codes of AWS one by one (test_aws_error).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "secretsmanager.h"

#define CANARY "hunter2-canary"
#define ARN    "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1B2c3"
#define UUID   "01234567-89ab-cdef-0123-456789abcdef"

static enum vault_status ask(struct vault_exchange *exchange, const char *id, const char *stage)
{
    return vault_secretsmanager_ask_value(exchange, id, strlen(id), stage);
}

static void test_ask(void **state)
{
    static const struct {
        const char *id;
        const char *stage;
        const char *body;
    } rows[] = {
        {"db", NULL, "{\"SecretId\":\"db\",\"VersionStage\":\"AWSCURRENT\"}"},
        {"db", "AWSPREVIOUS", "{\"SecretId\":\"db\",\"VersionStage\":\"AWSPREVIOUS\"}"},
        {"/team/db+1=a@b.c_-", NULL,
         "{\"SecretId\":\"/team/db+1=a@b.c_-\",\"VersionStage\":\"AWSCURRENT\"}"},
        {ARN, NULL, "{\"SecretId\":\"" ARN "\",\"VersionStage\":\"AWSCURRENT\"}"},
        {"a\"b\\\n", "s\"", "{\"SecretId\":\"a\\\"b\\\\\\n\",\"VersionStage\":\"s\\\"\"}"},
        {"\xc3\xa9", NULL, "{\"SecretId\":\"\xc3\xa9\",\"VersionStage\":\"AWSCURRENT\"}"},
    };
    struct vault_exchange exchange;

    (void)state;
    vault_exchange_init(&exchange);
    assert_int_equal(vault_buffer_text(&exchange.url, "https://host/"), VAULT_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(ask(&exchange, rows[i].id, rows[i].stage), VAULT_OK);
        assert_string_equal(exchange.method, "POST");
        assert_string_equal(exchange.url.data, "https://host/");
        assert_string_equal(exchange.headers.data,
                            "Content-Type: application/x-amz-json-1.1\r\n"
                            "X-Amz-Target: secretsmanager.GetSecretValue\r\n");
        assert_string_equal(exchange.body.data, rows[i].body);
    }
    assert_string_equal(vault_secretsmanager_service, "secretsmanager");
    vault_exchange_free(&exchange);
}

static void test_ask_refuses(void **state)
{
    static char longest[VAULT_SECRET_ID_MAX + 1];
    struct vault_exchange exchange;

    (void)state;
    memset(longest, 'x', sizeof longest);
    vault_exchange_init(&exchange);
    assert_int_equal(vault_secretsmanager_ask_value(&exchange, longest, VAULT_SECRET_ID_MAX, NULL),
                     VAULT_OK);
    vault_exchange_free(&exchange);

    assert_int_equal(
        vault_secretsmanager_ask_value(&exchange, longest, VAULT_SECRET_ID_MAX + 1, NULL),
        VAULT_BAD_REFERENCE);
    assert_int_equal(ask(&exchange, "", NULL), VAULT_BAD_REFERENCE);
    assert_int_equal(ask(&exchange, "a\xff", NULL), VAULT_BAD_REFERENCE);
    assert_int_equal(ask(&exchange, "a", "\xff"), VAULT_BAD_REFERENCE);
    assert_null(exchange.body.data);
    assert_null(exchange.headers.data);

    exchange.body.limit = 10;
    assert_int_equal(ask(&exchange, "a", NULL), VAULT_TOO_LARGE);
    vault_exchange_free(&exchange);
}

static void answer(struct vault_exchange *exchange, int status, const char *body)
{
    vault_exchange_init(exchange);
    exchange->outcome = VAULT_OK;
    exchange->status = status;
    assert_int_equal(vault_buffer_text(&exchange->answer, body), VAULT_OK);
}

static void test_read(void **state)
{
    static const struct {
        const char *body;
        const char *payload;
        size_t length;
        bool binary;
        const char *version_id;
        const char *arn;
    } rows[] = {
        {"{\"ARN\":\"" ARN "\",\"CreatedDate\":1.5E9,\"Name\":\"db\",\"SecretString\":"
         "\"{\\\"user\\\":\\\"john\\\"}\",\"VersionId\":\"" UUID
         "\",\"VersionStages\":[\"AWSCURRENT\"]}",
         "{\"user\":\"john\"}", 15, false, UUID, ARN},
        {"{\"SecretString\":\"x\"}", "x", 1, false, "", ""},
        {"{\"SecretString\":\"\"}", "", 0, false, "", ""},
        {"{\"SecretString\":\"a\\u0000b\\n\"}", "a\0b\n", 4, false, "", ""},
        {"{\"SecretString\":\"\xc3\xa9\\ud83d\\ude00\"}", "\xc3\xa9\xf0\x9f\x98\x80", 6, false, "",
         ""},
        {"{\"SecretBinary\":\"AAH/\"}", "\0\x01\xff", 3, true, "", ""},
        {"{\"SecretBinary\":\"\\u0041AH\\/\"}", "\0\x01\xff", 3, true, "", ""},
        {"{\"SecretBinary\":\"\"}", "", 0, true, "", ""},
        {"{\"SecretString\":null,\"SecretBinary\":\"AAH/\",\"ARN\":null}", "\0\x01\xff", 3, true,
         "", ""},
        {"{\"SecretString\":\"x\",\"SecretBinary\":null}", "x", 1, false, "", ""},
        {"{\"SecretBinary\":\"AAH/\",\"SecretString\":\"x\"}", "x", 1, false, "", ""},
        {"{\"SecretString\":\"x\",\"ARN\":\"arn:a\\/b\"}", "x", 1, false, "", "arn:a/b"},
    };
    struct vault_secret secret;

    (void)state;
    vault_secret_init(&secret);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct vault_exchange exchange;
        struct vault_message why;

        answer(&exchange, 200, rows[i].body);
        assert_int_equal(vault_secretsmanager_read_value(&exchange, &secret, &why), VAULT_OK);
        assert_int_equal(secret.payload.length, rows[i].length);
        assert_memory_equal(secret.payload.data, rows[i].payload, rows[i].length + 1);
        assert_int_equal(secret.binary, rows[i].binary);
        assert_string_equal(secret.version_id.data, rows[i].version_id);
        assert_string_equal(secret.arn.data, rows[i].arn);
        assert_string_equal(why.text, "");
        vault_exchange_free(&exchange);
    }
    vault_secret_free(&secret);
    assert_null(secret.payload.data);
    assert_null(secret.arn.data);
}

/* A secret that must be as it was after a failure. */
static void plant(struct vault_secret *secret)
{
    vault_secret_init(secret);
    assert_int_equal(vault_buffer_text(&secret->payload, "before"), VAULT_OK);
    assert_int_equal(vault_buffer_text(&secret->version_id, "v1"), VAULT_OK);
    assert_int_equal(vault_buffer_text(&secret->arn, "arn:before"), VAULT_OK);
}

static void assert_as_planted(const struct vault_secret *secret)
{
    assert_string_equal(secret->payload.data, "before");
    assert_string_equal(secret->version_id.data, "v1");
    assert_string_equal(secret->arn.data, "arn:before");
    assert_false(secret->binary);
}

static void check_failure(int http, const char *body, enum vault_status status, const char *said)
{
    struct vault_exchange exchange;
    struct vault_secret secret;
    struct vault_message why;

    plant(&secret);
    answer(&exchange, http, body);
    assert_int_equal(vault_secretsmanager_read_value(&exchange, &secret, &why), status);
    assert_as_planted(&secret);
    assert_string_equal(why.text, said);
    assert_null(strstr(why.text, CANARY));
    vault_secret_free(&secret);
    vault_exchange_free(&exchange);
}

static void test_bad_responses(void **state)
{
    static const char absent[] = "HTTP 200: SecretString and SecretBinary are both absent";
    static const char other[] = "HTTP 200: SecretString or SecretBinary is not a string";
    static const char word[] = "HTTP 200: VersionId or ARN is malformed";
    static const struct {
        const char *body;
        const char *why;
    } rows[] = {
        {"{}", absent},
        {"{\"SecretString\":null,\"SecretBinary\":null}", absent},
        {"{\"secretstring\":\"" CANARY "\"}", absent},
        {"{\"a\":{\"SecretString\":\"" CANARY "\"}}", absent},
        {"{\"SecretString\":[\"" CANARY "\"]}", other},
        {"{\"SecretString\":{\"a\":\"" CANARY "\"}}", other},
        {"{\"SecretString\":7}", other},
        {"{\"SecretBinary\":true}", other},
        {"{\"SecretBinary\":\"" CANARY "\"}", "HTTP 200: SecretBinary is not base64"},
        {"{\"SecretBinary\":\"AAH\"}", "HTTP 200: SecretBinary is not base64"},
        {"", "HTTP 200: the text is not JSON, at byte 1"},
        {"<html>" CANARY "</html>", "HTTP 200: the text is not JSON, at byte 1"},
        {CANARY, "HTTP 200: the text is not JSON, at byte 1"},
        {"\"" CANARY "\"", "HTTP 200: the text is not a JSON object, at byte 1"},
        {"[\"" CANARY "\"]", "HTTP 200: the text is not a JSON object, at byte 1"},
        {"{\"SecretString\":\"" CANARY, "HTTP 200: the text is not JSON, at byte 32"},
        {"{\"SecretString\":\"" CANARY "\"", "HTTP 200: the text is not JSON, at byte 33"},
        {"{\"SecretString\":\"" CANARY "\\x\"}",
         "HTTP 200: a JSON string holds a malformed escape, at byte 32"},
        {"{\"SecretString\":\"" CANARY "\\ud800\"}",
         "HTTP 200: a JSON string holds half of a surrogate pair, at byte 32"},
        {"{\"SecretString\":\"" CANARY "\xff\"}", "HTTP 200: the text is not UTF-8, at byte 32"},
        {"{\"SecretString\":\"" CANARY "\"} " CANARY,
         "HTTP 200: bytes follow the JSON value, at byte 35"},
        {"{\"SecretString\":\"1\",\"SecretString\":\"" CANARY "\"}",
         "HTTP 200: the JSON object has the key twice, at byte 21"},
        {"{\"SecretString\":\"" CANARY "\",\"VersionId\":7}", word},
        {"{\"SecretString\":\"" CANARY "\",\"VersionId\":\"a b\"}", word},
        {"{\"SecretString\":\"" CANARY "\",\"VersionId\":\"a\\u0000\"}", word},
        {"{\"SecretString\":\"" CANARY "\",\"ARN\":\"a\\nb\"}", word},
        {"{\"SecretString\":\"" CANARY "\",\"ARN\":\"\xc3\xa9\"}", word},
        {"{\"SecretString\":\"" CANARY "\",\"VersionId\":\"" UUID UUID "\"}", word},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check_failure(200, rows[i].body, VAULT_BAD_RESPONSE, rows[i].why);
}

static void test_refusals(void **state)
{
    (void)state;
    check_failure(400, "{\"__type\":\"ResourceNotFoundException\",\"Message\":\"none\"}",
                  VAULT_NOT_FOUND, "ResourceNotFoundException: none");
    check_failure(400, "{\"SecretString\":\"" CANARY "\"}", VAULT_REJECTED, "HTTP 400");
    check_failure(502, "<html>" CANARY "</html>", VAULT_SERVER_ERROR, "HTTP 502");
    check_failure(201, "{\"SecretString\":\"" CANARY "\"}", VAULT_BAD_RESPONSE, "HTTP 201");
    check_failure(204, "", VAULT_BAD_RESPONSE, "HTTP 204");
    check_failure(307, "", VAULT_BAD_RESPONSE, "HTTP 307");
}

/* `count` times `unit` as the value of `name`. */
static enum vault_status read_large(const char *name, const char *unit, size_t count,
                                    struct vault_secret *secret)
{
    struct vault_exchange exchange;
    struct vault_message why;

    answer(&exchange, 200, "{\"");
    assert_int_equal(vault_buffer_text(&exchange.answer, name), VAULT_OK);
    assert_int_equal(vault_buffer_text(&exchange.answer, "\":\""), VAULT_OK);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(vault_buffer_text(&exchange.answer, unit), VAULT_OK);
    assert_int_equal(vault_buffer_text(&exchange.answer, "\"}"), VAULT_OK);
    enum vault_status status = vault_secretsmanager_read_value(&exchange, secret, &why);
    assert_string_equal(
        why.text, status == VAULT_TOO_LARGE ? "HTTP 200: the secret is over 65536 bytes" : "");
    vault_exchange_free(&exchange);
    return status;
}

static void test_limits(void **state)
{
    struct vault_secret secret;

    (void)state;
    vault_secret_init(&secret);
    assert_int_equal(read_large("SecretString", "x", 65536, &secret), VAULT_OK);
    assert_int_equal(secret.payload.length, 65536);
    assert_int_equal(read_large("SecretString", "\\u0001", 65536, &secret), VAULT_OK);
    assert_int_equal(secret.payload.length, 65536);
    assert_int_equal(read_large("SecretString", "x", 65537, &secret), VAULT_TOO_LARGE);
    assert_int_equal(read_large("SecretString", "\\u0001", 65537, &secret), VAULT_TOO_LARGE);
    assert_int_equal(secret.payload.length, 65536);
    assert_int_equal(read_large("SecretBinary", "AAAA", 21845, &secret), VAULT_OK);
    assert_int_equal(secret.payload.length, 65535);
    assert_int_equal(read_large("SecretBinary", "AAAA", 21846, &secret), VAULT_TOO_LARGE);
    assert_int_equal(read_large("SecretBinary", "AAAA", 21847, &secret), VAULT_TOO_LARGE);
    vault_secret_free(&secret);
}

static void test_ask_allocations(void **state)
{
    struct vault_exchange exchange;
    enum vault_status status = VAULT_NO_MEMORY;
    unsigned long nth;

    (void)state;
    vault_exchange_init(&exchange);
    for (nth = 1; status == VAULT_NO_MEMORY; nth++) {
        assert_null(exchange.headers.data);
        assert_null(exchange.body.data);
        assert_string_equal(exchange.method, "GET");
        (void)vault_alloc_fail(nth);
        status = ask(&exchange, "db", NULL);
    }
    (void)vault_alloc_fail(0);
    assert_int_equal(status, VAULT_OK);
    assert_true(nth > 2);
    vault_exchange_free(&exchange);
}

static void check_read_allocations(const char *body)
{
    struct vault_exchange exchange;
    struct vault_secret secret;
    struct vault_message why;
    enum vault_status status = VAULT_NO_MEMORY;
    unsigned long nth;

    plant(&secret);
    answer(&exchange, 200, body);
    for (nth = 1; status == VAULT_NO_MEMORY; nth++) {
        assert_as_planted(&secret);
        (void)vault_alloc_fail(nth);
        status = vault_secretsmanager_read_value(&exchange, &secret, &why);
    }
    (void)vault_alloc_fail(0);
    assert_int_equal(status, VAULT_OK);
    assert_string_equal(secret.version_id.data, "v2");
    assert_true(nth > 3);
    vault_secret_free(&secret);
    vault_exchange_free(&exchange);
}

static void test_read_allocations(void **state)
{
    (void)state;
    check_read_allocations("{\"SecretString\":\"x\",\"VersionId\":\"v2\",\"ARN\":\"a\"}");
    check_read_allocations("{\"SecretBinary\":\"AAH/\",\"VersionId\":\"v2\",\"ARN\":\"a\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ask),
        cmocka_unit_test(test_ask_refuses),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_bad_responses),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_ask_allocations),
        cmocka_unit_test(test_read_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
