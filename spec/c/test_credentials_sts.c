/* test_credentials_sts - the two calls of AWS's Security Token Service: what is asked.
 *
 * For:   requests byte by byte; what is refused before any call; that no message shows what it is
 *        about; lost memory.
 * Never: answers (test_credentials_sts_read).
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

static void test_ask_role(void **state)
{
    static const struct {
        struct vault_sts_role role;
        const char *body;
    } rows[] = {
        {{ARN, "KongVault", NULL, 0},
         "Action=AssumeRole&Version=2011-06-15&RoleArn="
         "arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Freader&RoleSessionName=KongVault"},
        {{ARN, "a_+=,.@-Z9", "x_+=,.@:/-y", 900},
         "Action=AssumeRole&Version=2011-06-15&RoleArn="
         "arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Freader&RoleSessionName=a_%2B%3D%2C.%40-Z9"
         "&DurationSeconds=900&ExternalId=x_%2B%3D%2C.%40%3A%2F-y"},
        {{"arn:aws:iam::1:role/!~&=%", "ab", NULL, 43200},
         "Action=AssumeRole&Version=2011-06-15&RoleArn="
         "arn%3Aaws%3Aiam%3A%3A1%3Arole%2F%21~%26%3D%25&RoleSessionName=ab"
         "&DurationSeconds=43200"},
    };
    struct vault_exchange exchange;
    struct vault_message why = {0};

    (void)state;
    vault_exchange_init(&exchange);
    assert_int_equal(vault_buffer_text(&exchange.url, "https://host/"), VAULT_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(vault_sts_ask_role(&exchange, &rows[i].role, &why), VAULT_OK);
        assert_string_equal(exchange.method, "POST");
        assert_string_equal(exchange.url.data, "https://host/");
        assert_string_equal(exchange.headers.data, "Content-Type: application/x-www-form-urlencoded"
                                                   "; charset=utf-8\r\n");
        assert_string_equal(exchange.body.data, rows[i].body);
        assert_int_equal(exchange.body.length, strlen(rows[i].body));
        assert_int_equal(why.length, 0);
    }
    assert_string_equal(vault_sts_service, "sts");
    vault_exchange_free(&exchange);
}

static void test_ask_web_identity(void **state)
{
    static const char front[] =
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn="
        "arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Freader&RoleSessionName=s.1"
        "&DurationSeconds=3600&WebIdentityToken=";
    static const struct vault_sts_role role = {ARN, "s.1", "not-sent", 3600};
    static const struct {
        const char *token;
        size_t length;
        const char *encoded;
    } rows[] = {
        {TOKEN, sizeof TOKEN - 1, TOKEN},
        {"a|b c\n", 6, "a%7Cb%20c%0A"},
        {"\0\x7f\xff~", 4, "%00%7F%FF~"},
        {"+/=%&;-_.", 9, "%2B%2F%3D%25%26%3B-_."},
    };
    struct vault_exchange exchange;
    struct vault_message why = {0};

    (void)state;
    vault_exchange_init(&exchange);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(
            vault_sts_ask_web_identity(&exchange, &role, rows[i].token, rows[i].length, &why),
            VAULT_OK);
        assert_memory_equal(exchange.body.data, front, strlen(front));
        assert_string_equal(exchange.body.data + strlen(front), rows[i].encoded);
    }
    vault_exchange_free(&exchange);
}

/* Every byte, against a plain reading of RFC 3986. */
static void test_encoding(void **state)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    static const struct vault_sts_role role = {ARN, "KongVault", NULL, 0};
    struct vault_exchange exchange;
    struct vault_message why = {0};

    (void)state;
    vault_exchange_init(&exchange);
    for (int byte = 0; byte < 256; byte++) {
        const char token[] = {'x', 'x', 'x', (char)byte};
        char expected[8];

        (void)snprintf(expected, sizeof expected,
                       byte && strchr(plain, byte) ? "xxx%c" : "xxx%%%02X", byte);
        assert_int_equal(vault_sts_ask_web_identity(&exchange, &role, token, 4, &why), VAULT_OK);
        assert_string_equal(strrchr(exchange.body.data, '=') + 1, expected);
    }
    vault_exchange_free(&exchange);
}

static char *repeat(char byte, size_t count)
{
    char *text = calloc(1, count + 1);

    memset(text, byte, count);
    return text;
}

static void test_ask_refuses(void **state)
{
    char *long_arn = repeat('x', 2049), *long_name = repeat('n', 65), *long_id = repeat('i', 1225);
    const struct {
        struct vault_sts_role role;
        const char *why;
    } rows[] = {
        {{NULL, "KongVault", NULL, 0}, "the role ARN is empty"},
        {{"", "KongVault", NULL, 0}, "the role ARN is empty"},
        {{"arn:aws:iam::1:role", "KongVault", NULL, 0}, "the role ARN is under 20 characters"},
        {{long_arn, "KongVault", NULL, 0}, "the role ARN is over 2048 characters"},
        {{"123456789012:role/canary", "KongVault", NULL, 0},
         "the role ARN does not start with arn:"},
        {{"arn:aws:iam::1:role/canary ", "KongVault", NULL, 0}, "the role ARN holds white space"},
        {{"arn:aws:iam::1:role/canary\r\nX: y", "KongVault", NULL, 0}, "the role ARN holds"},
        {{"arn:aws:iam::1:role/canary\xC3\xA9", "KongVault", NULL, 0}, "the role ARN holds"},
        {{ARN, NULL, NULL, 0}, "the role session name is empty"},
        {{ARN, "", NULL, 0}, "the role session name is empty"},
        {{ARN, "x", NULL, 0}, "the role session name is under 2 characters"},
        {{ARN, long_name, NULL, 0}, "the role session name is over 64 characters"},
        {{ARN, "my canary", NULL, 0},
         "the role session name holds a character that is not of A-Z a-z 0-9 _+=,.@-"},
        {{ARN, "canary/x", NULL, 0}, "the role session name holds"},
        {{ARN, "canary:x", NULL, 0}, "the role session name holds"},
        {{ARN, "canary\xC3\xA9", NULL, 0}, "the role session name holds"},
        {{ARN, "KongVault", "", 0}, "the external id is empty"},
        {{ARN, "KongVault", "x", 0}, "the external id is under 2 characters"},
        {{ARN, "KongVault", long_id, 0}, "the external id is over 1224 characters"},
        {{ARN, "KongVault", "canary&x", 0},
         "the external id holds a character that is not of A-Z a-z 0-9 _+=,.@:/-"},
        {{ARN, "KongVault", NULL, -1}, "is -1 seconds, not 900 to 43200"},
        {{ARN, "KongVault", NULL, 1}, "is 1 seconds"},
        {{ARN, "KongVault", NULL, 899}, "is 899 seconds"},
        {{ARN, "KongVault", NULL, 43201}, "is 43201 seconds"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct vault_exchange exchange;
        struct vault_message why = {0};

        vault_exchange_init(&exchange);
        assert_int_equal(vault_sts_ask_role(&exchange, &rows[i].role, &why), VAULT_BAD_CONFIG);
        if (!strstr(why.text, rows[i].why))
            fail_msg("row %zu: %s", i, why.text);
        assert_null(strstr(why.text, "canary"));
        vault_message_clear(&why);
        assert_int_equal(vault_sts_ask_web_identity(&exchange, &rows[i].role, TOKEN, 20, &why),
                         VAULT_BAD_CONFIG);
        assert_non_null(strstr(why.text, rows[i].why));
        assert_string_equal(exchange.method, "GET");
        assert_null(exchange.headers.data);
        assert_null(exchange.body.data);
        vault_exchange_free(&exchange);
    }
    free(long_arn);
    free(long_name);
    free(long_id);
}

static void test_ask_limits(void **state)
{
    char *arn = repeat('x', 2048), *name = repeat('n', 64), *id = repeat('i', 1224);
    char *token = repeat('t', 20001), *escaped = repeat('|', 20000);
    struct vault_sts_role role = {memcpy(arn, "arn:", 4), name, id, 43200};
    const struct {
        const char *token;
        size_t length;
        enum vault_status status;
        const char *why;
    } rows[] = {
        {token, 20000, VAULT_OK, ""},
        {escaped, 20000, VAULT_OK, ""},
        {token, 4, VAULT_OK, ""},
        {token, 20001, VAULT_BAD_CONFIG, "the web identity token is over 20000 characters"},
        {token, 3, VAULT_BAD_CONFIG, "the web identity token is under 4 characters"},
        {NULL, 0, VAULT_BAD_CONFIG, "the web identity token is empty"},
    };
    struct vault_exchange exchange;
    struct vault_message why = {0};

    (void)state;
    vault_exchange_init(&exchange);
    assert_int_equal(vault_sts_ask_role(&exchange, &role, &why), VAULT_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        vault_message_clear(&why);
        assert_int_equal(
            vault_sts_ask_web_identity(&exchange, &role, rows[i].token, rows[i].length, &why),
            rows[i].status);
        assert_string_equal(why.text, rows[i].why);
    }
    vault_exchange_free(&exchange);
    exchange.body.limit = 1000;
    assert_int_equal(vault_sts_ask_role(&exchange, &role, &why), VAULT_TOO_LARGE);
    assert_int_equal(vault_sts_ask_web_identity(&exchange, &role, token, 20000, &why),
                     VAULT_TOO_LARGE);
    assert_null(exchange.body.data);
    vault_exchange_free(&exchange);
    free(arn);
    free(name);
    free(id);
    free(token);
    free(escaped);
}

static void test_ask_allocations(void **state)
{
    static const struct vault_sts_role role = {ARN, "KongVault", "external", 900};
    struct vault_message why = {0};
    struct vault_exchange exchange;

    (void)state;
    for (int call = 0; call < 2; call++) {
        enum vault_status status = VAULT_NO_MEMORY;
        unsigned long nth;

        vault_exchange_init(&exchange);
        for (nth = 1; status == VAULT_NO_MEMORY; nth++) {
            assert_null(exchange.body.data);
            assert_null(exchange.headers.data);
            assert_string_equal(exchange.method, "GET");
            (void)vault_alloc_fail(nth);
            status = call ? vault_sts_ask_role(&exchange, &role, &why)
                          : vault_sts_ask_web_identity(&exchange, &role, TOKEN, 20, &why);
            (void)vault_alloc_fail(0);
        }
        assert_int_equal(status, VAULT_OK);
        assert_true(nth > 3);
        assert_int_equal(why.length, 0);
        vault_exchange_free(&exchange);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ask_role),   cmocka_unit_test(test_ask_web_identity),
        cmocka_unit_test(test_encoding),   cmocka_unit_test(test_ask_refuses),
        cmocka_unit_test(test_ask_limits), cmocka_unit_test(test_ask_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
