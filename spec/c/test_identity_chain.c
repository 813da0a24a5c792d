/* test_identity_chain - the order in which the sources of credentials are asked.
 *
 * For:   each link's name, and the plan it comes to; whether a region matters to it.
 * Never: carrying plans out (test_identity); each source's own rules.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/resource.h>

#include "identity_chain.h"
#include "profile_home.h"

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

#define WEB  "AWS_ROLE_ARN=arn", "AWS_WEB_IDENTITY_TOKEN_FILE=/token"
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
        {{.region = NULL}, {"AWS_ACCESS_KEY_ID=AKIDCANARY"}, VAULT_NOT_CONFIGURED, NULL, NULL},
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

/* Whether it is one of the chain's, and the chain has a role, or asks for one itself. */
static void test_regional(void **state)
{
    static const struct vault_identity_request none = {.region = "eu-west-1"},
                                               role = {.assume_role_arn = "arn"},
                                               own = {.access_key_id = "AKIDOWN"};
    static const struct {
        const struct vault_identity_request *request;
        const char *config; /* NULL: no file */
        const char *entries[4];
        bool regional;
    } rows[] = {
        {&none, NULL, {NULL}, false},
        {&role, NULL, {NULL}, true},
        {&role, NULL, {BOTH}, true},
        {&own, NULL, {WEB}, false},
        {&none, NULL, {WEB}, true},
        {&none, NULL, {BOTH}, false},
        {&none, "[default]\nrole_arn = arn\ncredential_source = Environment\n", {NULL}, true},
        {&none, "[default]\nrole_arn = arn\ncredential_source = Environment\n", {BOTH}, false},
        {&none, "[default]\ncredential_process = x\n", {WEB}, false},
        {&none, "[default]\nregion = eu-west-1\n", {NULL}, false},
        {&none, "[default]\nregion = eu-west-1\n", {WEB}, true},
        {&none, "[default]\nrole_arn = arn\n", {WEB}, false}, /* broken: nothing comes of it */
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vault_environment *environment = environment_with(rows[i].entries);
        const struct vault_credential_query query = {.environment = environment};
        bool regional = !rows[i].regional;

        put(".aws/config", rows[i].config);
        assert_int_equal(vault_chain_regional(rows[i].request, &query, NULL, 0, &regional),
                         VAULT_OK);
        if (regional != rows[i].regional)
            fail_msg("row %zu", i);
        vault_environment_free(environment);
    }
    put(".aws/config", NULL);
}

#define WITH_ROLE "[default]\nrole_arn = arn\ncredential_source = Environment\n"

static bool is_regional(const struct vault_credential_query *query, struct vault_chain_roles *roles,
                        int64_t now)
{
    const struct vault_identity_request request = {.region = "eu-west-1"};
    bool regional = false;

    assert_int_equal(vault_chain_regional(&request, query, roles, now, &regional), VAULT_OK);
    return regional;
}

/* A file that changes is seen within a second, and what a vault asks for itself is never kept. */
static void test_regional_for_a_second(void **state)
{
    static const struct vault_identity_request role = {.assume_role_arn = "arn"};
    struct vault_environment *environment = environment_with(no_entries);
    const struct vault_credential_query query = {.environment = environment};
    struct vault_chain_roles roles = {0};
    bool regional = false;

    (void)state;
    put(".aws/config", WITH_ROLE);
    assert_true(is_regional(&query, &roles, 5000));
    put(".aws/config", NULL);
    assert_true(is_regional(&query, &roles, 5999));
    assert_false(is_regional(&query, NULL, 5999));
    assert_false(is_regional(&query, &roles, 6000));
    assert_int_equal(vault_chain_regional(&role, &query, &roles, 6000, &regional), VAULT_OK);
    assert_true(regional);
    put(".aws/config", WITH_ROLE);
    assert_false(is_regional(&query, &roles, 6999));
    assert_true(is_regional(&query, &roles, 7000));
    put(".aws/config", NULL);
    vault_environment_free(environment);
}

/* What cannot be read at the moment may have a role. */
static void test_regional_without_descriptors(void **state)
{
    struct vault_environment *environment = environment_with(no_entries);
    const struct vault_credential_query query = {.environment = environment};
    const struct vault_identity_request request = {.region = "eu-west-1"};
    struct rlimit before, none;
    enum vault_status status;
    bool regional = false;

    (void)state;
    put(".aws/config", WITH_ROLE);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){0, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    status = vault_chain_regional(&request, &query, NULL, 0, &regional);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(status, VAULT_OK);
    assert_true(regional);
    put(".aws/config", NULL);
    vault_environment_free(environment);
}

static void test_regional_without_memory(void **state)
{
    static const char *const web[] = {WEB, NULL};
    struct vault_environment *environment = environment_with(web);
    const struct vault_credential_query query = {.environment = environment};
    const struct vault_identity_request request = {.region = "eu-west-1"};
    struct vault_chain_roles roles = {0};
    enum vault_status status = VAULT_NO_MEMORY;
    bool regional = false;

    (void)state;
    for (unsigned long nth = 1; status != VAULT_OK; nth++) {
        assert_int_equal(roles.until_ms, 0);
        vault_alloc_fail(nth);
        status = vault_chain_regional(&request, &query, &roles, 5000, &regional);
        assert_int_equal(status, vault_alloc_fail(0) >= nth ? VAULT_NO_MEMORY : VAULT_OK);
    }
    assert_true(regional);
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
        cmocka_unit_test(test_at_hand),
        cmocka_unit_test(test_regional),
        cmocka_unit_test(test_regional_for_a_second),
        cmocka_unit_test(test_regional_without_descriptors),
        cmocka_unit_test(test_regional_without_memory),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, make_home, remove_home);
}
