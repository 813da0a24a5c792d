/* test_identity_roles - the roles on top of whoever asks.
 *
 * For:   vault_identity_*: chains of roles and who signs each, the vault's own role, refusals, web
 *        identity, lost memory all the way.
 * Never: the order of the chain (test_identity), one assumption's own rules (test_identity_role).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "identity_script.h"

static const char *const no_imds[] = {NO_IMDS, NULL};
static const char *const by_token[] = {"AWS_ROLE_ARN=" ARN("web"),
                                       "AWS_WEB_IDENTITY_TOKEN_FILE=%/token",
                                       "AWS_ROLE_SESSION_NAME=pod", NO_IMDS, NULL};

#define CHAIN                                                                                      \
    "[default]\nrole_arn = " ARN(                                                                  \
        "c") "\nsource_profile = b\nduration_seconds = 900\n"                                      \
             "[profile b]\nrole_arn = " ARN(                                                       \
                 "b") "\nsource_profile = a\nexternal_id = id:b\n"                                 \
                      "[profile a]\nrole_arn = " ARN(                                              \
                          "a") "\nsource_profile = base\nrole_session_name = alice\n"              \
                               "[profile base]\n" PAIR("base")
#define ASKS_A                                                                                     \
    {                                                                                              \
        STS, "AKIDCANARYbase", ROLE_BODY("a", "alice"), .body = STS_KEYS("a")                      \
    }
#define ASKS_B                                                                                     \
    {                                                                                              \
        STS, "ASIACANARYa", ROLE_BODY("b", "KongVault&ExternalId=id%3Ab"), .body = STS_KEYS("b")   \
    }
#define ASKS_C                                                                                     \
    {                                                                                              \
        STS, "ASIACANARYb", ROLE_BODY("c", "KongVault&DurationSeconds=900"), .body = STS_KEYS("c") \
    }

static const struct vault_identity_request nobody = {.region = "eu-west-1"};
static const struct vault_identity_request with_role = {
    .region = "eu-west-1",
    .assume_role_arn = ARN("own"),
    .external_id = "ext",
    .sts_endpoint_url = "https://sts.example.com",
};

static void check_key(struct asking *asking, const char *key, const char *source)
{
    assert_string_equal(asking->credential.access_key_id, key);
    assert_string_equal(asking->credential.source, source);
    assert_int_equal(asking->credential.expires, NOW + 3600);
    close_asking(asking);
}

static void test_a_chain_of_three_in_order(void **state)
{
    static const struct ask asks[] = {ASKS_A, ASKS_B, ASKS_C, {0}};
    struct asking asking;

    (void)state;
    put_profile(CHAIN);
    assert_int_equal(find_out_with(&asking, no_imds, &nobody, asks), VAULT_OK);
    check_key(&asking, "ASIACANARYc", "assumed role");
}

/* The profile's roles go to AWS's own endpoint, the vault's own to its own. */
static void test_the_vaults_own_role_on_top(void **state)
{
    static const struct ask asks[] = {ASKS_A,
                                      ASKS_B,
                                      ASKS_C,
                                      {"POST https://sts.example.com/", "ASIACANARYc",
                                       ROLE_BODY("own", "KongVault&ExternalId=ext"),
                                       .body = STS_KEYS("own")},
                                      {0}};
    struct asking asking;

    (void)state;
    put_profile(CHAIN);
    assert_int_equal(find_out_with(&asking, no_imds, &with_role, asks), VAULT_OK);
    check_key(&asking, "ASIACANARYown", "assumed role");
}

static void test_the_vaults_own_role_with_each_base(void **state)
{
    static const struct vault_identity_request own = {
        "AKIDCANARYown", "secretCANARY", NULL, "eu-west-1", ARN("own"), "gate", NULL, NULL};
    static const struct vault_identity_request chain = {
        .region = "eu-west-1", .assume_role_arn = ARN("own"), .role_session_name = "gate"};
    static const struct ask by_own[] = {
        {STS, "AKIDCANARYown", ROLE_BODY("own", "gate"), .body = STS_KEYS("own")}, {0}};
    static const struct ask by_agent[] = {
        CONTAINER_ASKS,
        {STS, "AKIDCANARY", ROLE_BODY("own", "gate"), .body = STS_KEYS("own")},
        {0}};
    static const struct ask by_instance[] = {
        IMDS_ASKS, {STS, "AKIDCANARY", ROLE_BODY("own", "gate"), .body = STS_KEYS("own")}, {0}};
    const char *const agent[] = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/keys", NULL};
    struct asking asking;

    (void)state;
    put_profile(NULL);
    assert_int_equal(find_out_with(&asking, no_imds, &own, by_own), VAULT_OK);
    check_key(&asking, "ASIACANARYown", "assumed role");
    assert_int_equal(find_out_with(&asking, agent, &chain, by_agent), VAULT_OK);
    check_key(&asking, "ASIACANARYown", "assumed role");
    assert_int_equal(find_out_with(&asking, no_entries, &chain, by_instance), VAULT_OK);
    check_key(&asking, "ASIACANARYown", "assumed role");
}

/* "Environment" is not among them: keys there go before the profile. */
static void test_credential_sources(void **state)
{
    static const struct {
        const char *word;
        struct ask asks[5];
    } rows[] = {
        {"EcsContainer", {CONTAINER_ASKS, {STS, "AKIDCANARY", .body = STS_KEYS("x")}}},
        {"Ec2InstanceMetadata", {IMDS_ASKS, {STS, "AKIDCANARY", .body = STS_KEYS("x")}}},
    };
    const char *const agent[] = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/keys", NULL};
    char text[256];

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct asking asking;

        snprintf(text, sizeof text, "[default]\nrole_arn = " ARN("x") "\ncredential_source = %s\n",
                 rows[i].word);
        put_profile(text);
        assert_int_equal(find_out_with(&asking, agent, &nobody, rows[i].asks), VAULT_OK);
        check_key(&asking, "ASIACANARYx", "assumed role");
    }
    put_profile(NULL);
}

/* ---- refusals ---- */

static void test_a_refused_role_is_never_its_base(void **state)
{
    static const struct {
        struct ask asks[5];
        enum vault_status status;
        const char *message;
    } rows[] = {
        {{{STS, "AKIDCANARYbase", .body = STS_ERROR("AccessDenied"), .status = 403}},
         VAULT_ACCESS_DENIED,
         "assuming the role " ARN("a") ": AccessDenied: planted"},
        {{ASKS_A, {STS, "ASIACANARYa", .body = STS_ERROR("ExpiredToken"), .status = 403}},
         VAULT_EXPIRED_TOKEN,
         "assuming the role " ARN("b") ": ExpiredToken: planted"},
        {{ASKS_A, ASKS_B, {STS, "ASIACANARYb", .body = "<html>CANARY</html>"}},
         VAULT_BAD_RESPONSE,
         NULL},
        {{ASKS_A,
          ASKS_B,
          ASKS_C,
          {"POST https://sts.example.com/", "ASIACANARYc", .outcome = VAULT_TLS_FAILED}},
         VAULT_TLS_FAILED,
         "assuming the role " ARN("own") ": planted"},
    };

    (void)state;
    put_profile(CHAIN);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct asking asking;

        assert_int_equal(find_out_with(&asking, no_imds, &with_role, rows[i].asks), rows[i].status);
        assert_null(asking.credential.access_key_id);
        if (rows[i].message)
            assert_string_equal(asking.message.text, rows[i].message);
        close_asking(&asking);
    }
    put_profile(NULL);
}

#define TEN   "0123456789"
#define OVER  TEN TEN TEN TEN TEN TEN "01234"
#define RULES "assuming the role " ARN("own") ": the "

/* Before the agent or anybody else was asked. */
static void test_a_malformed_role_asks_nobody(void **state)
{
    static const struct {
        struct vault_identity_request request;
        const char *message;
    } rows[] = {
        {{.region = "eu-west-1", .assume_role_arn = ARN("own"), .role_session_name = OVER},
         RULES "role session name is over 64 characters"},
        {{.region = "eu-west-1", .assume_role_arn = ARN("own"), .external_id = "x"},
         RULES "external id is under 2 characters"},
        {{.region = "eu-west-1", .assume_role_arn = "nothing-of-the-kind:role"},
         "assuming the role nothing-of-the-kind:role: the role ARN does not start with arn:"},
    };
    static const struct ask none[] = {{0}};
    const char *const agent[] = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/keys", NULL};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct asking asking;

        assert_int_equal(find_out_with(&asking, agent, &rows[i].request, none), VAULT_BAD_CONFIG);
        assert_string_equal(asking.message.text, rows[i].message);
        close_asking(&asking);
    }
}

static void test_a_role_without_a_region(void **state)
{
    static const struct vault_identity_request request = {"AKIDCANARY", "secretCANARY", NULL, NULL,
                                                          ARN("own"),   NULL,           NULL, NULL};
    static const struct ask none[] = {{0}};
    struct asking asking;

    (void)state;
    assert_int_equal(find_out_with(&asking, no_imds, &request, none), VAULT_NO_REGION);
    close_asking(&asking);
}

/* ---- web identity ---- */

static void change_token(unsigned asked)
{
    put("token", asked == 1 ? "second.CANARY" : "third.CANARY");
}

/* Also: it never goes where the vault's own field says, and the role on top does. */
static void test_a_web_identity_and_its_token_file(void **state)
{
    static const struct ask asks[] = {
        {STS, NULL, TOKEN_BODY("web", "pod&WebIdentityToken=first.CANARY"), .status = 500},
        {STS, NULL, TOKEN_BODY("web", "pod&WebIdentityToken=second.CANARY"),
         .body = STS_KEYS("web")},
        {"POST https://sts.example.com/", "ASIACANARYweb",
         ROLE_BODY("own", "KongVault&ExternalId=ext"), .body = STS_KEYS("own")},
        {0}};
    struct asking asking;

    (void)state;
    put("token", "first.CANARY \r\n");
    open_asking(&asking, by_token);
    asking.after = change_token;
    assert_int_equal(find_out(&asking, &with_role, asks), VAULT_OK);
    assert_int_equal(asking.pauses, 1);
    check_key(&asking, "ASIACANARYown", "assumed role");
}

static void test_a_web_identity_by_environment_and_profile_endpoints(void **state)
{
    const char *const entries[] = {"AWS_ROLE_ARN=" ARN("web"),
                                   "AWS_WEB_IDENTITY_TOKEN_FILE=%/token",
                                   "AWS_ENDPOINT_URL_STS=http://localhost:1", NO_IMDS, NULL};
    static const struct ask local[] = {
        {"POST http://localhost:1/", NULL, NULL, .body = STS_KEYS("w")}, {0}};
    static const struct ask of_profile[] = {
        {"POST http://localhost:2/", NULL, TOKEN_BODY("p", "KongVault&WebIdentityToken=jwt.CANARY"),
         .body = STS_KEYS("w")},
        {0}};
    struct asking asking;
    struct vault_identity_request request = with_role;

    (void)state;
    request.assume_role_arn = NULL;
    put("token", "jwt.CANARY");
    assert_int_equal(find_out_with(&asking, entries, &request, local), VAULT_OK);
    close_asking(&asking);
    put_profile("[default]\nrole_arn = " ARN(
        "p") "\nweb_identity_token_file = ~/token\nendpoint_url = http://localhost:2\n");
    assert_int_equal(find_out_with(&asking, no_imds, &request, of_profile), VAULT_OK);
    check_key(&asking, "ASIACANARYw", "web identity");
    put_profile(NULL);
}

/* ---- lost memory ---- */

struct loss {
    const char *const *entries;
    const struct vault_identity_request *request;
    const struct ask *asks;
};

/* The nth allocation of the whole way fails. False where it has none such. */
static bool fail_nth(const struct loss *loss, unsigned long nth)
{
    struct vault_identity *identity = NULL;
    struct vault_credential credential = {0};
    struct asking asking;
    unsigned long made = 0;
    enum vault_step step = VAULT_STEP_EXCHANGE;
    const struct ask *ask = loss->asks;
    bool failed = false;

    open_asking(&asking, loss->entries);
    assert_int_equal(vault_identity_new(loss->request, &asking.world, &identity), VAULT_OK);
    while (step != VAULT_STEP_DONE) {
        vault_alloc_fail(made < nth ? nth - made : 0);
        step = vault_identity_next(identity, NOW);
        made += vault_alloc_fail(0);
        failed = made >= nth;
        if (step == VAULT_STEP_EXCHANGE)
            answer_ask(vault_identity_exchange(identity), ask++);
    }
    assert_int_equal(vault_identity_status(identity), failed ? VAULT_NO_MEMORY : VAULT_OK);
    assert_null(strstr(vault_identity_message(identity)->text, "CANARY"));
    vault_identity_steal(identity, &credential);
    assert_int_equal(credential.access_key_id == NULL, failed);
    vault_credential_clear(&credential);
    vault_identity_free(identity);
    close_asking(&asking);
    return failed;
}

static void test_allocations_all_the_way(void **state)
{
    static const struct ask by_profile[] = {
        ASKS_A,
        ASKS_B,
        ASKS_C,
        {"POST https://sts.example.com/", "ASIACANARYc", NULL, .body = STS_KEYS("own")},
        {0}};
    static const struct ask by_web[] = {
        {STS, NULL, NULL, .body = STS_KEYS("web")},
        {"POST https://sts.example.com/", "ASIACANARYweb", NULL, .body = STS_KEYS("own")},
        {0}};
    const struct loss losses[] = {{no_imds, &with_role, by_profile},
                                  {by_token, &with_role, by_web}};

    (void)state;
    put("token", "jwt.CANARY");
    for (size_t i = 0; i < 2; i++) {
        unsigned long nth = 1;

        put_profile(i == 0 ? CHAIN : NULL);
        while (fail_nth(&losses[i], nth))
            nth++;
        assert_true(nth > 50);
    }
    put_profile(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_chain_of_three_in_order),
        cmocka_unit_test(test_the_vaults_own_role_on_top),
        cmocka_unit_test(test_the_vaults_own_role_with_each_base),
        cmocka_unit_test(test_credential_sources),
        cmocka_unit_test(test_a_refused_role_is_never_its_base),
        cmocka_unit_test(test_a_malformed_role_asks_nobody),
        cmocka_unit_test(test_a_role_without_a_region),
        cmocka_unit_test(test_a_web_identity_and_its_token_file),
        cmocka_unit_test(test_a_web_identity_by_environment_and_profile_endpoints),
        cmocka_unit_test(test_allocations_all_the_way),
    };

    return cmocka_run_group_tests(tests, make_home, remove_home);
}
