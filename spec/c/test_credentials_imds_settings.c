/* test_credentials_imds_settings - the variables of credentials_imds_settings.h.
 *
 * For:   defaults, each variable, what is refused, which wins.
 * Never: asking.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "credentials_imds_settings.h"
#include "profile_home.h"

#define ENDPOINT "AWS_EC2_METADATA_SERVICE_ENDPOINT="
#define MODE     "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE="
#define DISABLED "AWS_EC2_METADATA_DISABLED="
#define V1       "AWS_EC2_METADATA_V1_DISABLED="
#define TIMEOUT  "AWS_METADATA_SERVICE_TIMEOUT="
#define ATTEMPTS "AWS_METADATA_SERVICE_NUM_ATTEMPTS="
#define IPV4     "http://169.254.169.254"
#define IPV6     "http://[fd00:ec2::254]"

struct wanted {
    const char *entries[5];
    const char *base;
    int64_t timeout_ms;
    unsigned attempts;
};

static enum vault_status settle(const char *const *entries, struct vault_imds_settings *settings,
                                struct vault_environment **environment, struct vault_message *why)
{
    vault_message_clear(why);
    assert_int_equal(vault_environment_new(entries, environment), VAULT_OK);
    return vault_imds_settings_read(*environment, settings, why);
}

static void test_settings(void **state)
{
    static const struct wanted rows[] = {
        {{NULL}, IPV4, 1000, 1},
        {{DISABLED "false"}, IPV4, 1000, 1},
        {{DISABLED "1"}, IPV4, 1000, 1},
        {{DISABLED, ENDPOINT, MODE}, IPV4, 1000, 1},
        {{TIMEOUT, ATTEMPTS}, IPV4, 1000, 1},
        {{MODE "IPv4"}, IPV4, 1000, 1},
        {{MODE "IPv6"}, IPV6, 1000, 1},
        {{MODE "ipv6"}, IPV6, 1000, 1},
        {{ENDPOINT "http://host:1338"}, "http://host:1338", 1000, 1},
        {{ENDPOINT "http://host:1338/"}, "http://host:1338", 1000, 1},
        {{ENDPOINT "https://host/a/"}, "https://host/a", 1000, 1},
        {{ENDPOINT "http://host", MODE "IPv6"}, "http://host", 1000, 1},
        {{ENDPOINT "http://host", MODE "CANARY"}, "http://host", 1000, 1},
        {{TIMEOUT "1", ATTEMPTS "1"}, IPV4, 1000, 1},
        {{TIMEOUT "59", ATTEMPTS "9"}, IPV4, 59000, 9},
        {{TIMEOUT "60", ATTEMPTS "0100"}, IPV4, 60000, 100},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vault_environment *environment = NULL;
        struct vault_imds_settings settings;
        struct vault_message why;

        assert_int_equal(settle(rows[i].entries, &settings, &environment, &why), VAULT_OK);
        assert_int_equal(settings.base_length, strlen(rows[i].base));
        assert_memory_equal(settings.base, rows[i].base, settings.base_length);
        assert_int_equal(settings.timeout_ms, rows[i].timeout_ms);
        assert_int_equal(settings.attempts, rows[i].attempts);
        assert_int_equal(why.length, 0);
        vault_environment_free(environment);
    }
}

static void test_refused(void **state)
{
    static const char timeout[] = "AWS_METADATA_SERVICE_TIMEOUT is not a whole number from 1 to 60";
    static const char attempts[] =
        "AWS_METADATA_SERVICE_NUM_ATTEMPTS is not a whole number from 1 to 100";
    static const struct {
        const char *entries[4];
        enum vault_status status;
        const char *says;
    } rows[] = {
        {{DISABLED "true"}, VAULT_NOT_CONFIGURED, "AWS_EC2_METADATA_DISABLED is true"},
        {{DISABLED "TrUe", ENDPOINT "CANARY", TIMEOUT "CANARY"},
         VAULT_NOT_CONFIGURED,
         "AWS_EC2_METADATA_DISABLED is true"},
        {{MODE "CANARY"},
         VAULT_BAD_CONFIG,
         "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE is neither IPv4 nor IPv6"},
        {{MODE "IPv6 "},
         VAULT_BAD_CONFIG,
         "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE is neither IPv4 nor IPv6"},
        {{ENDPOINT "CANARY"},
         VAULT_BAD_CONFIG,
         "AWS_EC2_METADATA_SERVICE_ENDPOINT: endpoint URL: does not begin with http:// or "
         "https://"},
        {{ENDPOINT "http://a:CANARY@host/"},
         VAULT_BAD_CONFIG,
         "AWS_EC2_METADATA_SERVICE_ENDPOINT: endpoint URL: holds a user name or a password"},
        {{ENDPOINT "http://host/\r\nX: CANARY"},
         VAULT_BAD_CONFIG,
         "AWS_EC2_METADATA_SERVICE_ENDPOINT: endpoint URL: holds a blank or a byte that no URL "
         "has"},
        {{TIMEOUT "0"}, VAULT_BAD_CONFIG, timeout},
        {{TIMEOUT "61"}, VAULT_BAD_CONFIG, timeout},
        {{TIMEOUT "1.5"}, VAULT_BAD_CONFIG, timeout},
        {{TIMEOUT "-1"}, VAULT_BAD_CONFIG, timeout},
        {{TIMEOUT "1s"}, VAULT_BAD_CONFIG, timeout},
        {{TIMEOUT "99999999999999999999"}, VAULT_BAD_CONFIG, timeout},
        {{ATTEMPTS "0"}, VAULT_BAD_CONFIG, attempts},
        {{ATTEMPTS "101"}, VAULT_BAD_CONFIG, attempts},
        {{ATTEMPTS "CANARY"}, VAULT_BAD_CONFIG, attempts},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vault_environment *environment = NULL;
        struct vault_imds_settings settings = {.attempts = 77};
        struct vault_message why;

        assert_int_equal(settle(rows[i].entries, &settings, &environment, &why), rows[i].status);
        assert_string_equal(why.text, rows[i].says);
        assert_int_equal(settings.attempts, 77);
        vault_environment_free(environment);
    }
}

/* The variable wins over the profile. */
static void test_version_1(void **state)
{
    static const char variable[] = "AWS_EC2_METADATA_V1_DISABLED";
    static const char property[] = "ec2_metadata_v1_disabled";
    static const struct {
        const char *entry, *config, *says;
    } rows[] = {
        {NULL, NULL, NULL},
        {V1 "TRUE", NULL, variable},
        {V1 "yes", NULL, NULL},
        {NULL, "[default]\nec2_metadata_v1_disabled = True\n", property},
        {V1, "[default]\nec2_metadata_v1_disabled = true\n", property},
        {V1 "false", "[default]\nec2_metadata_v1_disabled = true\n", NULL},
        {NULL, "[default]\nec2_metadata_v1_disabled = false\n", NULL},
        {NULL, "[profile other]\nec2_metadata_v1_disabled = true\n", NULL},
        {"AWS_PROFILE=other", "[profile other]\nec2_metadata_v1_disabled = true\n", property},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char at_home[80];
        const char *const entries[] = {at_home, rows[i].entry, NULL};
        struct vault_credential_query query = {0};
        struct vault_environment *environment = NULL;
        const char *says;

        snprintf(at_home, sizeof at_home, "HOME=%s", home);
        put(".aws/config", rows[i].config);
        assert_int_equal(vault_environment_new(entries, &environment), VAULT_OK);
        query.environment = environment;
        assert_int_equal(vault_imds_v1_disabled(&query, &says), VAULT_OK);
        if (!rows[i].says)
            assert_null(says);
        else
            assert_string_equal(says, rows[i].says);
        vault_environment_free(environment);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_1),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, make_home, remove_home);
}
