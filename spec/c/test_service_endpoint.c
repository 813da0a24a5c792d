/* test_service_endpoint - where a service is, by all that may say so.
 *
 * For:   vault_service_endpoint: who goes before whom, FIPS, dual-stack and legacy, what cannot be
 *        read, lost memory.
 * Never: hosts one by one (test_endpoint), the files' grammar (test_ini).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "profile_home.h"
#include "service_endpoint.h"

#define SM       "secretsmanager"
#define OVERRIDE "http://override"
#define BY_NAME  "AWS_ENDPOINT_URL_SECRETS_MANAGER=http://by-name"
#define FOR_STS  "AWS_ENDPOINT_URL_STS=http://for-sts"
#define FOR_SSO  "AWS_ENDPOINT_URL_SSO=http://for-sso"
#define KONG_STS "KONG_VAULT_AWS_STS_ENDPOINT_URL=http://kong-sts"
#define FOR_ALL  "AWS_ENDPOINT_URL=http://for-all"
#define IGNORE   "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=TRUE"
#define SERVICES                                                                                   \
    "[services s]\nsecrets_manager =\n  endpoint_url = http://services\n"                          \
    "[default]\nservices = s\nendpoint_url = http://profile\n"
#define PROFILE      "[default]\nendpoint_url = http://profile\n"
#define OWN(service) "https://" service ".eu-west-1.amazonaws.com/"

struct row {
    const char *service;
    const char *override;
    const char *entries[4];
    const char *config;
    const char *url;
};

static const struct row rows[] = {
    /* each before the next */
    {SM, OVERRIDE, {BY_NAME, FOR_ALL}, SERVICES, "http://override/"},
    {SM, "", {BY_NAME, FOR_ALL}, SERVICES, "http://by-name/"},
    {SM, NULL, {BY_NAME}, PROFILE, "http://by-name/"},
    {SM, NULL, {FOR_ALL, FOR_STS}, SERVICES, "http://for-all/"},
    {SM, NULL, {FOR_STS}, SERVICES, "http://services/"},
    {SM, NULL, {FOR_STS}, PROFILE, "http://profile/"},
    {SM, NULL, {FOR_STS}, NULL, OWN(SM)},
    {SM, NULL, {"AWS_ENDPOINT_URL=", "AWS_ENDPOINT_URL_SECRETS_MANAGER="}, NULL, OWN(SM)},
    {"sts", NULL, {BY_NAME, FOR_STS, FOR_ALL}, SERVICES, "http://for-sts/"},
    {"sts", OVERRIDE, {KONG_STS, FOR_STS}, NULL, "http://override/"},
    {"sts", NULL, {KONG_STS, FOR_STS, FOR_ALL}, SERVICES, "http://kong-sts/"},
    {"sts", NULL, {"KONG_VAULT_AWS_STS_ENDPOINT_URL=", FOR_STS}, NULL, "http://for-sts/"},
    {SM, NULL, {KONG_STS}, NULL, OWN(SM)},
    {"sts", NULL, {BY_NAME}, SERVICES, "http://profile/"},
    {"sts", NULL, {BY_NAME}, NULL, OWN("sts")},
    {"sso", NULL, {FOR_SSO, FOR_STS, FOR_ALL}, SERVICES, "http://for-sso/"},
    {"sso", NULL, {FOR_STS, FOR_ALL}, SERVICES, "http://for-all/"},
    {"sso",
     NULL,
     {FOR_STS},
     SERVICES "[services s]\nsso =\n  endpoint_url = http://x\n",
     "http://x/"},
    {"sso", NULL, {KONG_STS, FOR_STS}, PROFILE, "http://profile/"},
    {"sso", NULL, {FOR_STS}, NULL, OWN("portal.sso")},
    {SM, NULL, {FOR_SSO}, NULL, OWN(SM)},
    /* ignored but for what was asked for */
    {SM, NULL, {IGNORE, BY_NAME, FOR_ALL}, SERVICES, OWN(SM)},
    {SM, OVERRIDE, {IGNORE}, NULL, "http://override/"},
    {"sts", NULL, {IGNORE, KONG_STS}, NULL, "http://kong-sts/"},
    {SM, NULL, {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=1", BY_NAME}, NULL, "http://by-name/"},
    {SM, NULL, {BY_NAME}, PROFILE "ignore_configured_endpoint_urls = true\n", OWN(SM)},
    {SM,
     NULL,
     {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=false"},
     PROFILE "ignore_configured_endpoint_urls = true\n",
     "http://profile/"},
    {SM,
     NULL,
     {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="},
     PROFILE "ignore_configured_endpoint_urls = TRUE\n",
     OWN(SM)},
    {SM,
     NULL,
     {NULL},
     "[default]\nservices = gone\nignore_configured_endpoint_urls = true\n",
     OWN(SM)},
    {SM, NULL, {NULL}, PROFILE "ignore_configured_endpoint_urls = false\n", "http://profile/"},
    /* which of AWS's own */
    {SM,
     NULL,
     {"AWS_USE_FIPS_ENDPOINT=True"},
     NULL,
     "https://secretsmanager-fips.eu-west-1.amazonaws.com/"},
    {SM,
     NULL,
     {NULL},
     "[default]\nuse_fips_endpoint = true\n",
     "https://secretsmanager-fips.eu-west-1.amazonaws.com/"},
    {SM, NULL, {"AWS_USE_FIPS_ENDPOINT=false"}, "[default]\nuse_fips_endpoint = true\n", OWN(SM)},
    {"sts", NULL, {"AWS_USE_DUALSTACK_ENDPOINT=true"}, NULL, "https://sts.eu-west-1.api.aws/"},
    {"sts",
     NULL,
     {"AWS_USE_FIPS_ENDPOINT=true"},
     "[default]\nuse_dualstack_endpoint = true\n",
     "https://sts-fips.eu-west-1.api.aws/"},
    {"sts", NULL, {"AWS_STS_REGIONAL_ENDPOINTS=legacy"}, NULL, "https://sts.amazonaws.com/"},
    {"sts",
     NULL,
     {NULL},
     "[default]\nsts_regional_endpoints = legacy\n",
     "https://sts.amazonaws.com/"},
    {"sts",
     NULL,
     {"AWS_STS_REGIONAL_ENDPOINTS=regional"},
     "[default]\nsts_regional_endpoints = legacy\n",
     OWN("sts")},
};

static enum vault_status settle(const struct row *row, struct vault_endpoint *endpoint,
                                struct vault_message *why)
{
    struct vault_environment *environment = environment_with(row->entries);
    const struct vault_credential_query query = {.environment = environment};
    const struct vault_endpoint_query asked = {
        .service = row->service, .region = "eu-west-1", .override = row->override};
    enum vault_status status;

    put(".aws/config", row->config);
    status = vault_service_endpoint(&query, &asked, endpoint, why);
    vault_environment_free(environment);
    return status;
}

static void test_who_goes_first(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vault_endpoint endpoint;
        struct vault_message why = {0};

        vault_endpoint_init(&endpoint);
        assert_int_equal(settle(&rows[i], &endpoint, &why), VAULT_OK);
        assert_string_equal(endpoint.url.data, rows[i].url);
        assert_string_equal(why.text, "");
        vault_endpoint_free(&endpoint);
    }
}

/* Whoever must have FIPS does not get another endpoint unsaid. */
static void test_what_is_refused(void **state)
{
    static const struct {
        struct row row;
        enum vault_status status;
        const char *message;
    } refusals[] = {
        {{SM, OVERRIDE, {"AWS_USE_FIPS_ENDPOINT=true"}, NULL, NULL},
         VAULT_BAD_CONFIG,
         "FIPS endpoints cannot be asked for together with an endpoint URL"},
        {{SM, NULL, {"AWS_USE_DUALSTACK_ENDPOINT=true", FOR_ALL}, NULL, NULL},
         VAULT_BAD_CONFIG,
         "dual-stack endpoints cannot be asked for together with an endpoint URL"},
        {{SM, NULL, {NULL}, PROFILE "use_fips_endpoint = true\n", NULL},
         VAULT_BAD_CONFIG,
         "FIPS endpoints cannot be asked for together with an endpoint URL"},
        {{SM, NULL, {"AWS_ENDPOINT_URL=ftp://x"}, NULL, NULL}, VAULT_BAD_ENDPOINT, NULL},
        {{SM, NULL, {NULL}, "[default]\nservices = gone\n", NULL},
         VAULT_BAD_PROFILE,
         "profile \"default\" names a section [services] that does not stand in %/.aws/config"},
        {{SM, NULL, {IGNORE, "AWS_CONFIG_FILE=%"}, NULL, NULL}, VAULT_BAD_PROFILE, NULL},
        {{SM, OVERRIDE, {"AWS_CONFIG_FILE=%"}, NULL, NULL}, VAULT_BAD_PROFILE, NULL},
        {{"s3", NULL, {NULL}, NULL, NULL}, VAULT_INTERNAL, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct vault_endpoint endpoint;
        struct vault_message why = {0};

        vault_endpoint_init(&endpoint);
        assert_int_equal(settle(&refusals[i].row, &endpoint, &why), refusals[i].status);
        if (refusals[i].message)
            check_message(&why, refusals[i].message);
        assert_int_equal(endpoint.url.length, 0);
    }
}

static void test_endpoint_allocations(void **state)
{
    static const char *const configs[] = {SERVICES, "[default]\nuse_fips_endpoint = true\n", NULL};
    struct vault_environment *environment = environment_with(no_entries);
    const struct vault_credential_query query = {.environment = environment};
    const struct vault_endpoint_query asked = {.service = SM, .region = "eu-west-1"};

    (void)state;
    for (int i = 0; i < 3; i++) {
        enum vault_status status = VAULT_NO_MEMORY;

        put(".aws/config", configs[i]);
        for (unsigned long nth = 1; status != VAULT_OK; nth++) {
            struct vault_endpoint endpoint;
            struct vault_message why = {0};

            vault_endpoint_init(&endpoint);
            vault_alloc_fail(nth);
            status = vault_service_endpoint(&query, &asked, &endpoint, &why);
            assert_int_equal(status, vault_alloc_fail(0) >= nth ? VAULT_NO_MEMORY : VAULT_OK);
            assert_int_equal(endpoint.url.length != 0, status == VAULT_OK);
            vault_endpoint_free(&endpoint);
        }
    }
    vault_environment_free(environment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_goes_first),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_endpoint_allocations),
    };

    return cmocka_run_group_tests(tests, make_home, remove_home);
}
