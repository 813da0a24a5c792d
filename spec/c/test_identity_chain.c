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

#define BOTH "AWS_ACCESS_KEY_ID=AKIDCANARY", "AWS_SECRET_ACCESS_KEY=secretCANARY"

static void test_at_hand(void **state)
{
    static const struct {
        struct vault_identity_request request;
        const char *entries[4];
        enum vault_status status;
        const char *id, *token;
    } rows[] = {
        {{.region = "eu-west-1"}, {BOTH}, VAULT_OK, "AKIDCANARY", NULL},
        {{.access_key_id = ""}, {BOTH, "AWS_SESSION_TOKEN=t"}, VAULT_OK, "AKIDCANARY", "t"},
        {{.access_key_id = "AKIDOWN", .secret_access_key = "ownCANARY", .session_token = "own"},
         {BOTH},
         VAULT_OK,
         "AKIDOWN",
         "own"},
        {{.access_key_id = "AKIDOWN", .secret_access_key = "ownCANARY"},
         {NULL},
         VAULT_OK,
         "AKIDOWN",
         NULL},
        /* to be found out, or to be told what is amiss */
        {{.region = "eu-west-1"}, {NULL}, VAULT_NOT_CONFIGURED, NULL, NULL},
        {{.assume_role_arn = "arn"}, {BOTH}, VAULT_NOT_CONFIGURED, NULL, NULL},
        {{.access_key_id = "AKIDOWN", .secret_access_key = "ownCANARY", .assume_role_arn = "arn"},
         {BOTH},
         VAULT_NOT_CONFIGURED,
         NULL,
         NULL},
        {{.access_key_id = "AKIDOWN"}, {BOTH}, VAULT_BAD_CONFIG, NULL, NULL},
        {{.secret_access_key = "ownCANARY"}, {BOTH}, VAULT_BAD_CONFIG, NULL, NULL},
        {{.region = NULL}, {"AWS_ACCESS_KEY_ID=AKIDCANARY"}, VAULT_BAD_CONFIG, NULL, NULL},
        {{.region = NULL}, {BOTH "\n"}, VAULT_BAD_CONFIG, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vault_environment *environment = NULL;
        struct vault_credential_query query = {0};
        struct vault_credential credential = {0};

        assert_int_equal(vault_environment_new(rows[i].entries, &environment), VAULT_OK);
        query.environment = environment;
        assert_int_equal(vault_chain_at_hand(&rows[i].request, &query, &credential),
                         rows[i].status);
        assert_int_equal(credential.access_key_id != NULL, rows[i].id != NULL);
        if (rows[i].id)
            assert_string_equal(credential.access_key_id, rows[i].id);
        assert_int_equal(credential.session_token != NULL, rows[i].token != NULL);
        if (rows[i].token)
            assert_string_equal(credential.session_token, rows[i].token);
        vault_credential_clear(&credential);
        vault_environment_free(environment);
    }
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
        cmocka_unit_test(test_at_hand),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
