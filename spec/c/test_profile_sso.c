/* test_profile_sso - what no folder of cases can hold of a profile with IAM Identity Center.
 *
 * For:   HOME, names of profiles, lost memory, what stays untouched. The rules, one by one, are the
 *        sso-* folders of spec/vectors/profile (test_profile_plan).
 * Never: the token's file, the portal.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "profile_home.h"
#include "profile_sso.h"

#define BODY                                                                                       \
    "sso_session = corp\nsso_account_id = 1\nsso_role_name = r\n"                                  \
    "[sso-session corp]\nsso_region = eu-west-1\nsso_start_url = u\n"
#define USES       "profile \"default\" uses IAM Identity Center"
#define TOKEN_FILE "/.aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json"

/* A plan that vault_profile_sso must leave alone, or free. */
static struct vault_plan kept(void)
{
    struct vault_plan plan = {.base = VAULT_PLAN_PROCESS, .command = vault_copy("kept", 4)};

    assert_non_null(plan.command);
    return plan;
}

static void check_kept(const struct vault_plan *plan)
{
    assert_int_equal(plan->base, VAULT_PLAN_PROCESS);
    assert_string_equal(plan->command, "kept");
    assert_null(plan->sso.region);
}

static enum vault_status ask(const struct vault_environment *environment, const char *profile,
                             struct vault_plan *plan, struct vault_message *why)
{
    const struct vault_credential_query query = {.environment = environment, .profile = profile};
    struct vault_profile_set *set = NULL;
    struct vault_profile chosen;
    enum vault_status status = vault_profile_open(&query, &set, &chosen);

    if (status == VAULT_OK)
        status = vault_profile_sso(environment, &chosen, plan, why);
    vault_profile_set_free(set);
    return status;
}

static void test_plan(void **state)
{
    static const struct {
        const char *config, *profile, *login;
    } rows[] = {
        {"[default]\n" BODY, NULL, "aws sso login"},
        {"[profile default]\n" BODY, "default", "aws sso login"},
        {"[profile x]\n" BODY, "x", "aws sso login --profile x"},
        {"[profile a/b@c]\n" BODY, "a/b@c", "aws sso login --profile a/b@c"},
    };
    struct vault_environment *environment = environment_with(no_entries);
    char path[256];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vault_message why = {0};
        struct vault_plan plan = kept();

        put(".aws/config", rows[i].config);
        assert_int_equal(ask(environment, rows[i].profile, &plan, &why), VAULT_OK);
        check_message(&why, "");
        assert_int_equal(plan.base, VAULT_PLAN_SSO);
        assert_null(plan.command);
        assert_string_equal(plan.sso.account_id, "1");
        assert_string_equal(plan.sso.role_name, "r");
        assert_string_equal(plan.sso.region, "eu-west-1");
        assert_string_equal(plan.sso.token_file, in_home("%" TOKEN_FILE, path, sizeof path));
        assert_string_equal(plan.sso.login, rows[i].login);
        vault_plan_clear(&plan);
    }
    vault_environment_free(environment);
}

/* `environment` is freed. */
static void expect(struct vault_environment *environment, enum vault_status status,
                   const char *says)
{
    struct vault_message why = {0};
    struct vault_plan plan = kept();

    assert_int_equal(ask(environment, NULL, &plan, &why), status);
    check_message(&why, says);
    check_kept(&plan);
    vault_plan_clear(&plan);
    vault_environment_free(environment);
}

static void test_home(void **state)
{
    char config[256], long_home[8192] = "HOME=/";
    const char *const entries[] = {config, "AWS_SHARED_CREDENTIALS_FILE=/nonexistent/credentials",
                                   long_home, NULL};
    struct vault_environment *environment = NULL;

    (void)state;
    put("config", "[default]\n" BODY);
    in_home("AWS_CONFIG_FILE=%/config", config, sizeof config);
    expect(environment_without_home(config), VAULT_BAD_PROFILE,
           USES ", whose login lies under ~, and HOME is not set");
    memset(long_home + 6, 'h', VAULT_PROFILE_PATH_MAX - 40);
    assert_int_equal(vault_environment_new(entries, &environment), VAULT_OK);
    expect(environment, VAULT_BAD_PROFILE, USES ", whose login lies under ~, and HOME is too long");
    put("config", NULL);
}

static void test_not_configured(void **state)
{
    (void)state;
    put(".aws/config", "[default]\nsso_session = CANARY\nsso_region = CANARY\n");
    expect(environment_with(no_entries), VAULT_NOT_CONFIGURED, "");
    put(".aws/config", NULL);
    expect(environment_with(no_entries), VAULT_NOT_CONFIGURED, "");
}

static void test_refuse(void **state)
{
    static const struct {
        const char *config, *says;
    } rows[] = {
        {"[default]\nregion = eu-west-1\n", NULL},
        {"[default]\nsso_session = CANARY\n", "sso_session"},
        {"[default]\nsso_start_url = CANARY\n", "sso_start_url"},
        {"[default]\nsso_region = CANARY\n", "sso_region"},
    };
    struct vault_environment *environment = environment_with(no_entries);
    const struct vault_credential_query query = {.environment = environment};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vault_profile_set *set = NULL;
        struct vault_profile profile;
        struct vault_message why = {0};
        char says[256] = "";

        if (rows[i].says)
            snprintf(says, sizeof says,
                     "profile \"default\" has %s but neither sso_account_id nor sso_role_name",
                     rows[i].says);
        put(".aws/config", rows[i].config);
        assert_int_equal(vault_profile_open(&query, &set, &profile), VAULT_OK);
        assert_int_equal(vault_profile_sso_refuse(&profile, &why),
                         rows[i].says ? VAULT_BAD_PROFILE : VAULT_OK);
        check_message(&why, says);
        vault_profile_set_free(set);
    }
    vault_environment_free(environment);
}

static void test_no_memory(void **state)
{
    struct vault_environment *environment = environment_with(no_entries);
    struct vault_message why = {0};
    struct vault_plan plan = kept();
    enum vault_status status;
    unsigned long nth = 0;

    (void)state;
    put(".aws/config", "[default]\n" BODY);
    do {
        vault_alloc_fail(++nth);
        status = ask(environment, NULL, &plan, &why);
        vault_alloc_fail(0);
        if (status != VAULT_OK) {
            assert_int_equal(status, VAULT_NO_MEMORY);
            check_kept(&plan);
        }
    } while (status != VAULT_OK);
    assert_true(nth > 6);
    assert_int_equal(why.length, 0);
    vault_plan_clear(&plan);
    vault_environment_free(environment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan),           cmocka_unit_test(test_home),
        cmocka_unit_test(test_not_configured), cmocka_unit_test(test_refuse),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, make_home, remove_home);
}
