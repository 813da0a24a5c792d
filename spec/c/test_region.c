/* test_region - the region of a fetch for which nobody named one.
 *
 * For:   vault_region_*: the profile's, else the instance's, asked once in the life of a process;
 *        what is said where there is none; lost memory.
 * Never: instance metadata's own rules (test_credentials_imds), the files' grammar (test_ini).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "identity_script.h"
#include "region.h"

#define IN_INSTANCE                                                                                \
    {ASKS_TOKEN, .body = TOKEN},                                                                   \
    {                                                                                              \
        ASKS_REGION, .body = "eu-north-1"                                                          \
    }
#define NOWHERE                                                                                    \
    "no AWS region: none in the reference, its ARN or the vault, in KONG_VAULT_AWS_REGION, "       \
    "AWS_REGION or AWS_DEFAULT_REGION; profile (no file %/.aws/credentials; no file "              \
    "%/.aws/config), instance metadata ("

struct locating {
    struct vault_environment *environment;
    struct vault_credential_query query;
    struct vault_exchange exchange;
    struct vault_region_run run;
    struct vault_buffer region;
    unsigned asked;
};

static void open_locating(struct locating *it, const char *entry)
{
    const char *const entries[] = {entry, NULL};

    memset(it, 0, sizeof *it);
    it->environment = environment_with(entries);
    it->query.environment = it->environment;
    vault_exchange_init(&it->exchange);
    vault_buffer_init(&it->region, 64);
    vault_region_begin(&it->run, &it->query, &it->exchange);
}

static void close_locating(struct locating *it)
{
    vault_region_free(&it->run);
    vault_buffer_free(&it->region);
    vault_exchange_free(&it->exchange);
    vault_environment_free(it->environment);
}

static enum vault_status locate(struct locating *it, const struct ask *asks)
{
    enum vault_step step;

    while ((step = vault_region_next(&it->run, NOW, &it->region)) != VAULT_STEP_DONE) {
        if (step == VAULT_STEP_EXCHANGE)
            answer_ask(&it->exchange, &asks[it->asked++]);
        else
            assert_true(it->run.pause_ms > 0);
    }
    assert_null(asks[it->asked].asks);
    assert_null(strstr(it->run.why.text, "CANARY"));
    if (it->run.status != VAULT_OK)
        assert_int_equal(it->region.length, 0);
    return it->run.status;
}

static void check_region(const char *entry, const struct ask *asks, const char *wanted)
{
    struct locating it;

    open_locating(&it, entry);
    assert_int_equal(locate(&it, asks), VAULT_OK);
    assert_string_equal(it.region.data, wanted);
    close_locating(&it);
}

static int forget(void **state)
{
    (void)state;
    vault_region_forget();
    put(".aws/config", NULL);
    return 0;
}

static const struct ask none[] = {{0}};
static const struct ask in_instance[] = {IN_INSTANCE, {0}};

static void test_the_profile_goes_first(void **state)
{
    (void)state;
    put_profile("[default]\nregion = eu-west-3\n[profile x]\nregion = eu-west-2\n");
    check_region(NULL, none, "eu-west-3");
    check_region("AWS_PROFILE=x", none, "eu-west-2");
    put_profile("[default]\nregion =\n");
    check_region(NULL, in_instance, "eu-north-1");
    put_profile("[default]\nregion = eu-west-3\n");
    check_region(NULL, none, "eu-west-3");
}

static void test_the_instance_is_asked_once(void **state)
{
    (void)state;
    check_region(NULL, in_instance, "eu-north-1");
    check_region(NULL, none, "eu-north-1");
    vault_region_forget();
    check_region(NULL, in_instance, "eu-north-1");
}

static void test_the_instance_without_a_token(void **state)
{
    static const struct ask asks[] = {
        {ASKS_TOKEN, .status = 404}, {ASKS_REGION, .body = "x-1"}, {0}};

    (void)state;
    check_region(NULL, asks, "x-1");
}

static const struct {
    const char *entry;
    const char *config;
    struct ask asks[3];
    enum vault_status status;
    const char *message;
} failures[] = {
    {NO_IMDS, NULL, {{0}}, VAULT_NO_REGION, NOWHERE "AWS_EC2_METADATA_DISABLED is true)"},
    {NULL,
     NULL,
     {{ASKS_TOKEN, .outcome = VAULT_CONNECT_FAILED}},
     VAULT_NO_REGION,
     NOWHERE "instance metadata at " BASE ": planted)"},
    {NULL,
     NULL,
     {{ASKS_TOKEN, .body = TOKEN}, {ASKS_REGION, .status = 404}},
     VAULT_NO_REGION,
     NOWHERE "the instance knows no region)"},
    {NULL,
     NULL,
     {{ASKS_TOKEN, .body = TOKEN}, {ASKS_REGION, .status = 500}},
     VAULT_SERVER_ERROR,
     NOWHERE "instance metadata at " BASE ": HTTP 500 for /latest/meta-data/placement/region)"},
    {NULL,
     NULL,
     {{ASKS_TOKEN, .body = TOKEN}, {ASKS_REGION, .body = "<CANARY>"}},
     VAULT_BAD_RESPONSE,
     NOWHERE "instance metadata at " BASE ": HTTP 200: what came is no region)"},
    {"AWS_CONFIG_FILE=%", NULL, {{0}}, VAULT_BAD_PROFILE, "cannot open %: not a regular file"},
};

/* What broke is told apart from what is not there, and neither is kept. */
static void test_nowhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        struct locating it;

        open_locating(&it, failures[i].entry);
        assert_int_equal(locate(&it, failures[i].asks), failures[i].status);
        check_message(&it.run.why, failures[i].message);
        close_locating(&it);
    }
    check_region(NULL, in_instance, "eu-north-1");
}

static void test_given_up_midway(void **state)
{
    struct locating it;

    (void)state;
    open_locating(&it, NULL);
    assert_int_equal(vault_region_next(&it.run, NOW, &it.region), VAULT_STEP_EXCHANGE);
    close_locating(&it);
    check_region(NULL, in_instance, "eu-north-1");
}

static void next_waits(struct locating *it)
{
    assert_int_equal(vault_region_next(&it->run, NOW, &it->region), VAULT_STEP_PAUSE);
    assert_true(it->run.pause_ms > 0);
}

/* Fifty that begin at once ask the instance once, and share what comes of it. */
static void test_one_asks_the_others_wait(void **state)
{
    static const struct ask refusal[] = {{ASKS_TOKEN, .outcome = VAULT_CONNECT_FAILED}, {0}};
    struct locating it, other;

    (void)state;
    open_locating(&it, NULL);
    open_locating(&other, NULL);
    assert_int_equal(vault_region_next(&it.run, NOW, &it.region), VAULT_STEP_EXCHANGE);
    next_waits(&other);
    answer_ask(&it.exchange, &refusal[it.asked++]);
    assert_int_equal(locate(&it, refusal), VAULT_NO_REGION);
    assert_int_equal(locate(&other, none), VAULT_NO_REGION);
    assert_string_equal(other.run.why.text, it.run.why.text);
    close_locating(&it);
    close_locating(&other);

    open_locating(&it, NULL);
    open_locating(&other, NULL);
    assert_int_equal(vault_region_next(&it.run, NOW, &it.region), VAULT_STEP_EXCHANGE);
    next_waits(&other);
    answer_ask(&it.exchange, &in_instance[it.asked++]);
    assert_int_equal(locate(&it, in_instance), VAULT_OK);
    assert_int_equal(locate(&other, none), VAULT_OK);
    assert_string_equal(other.region.data, "eu-north-1");
    close_locating(&it);
    close_locating(&other);
}

/* Whoever asks is freed: one of those that wait asks. */
static void test_the_next_asks(void **state)
{
    struct locating it, other;

    (void)state;
    open_locating(&it, NULL);
    open_locating(&other, NULL);
    assert_int_equal(vault_region_next(&it.run, NOW, &it.region), VAULT_STEP_EXCHANGE);
    next_waits(&other);
    close_locating(&it);
    assert_int_equal(locate(&other, in_instance), VAULT_OK);
    close_locating(&other);
}

/* `known`: the instance was asked before. */
static void fail_each(bool known)
{
    enum vault_status status = VAULT_NO_MEMORY;

    for (unsigned long nth = 1; status != VAULT_OK; nth++) {
        const struct ask *ask = in_instance;
        enum vault_step step = VAULT_STEP_EXCHANGE;
        unsigned long made = 0;
        struct locating it;

        if (!known)
            vault_region_forget();
        open_locating(&it, NULL);
        while (step != VAULT_STEP_DONE) {
            vault_alloc_fail(made < nth ? nth - made : 0);
            step = vault_region_next(&it.run, NOW, &it.region);
            made += vault_alloc_fail(0);
            if (step == VAULT_STEP_EXCHANGE)
                answer_ask(&it.exchange, ask++);
        }
        status = it.run.status;
        assert_int_equal(status, made >= nth ? VAULT_NO_MEMORY : VAULT_OK);
        assert_int_equal(it.region.length == 0, status != VAULT_OK);
        close_locating(&it);
    }
}

static void test_region_allocations(void **state)
{
    (void)state;
    fail_each(false);
    fail_each(true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, forget, forget)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_profile_goes_first),
        TEST(test_the_instance_is_asked_once),
        TEST(test_the_instance_without_a_token),
        TEST(test_nowhere),
        TEST(test_given_up_midway),
        TEST(test_one_asks_the_others_wait),
        TEST(test_the_next_asks),
        TEST(test_region_allocations),
    };

    return cmocka_run_group_tests(tests, make_home, remove_home);
}
