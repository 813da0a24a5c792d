/* test_credential_plan - a plan's roles, and that it holds nothing once cleared.
 *
 * For:   what credential_plan.h promises.
 * Never: where a plan comes from (test_profile_plan); what becomes of it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "credential_plan.h"

#define ARN "arn:aws:iam::123456789012:role/gateway"

static void assert_empty(const struct vault_plan *plan)
{
    static const struct vault_plan empty;

    assert_int_equal(plan->base, VAULT_PLAN_KEYS);
    assert_null(plan->keys.access_key_id);
    assert_null(plan->keys.secret_access_key);
    assert_null(plan->keys.session_token);
    assert_null(plan->token_file);
    assert_int_equal(plan->role_count, 0);
    assert_memory_equal(plan->roles, empty.roles, sizeof empty.roles);
}

static void test_role_is_copied(void **state)
{
    char arn[] = ARN, session[] = "session", external[] = "external";
    struct vault_plan plan = {0};

    (void)state;
    assert_int_equal(vault_plan_add_role(&plan, arn, session, external, 900), VAULT_OK);
    memset(arn, 'x', sizeof arn - 1);
    memset(session, 'x', sizeof session - 1);
    memset(external, 'x', sizeof external - 1);
    assert_int_equal(plan.role_count, 1);
    assert_string_equal(plan.roles[0].arn, ARN);
    assert_string_equal(plan.roles[0].session_name, "session");
    assert_string_equal(plan.roles[0].external_id, "external");
    assert_int_equal(plan.roles[0].duration_seconds, 900);
    vault_plan_clear(&plan);
}

static void test_role_without_more(void **state)
{
    struct vault_plan plan = {0};

    (void)state;
    assert_int_equal(vault_plan_add_role(&plan, ARN, NULL, NULL, 0), VAULT_OK);
    assert_int_equal(vault_plan_add_role(&plan, ARN, "", "", 0), VAULT_OK);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(plan.roles[i].arn, ARN);
        assert_null(plan.roles[i].session_name);
        assert_null(plan.roles[i].external_id);
        assert_int_equal(plan.roles[i].duration_seconds, 0);
    }
    vault_plan_clear(&plan);
}

static void test_roles_keep_their_order(void **state)
{
    struct vault_plan plan = {0};
    char arn[2] = "0";

    (void)state;
    for (int i = 0; i < VAULT_PLAN_ROLES_MAX; i++) {
        arn[0] = (char)('0' + i);
        assert_int_equal(vault_plan_add_role(&plan, arn, NULL, NULL, i), VAULT_OK);
    }
    assert_int_equal(vault_plan_add_role(&plan, "x", NULL, NULL, 0), VAULT_TOO_LARGE);
    assert_int_equal(plan.role_count, VAULT_PLAN_ROLES_MAX);
    for (int i = 0; i < VAULT_PLAN_ROLES_MAX; i++) {
        assert_int_equal(plan.roles[i].arn[0], '0' + i);
        assert_int_equal(plan.roles[i].duration_seconds, i);
    }
    vault_plan_clear(&plan);
}

static void test_clear(void **state)
{
    struct vault_plan plan = {.base = VAULT_PLAN_WEB_IDENTITY};
    struct vault_message why = {0};

    (void)state;
    vault_plan_clear(&plan);
    assert_empty(&plan);
    plan.base = VAULT_PLAN_WEB_IDENTITY;
    plan.token_file = vault_copy("/token", 6);
    assert_int_equal(vault_credential_set(&plan.keys, "AKID", "secret", "token", "here", &why),
                     VAULT_OK);
    for (int i = 0; i < VAULT_PLAN_ROLES_MAX; i++)
        assert_int_equal(vault_plan_add_role(&plan, ARN, "session", "external", 900), VAULT_OK);
    vault_plan_clear(&plan);
    assert_empty(&plan);
    vault_plan_clear(&plan);
    assert_empty(&plan);
}

static void test_no_memory(void **state)
{
    struct vault_plan plan = {0};
    enum vault_status status;
    unsigned long nth = 0;

    (void)state;
    assert_int_equal(vault_plan_add_role(&plan, "first", NULL, NULL, 0), VAULT_OK);
    do {
        vault_alloc_fail(++nth);
        status = vault_plan_add_role(&plan, ARN, "session", "external", 900);
        vault_alloc_fail(0);
        if (status != VAULT_OK) {
            assert_int_equal(status, VAULT_NO_MEMORY);
            assert_int_equal(plan.role_count, 1);
            assert_string_equal(plan.roles[0].arn, "first");
            assert_null(plan.roles[1].arn);
        }
    } while (status != VAULT_OK);
    assert_int_equal(nth, 4);
    assert_string_equal(plan.roles[1].arn, ARN);
    vault_plan_clear(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_role_is_copied),
        cmocka_unit_test(test_role_without_more),
        cmocka_unit_test(test_roles_keep_their_order),
        cmocka_unit_test(test_clear),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
