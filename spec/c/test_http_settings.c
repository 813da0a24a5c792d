/* test_http_settings - what all transfers of a process share.
 *
 * For:   the variables that name proxies; which libcurl it is.
 * Never: transfers (test_http, test_http_proxy, test_http_tls).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "http_settings.h"
#include "version.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void test_variables(void **state)
{
    static const struct {
        const char *entries[4];
        const char *http, *https, *none;
    } rows[] = {
        {{NULL}, NULL, NULL, NULL},
        {{"http_proxy=a", "https_proxy=b", "no_proxy=c"}, "a", "b", "c"},
        {{"HTTP_PROXY=a", "HTTPS_PROXY=b", "NO_PROXY=c"}, NULL, "b", "c"},
        {{"all_proxy=a", "ALL_PROXY=b"}, "a", "a", NULL},
        {{"ALL_PROXY=b"}, "b", "b", NULL},
        {{"all_proxy=a", "https_proxy=b"}, "a", "b", NULL},
        {{"https_proxy=", "HTTPS_PROXY=b"}, NULL, "b", NULL},
        {{"HTTPS_PROXY=b", "https_proxy=a"}, NULL, "a", NULL},
        {{"NO_PROXY=b", "no_proxy=a"}, NULL, NULL, "a"},
        {{"no_proxy=", "https_proxy="}, NULL, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct vault_http_settings settings = {.ca_file = "kept"};
        struct vault_environment *environment = NULL;
        const char *found[3], *wanted[] = {rows[i].http, rows[i].https, rows[i].none};

        assert_int_equal(vault_environment_new(rows[i].entries, &environment), VAULT_OK);
        vault_http_settings_read(&settings, environment);
        found[0] = settings.http_proxy;
        found[1] = settings.https_proxy;
        found[2] = settings.no_proxy;
        for (int j = 0; j < 3; j++) {
            assert_int_equal(found[j] != NULL, wanted[j] != NULL);
            if (wanted[j])
                assert_string_equal(found[j], wanted[j]);
        }
        assert_string_equal(settings.ca_file, "kept");
        vault_environment_free(environment);
    }
    struct vault_http_settings settings;
    vault_http_settings_read(&settings, NULL);
    assert_null(settings.https_proxy);
}

static void test_describe(void **state)
{
    struct vault_message line = {0};

    (void)state;
    vault_http_describe(&line);
    assert_non_null(strstr(line.text, "lua-resty-vaults " VAULT_VERSION ", libcurl "));
    assert_non_null(strstr(line.text, "(OpenSSL/"));
    assert_non_null(strstr(line.text, "libssl.so"));
}

static void test_start(void **state)
{
    struct vault_message why = {0};

    (void)state;
    assert_int_equal(vault_http_start(&why), VAULT_OK);
    assert_int_equal(vault_http_start(&why), VAULT_OK); /* again, for nothing */
    assert_int_equal(why.length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_variables),
        cmocka_unit_test(test_describe),
        cmocka_unit_test(test_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
