/* test_credential_json - a credential out of JSON members, and every way in which one is none.
 *
 * For:   what credential_json.h promises.
 * Never: whole answers (test_metadata_answer, test_credentials_sso).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "credential_json.h"

#define ID     "\"id\":\"AKIDCANARY\""
#define SECRET "\"secret\":\"secretCANARY\\/\""
#define TOKEN  "\"token\":\"tokenCANARY\""

static void find(const char *text, struct vault_json_member members[3])
{
    const struct vault_json_member wanted[] = {
        {.key = "id", .key_length = 2},
        {.key = "secret", .key_length = 6},
        {.key = "token", .key_length = 5},
    };

    memcpy(members, wanted, sizeof wanted);
    assert_int_equal(vault_json_members(text, strlen(text), members, 3, NULL), VAULT_OK);
}

static enum vault_status read_json(const char *text, size_t count,
                                   struct vault_credential *credential, struct vault_message *why)
{
    struct vault_json_member members[3];

    find(text, members);
    return vault_credential_json(members, count, "here", credential, why);
}

static void test_credential(void **state)
{
    (void)state;
    for (size_t count = 2; count <= 3; count++) {
        struct vault_credential credential = {0};
        struct vault_message why = {0};

        assert_int_equal(read_json("{" TOKEN "," ID "," SECRET "}", count, &credential, &why),
                         VAULT_OK);
        assert_string_equal(credential.access_key_id, "AKIDCANARY");
        assert_string_equal(credential.secret_access_key, "secretCANARY/");
        if (count == 3)
            assert_string_equal(credential.session_token, "tokenCANARY");
        else
            assert_null(credential.session_token);
        assert_string_equal(credential.source, "here");
        assert_int_equal(credential.expires, 0);
        assert_int_equal(why.length, 0);
        vault_credential_clear(&credential);
    }
}

static void test_refusals(void **state)
{
    static const struct {
        const char *text;
        const char *says;
    } rows[] = {
        {"{" SECRET "," TOKEN "}", "id is absent or empty"},
        {"{" ID ",\"secret\":null," TOKEN "}", "secret is absent or empty"},
        {"{" ID "," SECRET ",\"token\":\"\"}", "token is absent or empty"},
        {"{" ID ",\"secret\":[\"CANARY\"]," TOKEN "}", "secret is not a string"},
        {"{\"id\":\"CANARY\\u0000\"," SECRET "," TOKEN "}", "id holds a NUL"},
        {"{" ID "," SECRET ",\"token\":\"CANARY\\n\"}",
         "the session token holds white space or a byte that is not printable ASCII"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vault_credential credential = {0};
        struct vault_message why = {0};

        assert_int_equal(vault_credential_set(&credential, "x", "y", NULL, "old", &why), VAULT_OK);
        assert_int_equal(read_json(rows[i].text, 3, &credential, &why), VAULT_BAD_RESPONSE);
        assert_string_equal(why.text, rows[i].says);
        assert_string_equal(credential.access_key_id, "x");
        assert_string_equal(credential.source, "old");
        vault_credential_clear(&credential);
    }
}

static void test_part(void **state)
{
    struct vault_json_member members[3];
    struct vault_message why = {0};
    struct vault_buffer part;

    (void)state;
    find("{" ID "," SECRET ",\"token\":null}", members);
    assert_false(vault_json_lacks(&members[0]));
    assert_true(vault_json_lacks(&members[2]));
    vault_buffer_init(&part, 12);
    assert_int_equal(vault_json_part(&members[0], &part, &why), VAULT_OK);
    assert_string_equal(part.data, "AKIDCANARY");
    vault_buffer_clear(&part);
    assert_int_equal(vault_json_part(&members[1], &part, &why), VAULT_BAD_RESPONSE);
    assert_string_equal(why.text, "secret is too long");
    vault_buffer_free(&part);
}

static void test_no_memory(void **state)
{
    struct vault_credential credential = {0};
    struct vault_message why = {0};
    enum vault_status status;
    unsigned long nth = 0;

    (void)state;
    do {
        vault_alloc_fail(++nth);
        status = read_json("{" ID "," SECRET "," TOKEN "}", 3, &credential, &why);
        vault_alloc_fail(0);
        if (status != VAULT_OK) {
            assert_int_equal(status, VAULT_NO_MEMORY);
            assert_null(credential.access_key_id);
        }
    } while (status != VAULT_OK);
    assert_true(nth > 6);
    assert_int_equal(why.length, 0);
    vault_credential_clear(&credential);
}

static void test_time(void **state)
{
    struct vault_json_member member = {
        .key = "at", .type = VAULT_JSON_STRING, .text = "2023-11-14T22:13:20Z", .length = 20};
    struct vault_message why = {0};
    int64_t seconds = 0;

    (void)state;
    assert_int_equal(vault_json_time(&member, &seconds, &why), VAULT_OK);
    assert_int_equal(seconds, 1700000000);
    member.length--;
    assert_int_equal(vault_json_time(&member, &seconds, &why), VAULT_BAD_RESPONSE);
    assert_int_equal(seconds, 1700000000);
    assert_string_equal(why.text, "at is not a time");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_credential), cmocka_unit_test(test_time),
        cmocka_unit_test(test_refusals),   cmocka_unit_test(test_part),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
