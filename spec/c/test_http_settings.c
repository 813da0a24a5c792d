/* test_http_settings - what all transfers of a process share.
 *
 * For:   the variables that name proxies; options of which no transfer of a test tells; which
 *        libcurl it is.
 * Never: transfers (test_http, test_http_proxy, test_http_tls).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include <curl/curl.h>

/* The options that are set, in the place of libcurl's own function. */
static CURLcode record(CURL *easy, CURLoption option, ...);
#undef curl_easy_setopt
#define curl_easy_setopt record
#include "http_settings.c"
#undef curl_easy_setopt

#include "version.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct {
    CURLoption option;
    long number;
    const char *text;
} options[64];
static size_t option_count;

static CURLcode record(CURL *easy, CURLoption option, ...)
{
    va_list arguments;

    (void)easy;
    assert_true(option_count < COUNT(options));
    va_start(arguments, option);
    options[option_count].option = option;
    if (option < CURLOPTTYPE_OBJECTPOINT)
        options[option_count].number = va_arg(arguments, long);
    else if (option < CURLOPTTYPE_FUNCTIONPOINT)
        options[option_count].text = va_arg(arguments, const char *);
    va_end(arguments);
    option_count++;
    return CURLE_OK;
}

/* The place of the last time that it was set, which counts. */
static size_t place_of(CURLoption option)
{
    for (size_t i = option_count; i > 0; i--)
        if (options[i - 1].option == option)
            return i - 1;
    fail_msg("option %d is not set", (int)option);
    return 0;
}

static void test_options(void **state)
{
    const struct vault_http_settings settings = {.ca_file = "/ca.pem"};

    (void)state;
    vault_http_settings_apply(&settings, NULL);
    assert_int_equal(options[place_of(CURLOPT_SSL_VERIFYPEER)].number, 1);
    assert_int_equal(options[place_of(CURLOPT_SSL_VERIFYHOST)].number, 2);
    assert_int_equal(options[place_of(CURLOPT_SSLVERSION)].number, CURL_SSLVERSION_TLSv1_2);
    assert_string_equal(options[place_of(CURLOPT_CAINFO)].text, "/ca.pem");
    assert_null(options[place_of(CURLOPT_CAPATH)].text); /* or the system's would count, too */
    assert_int_equal(options[place_of(CURLOPT_FOLLOWLOCATION)].number, 0);
#if LIBCURL_VERSION_NUM >= 0x075500
    assert_string_equal(options[place_of(CURLOPT_PROTOCOLS_STR)].text, "http,https");
#else
    assert_int_equal(options[place_of(CURLOPT_PROTOCOLS)].number, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
    assert_int_equal(options[place_of(CURLOPT_NOSIGNAL)].number, 1);
}

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
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_variables),
        cmocka_unit_test(test_describe),
        cmocka_unit_test(test_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
