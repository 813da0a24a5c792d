/* test_identity_request - what decides who asks, as texts.
 *
 * For:   what identity_request.h promises; that no two requests have the same key.
 * Never: what comes of them (test_identity).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "identity_request.h"

#define KEY_MAX 1024

/* Each member by its place. */
static struct vault_identity_request request_with(const char *const texts[VAULT_IDENTITY_TEXTS])
{
    return (struct vault_identity_request){texts[0], texts[1], texts[2], texts[3],
                                           texts[4], texts[5], texts[6], texts[7]};
}

static const char *const all[VAULT_IDENTITY_TEXTS] = {"id",  "secret",  "token",    "region",
                                                      "arn", "session", "external", "url"};

static void test_plain(void **state)
{
    static const char *const texts[VAULT_IDENTITY_TEXTS] = {"id", "", NULL, "r", "", "s", NULL, ""};
    const struct vault_identity_request request = request_with(texts);
    const struct vault_identity_request plain = vault_identity_plain(&request);

    (void)state;
    assert_ptr_equal(plain.access_key_id, texts[0]);
    assert_null(plain.secret_access_key);
    assert_null(plain.session_token);
    assert_ptr_equal(plain.region, texts[3]);
    assert_null(plain.assume_role_arn);
    assert_ptr_equal(plain.role_session_name, texts[5]);
    assert_null(plain.external_id);
    assert_null(plain.sts_endpoint_url);
}

static void test_copy(void **state)
{
    char changing[] = "arn";
    const char *texts[VAULT_IDENTITY_TEXTS];
    struct vault_identity_request request, copy;
    char *owned[VAULT_IDENTITY_TEXTS] = {NULL};

    (void)state;
    memcpy(texts, all, sizeof texts);
    texts[4] = changing;
    texts[1] = "";
    texts[2] = NULL;
    request = request_with(texts);
    assert_int_equal(vault_identity_copy(&request, owned, &copy), VAULT_OK);
    changing[0] = '?';
    assert_string_equal(copy.access_key_id, "id");
    assert_null(copy.secret_access_key);
    assert_null(copy.session_token);
    assert_string_equal(copy.region, "region");
    assert_string_equal(copy.assume_role_arn, "arn");
    assert_string_equal(copy.role_session_name, "session");
    assert_string_equal(copy.external_id, "external");
    assert_string_equal(copy.sts_endpoint_url, "url");
    vault_identity_forget(owned);
    for (size_t i = 0; i < VAULT_IDENTITY_TEXTS; i++)
        assert_null(owned[i]);
    vault_identity_forget(owned);
}

static void get_key(const char *const texts[VAULT_IDENTITY_TEXTS], struct vault_buffer *key)
{
    const struct vault_identity_request request = request_with(texts);

    vault_buffer_init(key, KEY_MAX);
    assert_int_equal(vault_identity_key(&request, key), VAULT_OK);
}

static void test_keys_tell_requests_apart(void **state)
{
    static const char *const rows[][VAULT_IDENTITY_TEXTS] = {
        {NULL},
        {"a"},
        {NULL, "a"},
        {"a", "b"},
        {"ab"},
        {"a", NULL, "b"},
        {"aa", "b"},
        {"a", "ab"},
        {NULL, NULL, NULL, "a"},
        {NULL, NULL, NULL, NULL, "a"},
        {NULL, NULL, NULL, NULL, NULL, "a"},
        {NULL, NULL, NULL, NULL, NULL, NULL, "a"},
        {NULL, NULL, NULL, NULL, NULL, NULL, NULL, "a"},
    };
    enum { ROWS = sizeof rows / sizeof *rows };
    struct vault_buffer keys[ROWS];

    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        get_key(rows[i], &keys[i]);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < i; j++)
            if (keys[i].length == keys[j].length &&
                memcmp(keys[i].data, keys[j].data, keys[i].length) == 0)
                fail_msg("rows %zu and %zu have the same key", i, j);
    for (size_t i = 0; i < ROWS; i++)
        vault_buffer_free(&keys[i]);
}

static void test_empty_is_none(void **state)
{
    static const char *const none[VAULT_IDENTITY_TEXTS] = {NULL};
    static const char *const empty[VAULT_IDENTITY_TEXTS] = {"", "", "", "", "", "", "", ""};
    struct vault_buffer one, other;

    (void)state;
    get_key(none, &one);
    get_key(empty, &other);
    assert_int_equal(one.length, other.length);
    assert_memory_equal(one.data, other.data, one.length);
    vault_buffer_free(&one);
    vault_buffer_free(&other);
}

static void test_key_too_large(void **state)
{
    const struct vault_identity_request request = request_with(all);
    struct vault_buffer key;

    (void)state;
    vault_buffer_init(&key, 16);
    assert_int_equal(vault_identity_key(&request, &key), VAULT_TOO_LARGE);
    vault_buffer_free(&key);
}

static void test_no_memory(void **state)
{
    const struct vault_identity_request request = request_with(all);
    struct vault_identity_request copy;
    enum vault_status status;
    unsigned long nth = 0;

    (void)state;
    do {
        char *owned[VAULT_IDENTITY_TEXTS] = {NULL};
        struct vault_buffer key;

        memset(&copy, 0, sizeof copy);
        vault_buffer_init(&key, KEY_MAX);
        vault_alloc_fail(++nth);
        status = vault_identity_copy(&request, owned, &copy);
        assert_int_equal(copy.access_key_id != NULL, status == VAULT_OK);
        if (status == VAULT_OK)
            status = vault_identity_key(&request, &key);
        vault_alloc_fail(0);
        assert_true(status == VAULT_OK || status == VAULT_NO_MEMORY);
        vault_identity_forget(owned);
        vault_buffer_free(&key);
    } while (status != VAULT_OK);
    assert_true(nth > VAULT_IDENTITY_TEXTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_keys_tell_requests_apart),
        cmocka_unit_test(test_empty_is_none),
        cmocka_unit_test(test_key_too_large),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
