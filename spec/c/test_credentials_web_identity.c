/* test_credentials_web_identity - what the environment says of a web identity.
 *
 * For:   vault_web_identity_plan: set, half set, not set; lost memory.
 * Never: carrying the plan out (test_identity_roles).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "credentials_web_identity.h"

#define ARN       "arn:aws:iam::123456789012:role/web"
#define ROLE      "AWS_ROLE_ARN=" ARN
#define FILE_NAME "AWS_WEB_IDENTITY_TOKEN_FILE=/var/run/token"

static enum vault_status plan_of(const char *const *entries, struct vault_plan *plan,
                                 struct vault_message *why)
{
    struct vault_environment *environment = NULL;
    struct vault_credential_query query = {0};
    enum vault_status status;

    assert_int_equal(vault_environment_new(entries, &environment), VAULT_OK);
    query.environment = environment;
    status = vault_web_identity_plan(&query, plan, why);
    vault_environment_free(environment);
    return status;
}

static void test_plan(void **state)
{
    const char *const named[] = {ROLE, FILE_NAME, "AWS_ROLE_SESSION_NAME=pod", NULL};
    const char *const unnamed[] = {ROLE, FILE_NAME, "AWS_ROLE_SESSION_NAME=", NULL};
    struct vault_message why = {0};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct vault_plan plan = {0};

        assert_int_equal(plan_of(i ? unnamed : named, &plan, &why), VAULT_OK);
        assert_int_equal(plan.base, VAULT_PLAN_WEB_IDENTITY);
        assert_string_equal(plan.token_file, "/var/run/token");
        assert_int_equal(plan.role_count, 1);
        assert_string_equal(plan.roles[0].arn, ARN);
        assert_null(plan.roles[0].external_id);
        assert_int_equal(plan.roles[0].duration_seconds, 0);
        if (i)
            assert_null(plan.roles[0].session_name);
        else
            assert_string_equal(plan.roles[0].session_name, "pod");
        vault_plan_clear(&plan);
    }
}

static void test_not_set_and_half_set(void **state)
{
    static const struct {
        const char *entries[3];
        const char *message;
    } rows[] = {
        {{NULL}, "AWS_WEB_IDENTITY_TOKEN_FILE is not set"},
        {{"AWS_ROLE_ARN=", "AWS_WEB_IDENTITY_TOKEN_FILE="},
         "AWS_WEB_IDENTITY_TOKEN_FILE is not set"},
        {{ROLE}, "AWS_WEB_IDENTITY_TOKEN_FILE is not set although AWS_ROLE_ARN is set"},
        {{FILE_NAME}, "AWS_ROLE_ARN is not set although AWS_WEB_IDENTITY_TOKEN_FILE is set"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vault_plan plan = {0};
        struct vault_message why = {0};

        assert_int_equal(plan_of(rows[i].entries, &plan, &why), VAULT_NOT_CONFIGURED);
        assert_string_equal(why.text, rows[i].message);
        assert_null(plan.token_file);
    }
}

static void test_plan_allocations(void **state)
{
    const char *const entries[] = {ROLE, FILE_NAME, "AWS_ROLE_SESSION_NAME=pod", NULL};
    struct vault_environment *environment = NULL;
    struct vault_credential_query query = {0};
    struct vault_message why = {0};
    unsigned long nth;

    (void)state;
    assert_int_equal(vault_environment_new(entries, &environment), VAULT_OK);
    query.environment = environment;
    for (nth = 1;; nth++) {
        struct vault_plan plan = {0};
        enum vault_status status;

        vault_alloc_fail(nth);
        status = vault_web_identity_plan(&query, &plan, &why);
        vault_alloc_fail(0);
        if (status == VAULT_OK) {
            vault_plan_clear(&plan);
            break;
        }
        assert_int_equal(status, VAULT_NO_MEMORY);
        assert_null(plan.token_file);
        assert_int_equal(plan.role_count, 0);
    }
    assert_int_equal(nth, 4);
    vault_environment_free(environment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_not_set_and_half_set),
        cmocka_unit_test(test_plan_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
