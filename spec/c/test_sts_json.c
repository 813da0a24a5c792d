/* test_sts_json - the JSON form of an answer of AWS's Security Token Service.
 *
 * For:   vault_sts_json_read: which texts it finds, its numbers, what it refuses, lost memory.
 * Never: the rules of JSON one by one (test_json_extract).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sts_json.h"
#include "vectors.h"

#define KEYS                                                                                       \
    "\"AccessKeyId\":\"ASIACANARY\",\"SecretAccessKey\":\"keyCANARY\\/+=\","                       \
    "\"SessionToken\":\"token\\u0043ANARY==\""
#define ROLE(credentials)                                                                          \
    "{\"AssumeRoleResponse\":{\"AssumeRoleResult\":{\"Credentials\":" credentials "}}}"
#define WITH(expiration) ROLE("{" KEYS ",\"Expiration\":" expiration "}")
#define GOOD             WITH("1.7953596E9")
#define EXPIRES          1795359600

static enum vault_status read_bytes_of(const char *text, size_t length,
                                       struct vault_sts_answer *answer, struct vault_message *why)
{
    struct fenced fenced;
    enum vault_status status;

    vault_sts_answer_init(answer);
    vault_message_clear(why);
    fence(&fenced, text, length);
    status = vault_sts_json_read(fenced.text, length, answer, why);
    unfence(&fenced);
    assert_null(strstr(why->text, "CANARY"));
    return status;
}

static enum vault_status read_text(const char *text, struct vault_sts_answer *answer,
                                   struct vault_message *why)
{
    return read_bytes_of(text, strlen(text), answer, why);
}

static void expect_text(const struct vault_buffer *text, const char *expected)
{
    if (!expected) {
        assert_int_equal(text->length, 0);
        return;
    }
    assert_non_null(text->data);
    assert_string_equal(text->data, expected);
    assert_int_equal(text->length, strlen(expected));
}

static void test_credentials(void **state)
{
    static const char *const rows[] = {
        GOOD,
        WITH("1795359600"),
        WITH("\"2026-11-22T15:00:00Z\""),
        " {\"Error\":null,\"Error2\":1,\n\"AssumeRoleResponse\":{\"AssumeRoleResult\":{"
        "\"Credentials\":"
        "{\"More\":[1]," KEYS ",\"Expiration\":1795359600}}}}\n",
        "{\"AssumeRoleWithWebIdentityResponse\":{\"AssumeRoleWithWebIdentityResult\":{"
        "\"Audience\":\"sts.amazonaws.com\",\"Credentials\":{\"Expiration\":1.7953596E9," KEYS
        "},\"PackedPolicySize\":null},\"ResponseMetadata\":{\"RequestId\":\"1\"}}}",
        "{\"AssumeRoleResponse\":null,\"AssumeRoleWithWebIdentityResponse\":"
        "{\"AssumeRoleWithWebIdentityResult\":{\"Credentials\":{" KEYS
        ",\"Expiration\":1795359600.9}}}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct vault_sts_answer answer;
        struct vault_message why;

        if (read_text(rows[i], &answer, &why) != VAULT_OK)
            fail_msg("row %zu: %s", i, why.text);
        assert_int_equal(why.length, 0);
        expect_text(&answer.access_key_id, "ASIACANARY");
        expect_text(&answer.secret_access_key, "keyCANARY/+=");
        expect_text(&answer.session_token, "tokenCANARY==");
        expect_text(&answer.code, NULL);
        assert_int_equal(answer.expires, EXPIRES);
        vault_sts_answer_free(&answer);
    }
}

static void test_expirations(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds; /* -1: refused */
    } rows[] = {
        {"1795359600", 1795359600},
        {"1795359600.0", 1795359600},
        {"1795359600.999999999999", 1795359600},
        {"1.7953596E9", 1795359600},
        {"1.7953596e+9", 1795359600},
        {"1.7953596004999E9", 1795359600},
        {"17953596e2", 1795359600},
        {"17953596000E-1", 1795359600},
        {"17953596009e-1", 1795359600},
        {"0.17953596E10", 1795359600},
        {"0.0017953596E12", 1795359600},
        {"1795359600.5e0", 1795359600},
        {"1795359600.57e1", 17953596005},
        {"253402300799", 253402300799},
        {"253402300799.9", 253402300799},
        {"253402300800", -1},
        {"2.534023008E11", -1},
        {"1e12", -1},
        {"1e300", -1},
        {"1e99999999999999999999", -1},
        {"18446744073709551617", -1},
        {"99999999999999999999999999999999999999999", -1},
        {"-1", -1},
        {"-1795359600", -1},
        {"-0.5", -1},
        {"-0", -1},
        {"0", 0},
        {"0.9", 0},
        {"0e999999999999", 0},
        {"0.000e99", 0},
        {"1795359600e-99", 0},
        {"1795359600e-99999999999999999999", 0},
        {"null", 0},
        {"\"\"", 0},
        {"\"2026-11-22T15:00:00.5Z\"", 1795359600},
        {"\"2026-11-22T16:00:00+01:00\"", 1795359600},
        {"\"1795359600\"", -1},
        {"\"CANARY\"", -1},
        {"true", -1},
        {"[1795359600]", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct vault_sts_answer answer;
        struct vault_message why;
        enum vault_status status;
        char text[512];

        (void)snprintf(text, sizeof text, "%s%s}}}}",
                       "{\"AssumeRoleResponse\":{\"AssumeRoleResult\":{\"Credentials\":"
                       "{\"Expiration\":",
                       rows[i].text);
        status = read_text(text, &answer, &why);
        if (status != (rows[i].seconds < 0 ? VAULT_BAD_RESPONSE : VAULT_OK))
            fail_msg("%s: %s", rows[i].text, vault_status_row(status)->word);
        if (status == VAULT_OK && answer.expires != rows[i].seconds)
            fail_msg("%s: %lld", rows[i].text, (long long)answer.expires);
        vault_sts_answer_free(&answer);
    }
}

static void test_other_objects(void **state)
{
    static const struct {
        const char *text;
        const char *code;
        const char *message;
    } rows[] = {
        {"{\"Error\":{\"Code\":\"ExpiredTokenException\",\"Message\":\"Token \\u0026 so on\","
         "\"Type\":\"Sender\"},\"RequestId\":\"1\"}",
         "ExpiredTokenException", "Token & so on"},
        {"{\"Error\":{\"Code\":\"A\"}}", "A", NULL},
        {"{\"Error\":{\"Message\":\"m\",\"Code\":null}}", NULL, "m"},
        {"{\"Error\":{}}", NULL, NULL},
        {"{\"Error\":{\"Code\":\"A\"},\"AssumeRoleResponse\":7}", "A", NULL},
        {"{}", NULL, NULL},
        {"{\"Code\":\"A\",\"Credentials\":{" KEYS "}}", NULL, NULL},
        {ROLE("{}"), NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct vault_sts_answer answer;
        struct vault_message why;

        if (read_text(rows[i].text, &answer, &why) != VAULT_OK)
            fail_msg("row %zu: %s", i, why.text);
        expect_text(&answer.access_key_id, NULL);
        expect_text(&answer.code, rows[i].code);
        expect_text(&answer.message, rows[i].message);
        assert_int_equal(answer.expires, 0);
        vault_sts_answer_free(&answer);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *text;
        const char *fault;
    } rows[] = {
        {"", "JSON: the text is not JSON, at byte 1"},
        {"{", "the text is not JSON"},
        {"[\"CANARY\"]", "not a JSON object"},
        {"\"CANARY\"", "not a JSON object"},
        {GOOD "CANARY", "bytes follow"},
        {"{\"Error\":{},\"Error\":{\"CANARY\":1}}", "key twice"},
        {"{\"Error\":\"CANARY\"}", "JSON: Error is not an object"},
        {"{\"Error\":{\"Code\":[\"CANARY\"]}}", "JSON: Code is not a string"},
        {"{\"Error\":{\"Code\":\"A\",\"Message\":7}}", "JSON: Message is not a string"},
        {"{\"AssumeRoleResponse\":\"CANARY\"}", "AssumeRoleResponse is not an object"},
        {"{\"AssumeRoleResponse\":{}}", "AssumeRoleResult is not an object"},
        {"{\"AssumeRoleResponse\":{\"AssumeRoleResult\":[\"CANARY\"]}}",
         "AssumeRoleResult is not an object"},
        {"{\"AssumeRoleResponse\":{\"AssumeRoleResult\":{}}}", "Credentials is not an object"},
        {"{\"AssumeRoleWithWebIdentityResponse\":{\"AssumeRoleResult\":{\"Credentials\":{}}}}",
         "AssumeRoleWithWebIdentityResult is not an object"},
        {ROLE("\"CANARY\""), "Credentials is not an object"},
        {ROLE("{\"SecretAccessKey\":12345}"), "SecretAccessKey is not a string"},
        {ROLE("{\"SecretAccessKey\":\"CANARY\\u0000x\"}"), "SecretAccessKey holds a NUL"},
        {ROLE("{\"AccessKeyId\":{\"CANARY\":1}}"), "AccessKeyId is not a string"},
        {ROLE("{\"SessionToken\":\"CANARY\",\"SessionToken\":\"CANARY\"}"), "key twice"},
        {ROLE("{\"Expiration\":\"CANARY\"}"), "Expiration is no moment of ISO 8601"},
        {ROLE("{\"Expiration\":1e99}"), "JSON: Expiration is no moment"},
        {ROLE("{\"Expiration\":{}}"), "Expiration is not a string"},
        {"<a/>", "the text is not JSON"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct vault_sts_answer answer;
        struct vault_message why;

        assert_int_equal(read_text(rows[i].text, &answer, &why), VAULT_BAD_RESPONSE);
        if (!strstr(why.text, rows[i].fault))
            fail_msg("row %zu: %s", i, why.text);
        vault_sts_answer_free(&answer);
    }
}

static void test_every_beginning(void **state)
{
    struct vault_sts_answer answer;
    struct vault_message why;

    (void)state;
    for (size_t length = 0; length < strlen(GOOD); length++) {
        assert_int_equal(read_bytes_of(GOOD, length, &answer, &why), VAULT_BAD_RESPONSE);
        vault_sts_answer_free(&answer);
    }
}

static void test_long_text(void **state)
{
    static const char front[] = "{\"Error\":{\"Code\":\"";

    (void)state;
    for (size_t over = 0; over < 2; over++) {
        size_t length = VAULT_STS_TEXT_MAX + over;
        char *text = calloc(1, strlen(front) + length + 8);
        struct vault_sts_answer answer;
        struct vault_message why;

        (void)strcpy(text, front);
        memset(text + strlen(front), 'x', length);
        (void)strcat(text, "\"}}");
        assert_int_equal(read_text(text, &answer, &why), over ? VAULT_BAD_RESPONSE : VAULT_OK);
        assert_int_equal(over ? 0 : length, answer.code.length);
        assert_string_equal(why.text, over ? "JSON: Code is too long" : "");
        vault_sts_answer_free(&answer);
        free(text);
    }
}

static void test_allocations(void **state)
{
    static const char text[] = WITH("\"2026-11-22T15:00:00Z\"");
    enum vault_status status = VAULT_NO_MEMORY;
    struct vault_sts_answer answer;
    struct vault_message why = {0};
    unsigned long nth;

    (void)state;
    for (nth = 1; status == VAULT_NO_MEMORY; nth++) {
        vault_sts_answer_init(&answer);
        (void)vault_alloc_fail(nth);
        status = vault_sts_json_read(text, strlen(text), &answer, &why);
        (void)vault_alloc_fail(0);
        assert_int_equal(why.length, 0);
        if (status == VAULT_NO_MEMORY)
            vault_sts_answer_free(&answer);
    }
    assert_int_equal(status, VAULT_OK);
    assert_true(nth > 4);
    assert_int_equal(answer.expires, EXPIRES);
    vault_sts_answer_free(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_credentials),     cmocka_unit_test(test_expirations),
        cmocka_unit_test(test_other_objects),   cmocka_unit_test(test_refused),
        cmocka_unit_test(test_every_beginning), cmocka_unit_test(test_long_text),
        cmocka_unit_test(test_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
