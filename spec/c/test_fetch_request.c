/* test_fetch_request - what a fetch is asked to get, and the copy of it.
 *
 * For:   what fetch_request.h promises.
 * Never: what is made of it (test_fetch).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "fetch_request.h"

static struct vault_fetch_request full_request(void)
{
    return (struct vault_fetch_request){
        .secret_id = "d\0b",
        .secret_id_length = 3,
        .stage = "AWSPREVIOUS",
        .region = "eu-west-1",
        .endpoint_url = "http://127.0.0.1:4566",
        .caller = {.access_key_id = "AKIDOWN",
                   .secret_access_key = "ownCANARY",
                   .assume_role_arn = "arn"},
    };
}

static void test_copy(void **state)
{
    const struct vault_fetch_request request = full_request();
    struct vault_fetch_copy copy;

    (void)state;
    assert_int_equal(vault_fetch_copy_make(&request, &copy), VAULT_OK);
    assert_int_equal(copy.secret_id_length, 3);
    assert_memory_equal(copy.secret_id, "d\0b", 3);
    assert_string_equal(copy.stage, "AWSPREVIOUS");
    assert_string_equal(copy.region.data, "eu-west-1");
    assert_string_equal(copy.endpoint_url, "http://127.0.0.1:4566");
    assert_string_equal(copy.caller.access_key_id, "AKIDOWN");
    assert_string_equal(copy.caller.assume_role_arn, "arn");
    assert_null(copy.caller.external_id);
    assert_true(copy.secret_id != request.secret_id && copy.stage != request.stage);
    vault_fetch_copy_forget_caller(&copy);
    assert_null(copy.caller.access_key_id);
    assert_string_equal(copy.stage, "AWSPREVIOUS");
    vault_fetch_copy_free(&copy);
}

static void test_none(void **state)
{
    struct vault_fetch_request request = {.secret_id = "", .stage = "", .endpoint_url = ""};
    struct vault_fetch_copy copy;

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(vault_fetch_copy_make(&request, &copy), VAULT_OK);
        assert_non_null(copy.secret_id);
        assert_null(copy.stage);
        assert_null(copy.endpoint_url);
        assert_int_equal(copy.region.length, 0);
        vault_fetch_copy_free(&copy);
        request.region = "";
    }
}

static void test_region_limit(void **state)
{
    char region[VAULT_FETCH_REGION_MAX + 2];
    struct vault_fetch_request request = full_request();
    struct vault_fetch_copy copy;

    (void)state;
    memset(region, 'a', sizeof region);
    region[VAULT_FETCH_REGION_MAX + 1] = '\0';
    request.region = region;
    assert_int_equal(vault_fetch_copy_make(&request, &copy), VAULT_TOO_LARGE);
    vault_fetch_copy_free(&copy);
    region[VAULT_FETCH_REGION_MAX] = '\0';
    assert_int_equal(vault_fetch_copy_make(&request, &copy), VAULT_OK);
    vault_fetch_copy_free(&copy);
}

static void test_say(void **state)
{
    struct vault_fetch_request request = full_request();
    struct vault_fetch_copy copy;
    struct vault_message said = {0};

    (void)state;
    assert_int_equal(vault_fetch_copy_make(&request, &copy), VAULT_OK);
    vault_fetch_copy_say(&copy, &said);
    assert_string_equal(said.text, "secret \"d\\x00b\" in eu-west-1");
    vault_fetch_copy_free(&copy);
    vault_message_clear(&said);
    request.region = NULL;
    assert_int_equal(vault_fetch_copy_make(&request, &copy), VAULT_OK);
    vault_fetch_copy_say(&copy, &said);
    assert_string_equal(said.text, "secret \"d\\x00b\"");
    vault_fetch_copy_free(&copy);
}

static const struct vault_secret_id ids[] = {{"a\0b", 3}, {"", 0}, {"c", 1}};

static void test_batch(void **state)
{
    struct vault_fetch_request request = full_request();
    struct vault_fetch_copy copy;
    struct vault_message said = {0};

    (void)state;
    request.batch = ids;
    request.batch_count = 3;
    assert_int_equal(vault_fetch_copy_make(&request, &copy), VAULT_OK);
    assert_int_equal(copy.batch_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(copy.batch[i].length, ids[i].length);
        assert_memory_equal(copy.batch[i].text, ids[i].text, ids[i].length);
        assert_true(copy.batch[i].text != ids[i].text);
    }
    vault_fetch_copy_say(&copy, &said);
    vault_message_add(&said, "; ");
    vault_fetch_copy_say_one(&copy, 0, &said);
    assert_string_equal(said.text,
                        "batch of 3 secrets in eu-west-1; secret \"a\\x00b\" in eu-west-1");
    vault_fetch_copy_free(&copy);
}

static void test_no_memory(void **state)
{
    struct vault_fetch_request request = full_request();
    struct vault_fetch_copy copy;
    enum vault_status status;
    unsigned long nth = 0;

    (void)state;
    request.batch = ids;
    request.batch_count = 3;
    do {
        vault_alloc_fail(++nth);
        status = vault_fetch_copy_make(&request, &copy);
        vault_alloc_fail(0);
        assert_true(status == VAULT_OK || status == VAULT_NO_MEMORY);
        vault_fetch_copy_free(&copy);
    } while (status != VAULT_OK);
    assert_int_equal(nth, 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy),         cmocka_unit_test(test_none),
        cmocka_unit_test(test_region_limit), cmocka_unit_test(test_say),
        cmocka_unit_test(test_batch),        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
