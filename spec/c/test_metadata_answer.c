/* test_metadata_answer - what metadata_answer.h promises, row by row.
 *
 * For:   whole answers, every field missing or malformed, refusals in a 200; the classes of HTTP
 *        statuses.
 * Never: which service it was.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metadata_answer.h"

#define ID      "\"AccessKeyId\":\"AKIDCANARY\""
#define SECRET  "\"SecretAccessKey\":\"secretCANARY\\/+=\""
#define TOKEN   "\"Token\":\"tokenCANARY==\""
#define EXPIRES "\"Expiration\":\"2023-11-14T22:13:20Z\""
#define ALL     ID "," SECRET "," TOKEN "," EXPIRES

static void answer_with(struct vault_exchange *exchange, const char *body)
{
    vault_exchange_init(exchange);
    exchange->outcome = VAULT_OK;
    exchange->status = 200;
    assert_int_equal(vault_buffer_text(&exchange->answer, body), VAULT_OK);
}

static void test_classify(void **state)
{
    static const struct {
        int http;
        enum vault_status status;
    } rows[] = {
        {100, VAULT_BAD_RESPONSE},        {204, VAULT_BAD_RESPONSE},
        {302, VAULT_BAD_RESPONSE},        {400, VAULT_CREDENTIALS_REFUSED},
        {401, VAULT_CREDENTIALS_REFUSED}, {404, VAULT_CREDENTIALS_REFUSED},
        {408, VAULT_SERVER_ERROR},        {429, VAULT_THROTTLED},
        {499, VAULT_CREDENTIALS_REFUSED}, {500, VAULT_SERVER_ERROR},
        {503, VAULT_SERVER_ERROR},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(vault_metadata_classify(rows[i].http), rows[i].status);
}

static void test_read(void **state)
{
    static const char *const bodies[] = {
        "{" ALL "}",
        "{\"Code\":\"Success\",\"LastUpdated\":\"x\",\"Type\":\"AWS-HMAC\"," ALL "}",
        "{\"RoleArn\":\"TASK\",\"AccountId\":\"1\",\"Code\":null,\"Message\":7," ALL "}",
        " {" EXPIRES " ,\n" TOKEN "," SECRET ",\"\\u0041ccessKeyId\":\"AKIDCANARY\"} \n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct vault_credential credential = {0};
        struct vault_exchange exchange;
        struct vault_message why = {0};

        answer_with(&exchange, bodies[i]);
        assert_int_equal(vault_metadata_read(&exchange, "here", &credential, &why), VAULT_OK);
        assert_string_equal(credential.access_key_id, "AKIDCANARY");
        assert_string_equal(credential.secret_access_key, "secretCANARY/+=");
        assert_string_equal(credential.session_token, "tokenCANARY==");
        assert_string_equal(credential.source, "here");
        assert_int_equal(credential.expires, 1700000000);
        assert_int_equal(why.length, 0);
        vault_credential_clear(&credential);
        vault_exchange_free(&exchange);
    }
}

static void check_refused(const char *headers, const char *body, enum vault_status status,
                          const char *said)
{
    struct vault_credential credential = {0};
    struct vault_exchange exchange;
    struct vault_message why = {0};

    assert_int_equal(vault_credential_set(&credential, "x", "y", "z", "old", &why), VAULT_OK);
    answer_with(&exchange, body);
    if (headers)
        assert_int_equal(vault_buffer_text(&exchange.headers, headers), VAULT_OK);
    assert_int_equal(vault_metadata_read(&exchange, "here", &credential, &why), status);
    assert_string_equal(why.text, said);
    assert_null(strstr(why.text, "CANARY"));
    assert_string_equal(credential.access_key_id, "x");
    assert_string_equal(credential.source, "old");
    vault_credential_clear(&credential);
    vault_exchange_free(&exchange);
}

static void test_bad_answers(void **state)
{
    static const struct {
        const char *body;
        const char *says;
    } rows[] = {
        {"{}", "AccessKeyId is absent or empty"},
        {"{" SECRET "," TOKEN "," EXPIRES "}", "AccessKeyId is absent or empty"},
        {"{" ID "," TOKEN "," EXPIRES "}", "SecretAccessKey is absent or empty"},
        {"{" ID "," SECRET "," EXPIRES "}", "Token is absent or empty"},
        {"{" ID "," SECRET "," TOKEN "}", "Expiration is absent or empty"},
        {"{\"AccessKeyId\":\"\"," SECRET "," TOKEN "," EXPIRES "}",
         "AccessKeyId is absent or empty"},
        {"{" ID "," SECRET ",\"Token\":null," EXPIRES "}", "Token is absent or empty"},
        {"{" ID ",\"SecretAccessKey\":[\"CANARY\"]," TOKEN "," EXPIRES "}",
         "SecretAccessKey is not a string"},
        {"{" ID "," SECRET "," TOKEN ",\"Expiration\":1700000000}", "Expiration is not a string"},
        {"{" ID "," SECRET "," TOKEN ",\"Expiration\":\"CANARY\"}", "Expiration is not a time"},
        {"{" ID "," SECRET "," TOKEN ",\"Expiration\":\"2023-11-14T22:13:20Z \"}",
         "Expiration is not a time"},
        {"{" ID "," SECRET ",\"Token\":\"a\\u0000CANARY\"," EXPIRES "}", "Token holds a NUL"},
        {"{" ID "," SECRET ",\"Token\":\"a\\r\\nX-Evil: CANARY\"," EXPIRES "}",
         "the session token holds white space or a byte that is not printable ASCII"},
        {"{" ID ",\"SecretAccessKey\":\"CANARY \"," TOKEN "," EXPIRES "}",
         "the secret access key holds white space or a byte that is not printable ASCII"},
        {"", "the text is not JSON, at byte 1"},
        {"<html>CANARY</html>", "the text is not JSON, at byte 1"},
        {"\"CANARY\"", "the text is not a JSON object, at byte 1"},
        {"{" ALL "}CANARY", "bytes follow the JSON value, at byte 126"},
        {"{" TOKEN "," ALL "}", "the JSON object has the key twice, at byte 90"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char said[256];

        snprintf(said, sizeof said, "HTTP 200: %s", rows[i].says);
        check_refused(NULL, rows[i].body, VAULT_BAD_RESPONSE, said);
    }
}

static void test_long_parts(void **state)
{
    static const struct {
        const char *before, *after;
        size_t length;
        const char *says;
    } rows[] = {
        {"{" ID "," SECRET "," EXPIRES ",\"Token\":\"", "\"}", 16385,
         "HTTP 200: Token is too long"},
        {"{" ID "," TOKEN "," EXPIRES ",\"SecretAccessKey\":\"", "\"}", 4097,
         "HTTP 200: the secret access key is over 4096 bytes"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *body = calloc(1, rows[i].length + 512);

        strcpy(body, rows[i].before);
        memset(body + strlen(body), 'k', rows[i].length);
        strcat(body, rows[i].after);
        check_refused(NULL, body, VAULT_BAD_RESPONSE, rows[i].says);
        free(body);
    }
}

static void test_refusals(void **state)
{
    static const char bare[] = "HTTP 200: Code is not Success";
    static const struct {
        const char *headers, *body, *says;
    } rows[] = {
        {NULL, "{\"Code\":\"Failed\"}", "HTTP 200: Code is not Success: Failed"},
        {NULL, "{\"Code\":\"Failed\",\"Message\":\"no\\ntrust\",\"Token\":\"CANARY\"}",
         "HTTP 200: Code is not Success: Failed: no\\x0Atrust"},
        {NULL, "{\"Code\":\"success\"," ALL "}", "HTTP 200: Code is not Success: success"},
        {NULL, "{\"Code\":7," ALL "}", bare},
        {NULL, "{\"Code\":\"\"," ALL "}", bare},
        {NULL, "{\"Code\":\"Failed\",\"Message\":[\"CANARY\"]}",
         "HTTP 200: Code is not Success: Failed"},
        {"Accept: */*\r\nAuthorization: tokenCANARYtokenCANARY\r\n",
         "{\"Code\":\"Failed\",\"Message\":\"you sent tokenCANARYtokenCANARY\"}",
         "HTTP 200: Code is not Success: Failed"},
        {"X-aws-ec2-metadata-token: tokenCANARYtokenCANARY\r\n",
         "{\"Code\":\"tokenCANARYtoken\",\"Message\":\"no\"}", bare},
        {"Authorization: CANARY\r\n", "{\"Code\":\"Failed\",\"Message\":\"CANARY\"}",
         "HTTP 200: Code is not Success: Failed"},
        {"Authorization: \r\nAccept: no\r\n", "{\"Code\":\"Failed\",\"Message\":\"no\"}",
         "HTTP 200: Code is not Success: Failed: no"},
    };
    char body[2048] = "{\"Code\":\"Failed\",\"Message\":\"", said[512];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_refused(rows[i].headers, rows[i].body, VAULT_CREDENTIALS_REFUSED, rows[i].says);

    memset(body + strlen(body), 'm', 1000);
    strcat(body, "\"}");
    snprintf(said, sizeof said, "%s: Failed: ", bare);
    memset(said + strlen(said), 'm', 256);
    strcat(said, "...");
    check_refused(NULL, body, VAULT_CREDENTIALS_REFUSED, said);
}

static void test_no_memory(void **state)
{
    static const struct {
        const char *body;
        enum vault_status status;
    } rows[] = {
        {"{" ALL "}", VAULT_OK},
        {"{\"Code\":\"Failed\",\"Message\":\"no\"}", VAULT_CREDENTIALS_REFUSED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vault_credential credential = {0};
        struct vault_exchange exchange;
        enum vault_status status;
        unsigned long nth = 0;

        answer_with(&exchange, rows[i].body);
        do {
            struct vault_message why = {0};

            vault_alloc_fail(++nth);
            status = vault_metadata_read(&exchange, "here", &credential, &why);
            vault_alloc_fail(0);
            if (status == VAULT_NO_MEMORY)
                assert_null(credential.access_key_id);
        } while (status == VAULT_NO_MEMORY);
        assert_int_equal(status, rows[i].status);
        assert_true(nth > 2);
        vault_credential_clear(&credential);
        vault_exchange_free(&exchange);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classify),    cmocka_unit_test(test_read),
        cmocka_unit_test(test_bad_answers), cmocka_unit_test(test_long_parts),
        cmocka_unit_test(test_refusals),    cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
