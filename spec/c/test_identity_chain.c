/* test_identity_chain - the order in which the sources of credentials are asked.
 *
 * For:   each link's name, and the plan it comes to.
 * Never: carrying plans out (test_identity); each source's own rules.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "identity_chain.h"

static void test_links(void **state)
{
    static const char *const entries[] = {"AWS_ACCESS_KEY_ID=AKIDCANARY",
                                          "AWS_SECRET_ACCESS_KEY=secretCANARY",
                                          "AWS_ROLE_ARN=arn",
                                          "AWS_WEB_IDENTITY_TOKEN_FILE=/token",
                                          "HOME=/nonexistent",
                                          NULL};
    static const struct {
        const char *name;
        enum vault_status status;
        enum vault_plan_base base;
    } rows[] = {
        {"environment", VAULT_OK, VAULT_PLAN_KEYS},
        {"profile", VAULT_NOT_CONFIGURED, VAULT_PLAN_KEYS},
        {"container", VAULT_OK, VAULT_PLAN_CONTAINER},
        {"web identity", VAULT_OK, VAULT_PLAN_WEB_IDENTITY},
        {"instance metadata", VAULT_OK, VAULT_PLAN_INSTANCE},
    };
    struct vault_environment *environment = NULL;
    struct vault_credential_query query = {0};

    (void)state;
    assert_int_equal(sizeof rows / sizeof *rows, VAULT_CHAIN_LINKS);
    assert_int_equal(vault_environment_new(entries, &environment), VAULT_OK);
    query.environment = environment;
    for (size_t i = 0; i < VAULT_CHAIN_LINKS; i++) {
        struct vault_plan plan = {0};
        struct vault_message why = {0};

        assert_string_equal(vault_chain[i].name, rows[i].name);
        assert_int_equal(vault_chain[i].must_have, strcmp(rows[i].name, "profile") == 0);
        assert_int_equal(vault_chain[i].plan(&query, &plan, &why), rows[i].status);
        assert_int_equal(plan.base, rows[i].base);
        assert_int_equal(plan.keys.access_key_id != NULL, i == 0);
        assert_int_equal(why.length != 0, rows[i].status != VAULT_OK);
        vault_plan_clear(&plan);
    }
    vault_environment_free(environment);
}

static void test_no_memory(void **state)
{
    static const char *const entries[] = {"AWS_ACCESS_KEY_ID=AKIDCANARY",
                                          "AWS_SECRET_ACCESS_KEY=secretCANARY", NULL};
    struct vault_environment *environment = NULL;
    struct vault_credential_query query = {0};
    struct vault_plan plan = {0};
    struct vault_message why = {0};
    enum vault_status status;
    unsigned long nth = 0;

    (void)state;
    assert_int_equal(vault_environment_new(entries, &environment), VAULT_OK);
    query.environment = environment;
    do {
        vault_alloc_fail(++nth);
        status = vault_chain[0].plan(&query, &plan, &why);
        vault_alloc_fail(0);
        assert_true(status == VAULT_OK || (status == VAULT_NO_MEMORY && !plan.keys.access_key_id));
    } while (status != VAULT_OK);
    assert_true(nth > 2);
    vault_plan_clear(&plan);
    vault_environment_free(environment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
