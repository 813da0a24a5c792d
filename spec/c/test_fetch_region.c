/* test_fetch_region - a fetch that must ask for its region first, and every edge of the table.
 *
 * For:   the instance's region; whether the region matters to who asks; the walk of all the states;
 *        lost memory on all the way.
 * Never: other regions (test_region); who asks (test_fetch_prepare).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "caller_script.h"

static void test_region_of_the_instance(void **state)
{
    struct vault_fetch_request request = request_without_region();
    struct stage stage;

    (void)state;
    open_stage(&stage, instance);
    assert_int_equal(ask_all(&stage, &request, (struct answer[]){token, region, good}, 3, NULL),
                     VAULT_OK);
    assert_int_equal(ask_all(&stage, &request, &good, 1, NULL), VAULT_OK); /* known now */
    vault_region_forget();
    assert_int_equal(
        ask_all(&stage, &request, (struct answer[]){token, region_busy, region, good}, 4, NULL),
        VAULT_OK);
    assert_int_equal(stage.paused_ms[0], 100);
    /* It is the role's region too. */
    vault_region_forget();
    request.caller.assume_role_arn = ROLE;
    assert_int_equal(
        ask_all(&stage, &request, (struct answer[]){token, region, first_role, good}, 4, NULL),
        VAULT_OK);
    close_stage(&stage);
}

static void test_deadline_at_the_instance(void **state)
{
    static const struct answer slow = {
        .url = REGION_URL, .outcome = VAULT_TIMEOUT, .takes_ms = 100};
    struct vault_fetch_request request = request_without_region();
    struct vault_message message;
    struct stage stage;

    (void)state;
    open_stage(&stage, instance);
    request.timeout_ms = 100;
    assert_int_equal(ask_all(&stage, &request, (struct answer[]){token, slow}, 2, &message),
                     VAULT_TIMEOUT);
    assert_string_equal(message.text, "secret \"db\": the time allowed for the fetch is over while "
                                      "the instance was asked for its region: planted");
    assert_int_equal(ask_all(&stage, &request, (struct answer[]){token, region_busy}, 2, &message),
                     VAULT_TIMEOUT);
    assert_int_equal(stage.pauses, 0);
    close_stage(&stage);
}

#define KEYS_URL IMDS "meta-data/iam/security-credentials/"
#define INSTANCE_KEYS                                                                              \
    "{\"Code\":\"Success\",\"Type\":\"AWS-HMAC\",\"AccessKeyId\":\"AKIDINSTANCE\","                \
    "\"SecretAccessKey\":\"secretCANARY\",\"Token\":\"tokenCANARY\","                              \
    "\"Expiration\":\"2015-08-30T18:36:00Z\"}"

#define WEB_KEYS(id)                                                                               \
    "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>"            \
    "<AccessKeyId>" id "</AccessKeyId><SecretAccessKey>roleCANARY</SecretAccessKey><SessionToken>" \
    "roleCANARY</SessionToken><Expiration>2015-08-30T13:36:00Z</Expiration></Credentials>"         \
    "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"

static const char *const regions[] = {"eu-west-1", "eu-central-1", "us-east-1", "cn-north-1"};
static const struct answer roles_name = {.url = KEYS_URL, .body = "gateway"};
static const struct answer roles_keys = {.url = KEYS_URL "gateway", .body = INSTANCE_KEYS};

/* The machine's own role is the same everywhere: it is asked for once. */
static void test_regions_of_one_credential(void **state)
{
    static const char *const bare[] = {"HOME=/nonexistent", NULL};
    struct answer answers[] = {token, roles_name, roles_keys, good};
    struct vault_chain_roles roles = {0};
    struct stage stage;

    (void)state;
    open_stage(&stage, bare);
    stage.world.roles = &roles;
    for (size_t i = 0; i < sizeof regions / sizeof *regions; i++) {
        struct vault_fetch_request request = request_of("db");

        request.region = regions[i];
        assert_int_equal(ask_all(&stage, &request, i ? &answers[3] : answers, i ? 1 : 4, NULL),
                         VAULT_OK);
        assert_string_equal(stage.keys[0], "AKIDINSTANCE");
        pass(&stage, 700);
    }
    close_stage(&stage);
}

/* A role of the environment's is assumed where the fetch goes. */
static void test_regions_of_a_web_identity(void **state)
{
    static const char *const entries[] = {"HOME=/nonexistent", "AWS_ROLE_ARN=" ROLE,
                                          "AWS_WEB_IDENTITY_TOKEN_FILE=spec/fuzz/corpus/sts/token",
                                          NULL};
    struct stage stage;

    (void)state;
    open_stage(&stage, entries);
    for (size_t i = 0; i < sizeof regions / sizeof *regions; i++) {
        struct vault_fetch_request request = request_of("db");
        struct vault_fetch *fetch;

        request.region = regions[i];
        fetch = open_fetch(&stage, &request);
        (void)step(&stage, fetch, NULL);
        assert_non_null(strstr(vault_fetch_exchange(fetch)->url.data, regions[i]));
        perform(&stage, fetch,
                &(struct answer){.url = vault_fetch_exchange(fetch)->url.data,
                                 .body = WEB_KEYS("ASIAWEB")});
        assert_int_equal(step(&stage, fetch, &good), VAULT_FETCH_NEED_EXCHANGE);
        assert_int_equal(step(&stage, fetch, NULL), VAULT_FETCH_NEED_NOTHING);
        assert_int_equal(vault_fetch_status(fetch), VAULT_OK);
        vault_fetch_free(fetch);
    }
    close_stage(&stage);
}

/* An errand keeps what it brings where its sender looks, though a file has changed since. */
static void test_errand_of_one_credential(void **state)
{
    static const char *const bare[] = {"HOME=/nonexistent", NULL};
    const struct answer answers[] = {roles_name, roles_keys};
    const struct vault_fetch_request request = request_of("db");
    struct vault_chain_roles roles = {0};
    struct vault_fetch *fetch, *errand;
    struct stage stage;

    (void)state;
    open_stage(&stage, bare);
    stage.world.roles = &roles;
    stage.world.errands = true;
    fetch = open_fetch(&stage, &request);
    assert_int_equal(step(&stage, fetch, NULL), VAULT_FETCH_NEED_TIME);
    errand = vault_fetch_take_errand(fetch, stage.now);
    assert_non_null(errand);
    roles.any = true;
    assert_int_equal(step(&stage, errand, &token), VAULT_FETCH_NEED_EXCHANGE);
    assert_int_equal(drive(&stage, errand, answers, 2), VAULT_OK);
    vault_fetch_free(errand);
    vault_fetch_rouse(fetch);
    assert_int_equal(step(&stage, fetch, &good), VAULT_FETCH_NEED_EXCHANGE);
    assert_int_equal(step(&stage, fetch, NULL), VAULT_FETCH_NEED_NOTHING);
    assert_int_equal(vault_fetch_status(fetch), VAULT_OK);
    vault_fetch_free(fetch);
    close_stage(&stage);
}

/* End a fetch after each number of steps; `answers` lead it on. */
static void end_everywhere(struct stage *stage, const struct vault_fetch_request *request,
                           const struct answer *answers, unsigned most)
{
    for (unsigned steps = 0; steps <= most; steps++) {
        struct vault_fetch *fetch = open_fetch(stage, request);
        unsigned used = 0;

        vault_credential_cache_clear();
        vault_region_forget();
        for (unsigned i = 0; i < steps; i++) {
            if (step(stage, fetch, &answers[used]) == VAULT_FETCH_NEED_EXCHANGE)
                used++;
            else
                pass(stage, vault_fetch_wake(fetch) - stage->now.monotonic_ms);
        }
        vault_fetch_fail(fetch, VAULT_CANCELLED, "the worker is leaving");
        assert_int_equal(vault_fetch_status(fetch), VAULT_CANCELLED);
        vault_fetch_free(fetch);
    }
}

/* All the ways, and at the end every edge of the table has been seen. */
static void test_every_edge(void **state)
{
    static const struct answer skewed = {.body = ERROR("RequestTimeTooSkewed"),
                                         .clock_off_s = 1200};
    struct vault_fetch_request request = request_without_region();
    struct vault_fetch_request bad = request_of("");
    struct stage stage;

    (void)state;
    open_stage(&stage, instance);
    stage.bits = UINT32_MAX;
    request.caller.assume_role_arn = ROLE;
    end_everywhere(&stage, &request,
                   (struct answer[]){token, region_busy, region, throttled_role, first_role, busy},
                   9);
    vault_credential_cache_clear();
    vault_region_forget();
    assert_int_equal(ask_all(&stage, &request,
                             (struct answer[]){token, region_busy, region, throttled_role,
                                               first_role, expired, second_role, busy, good},
                             9, NULL),
                     VAULT_OK);
    assert_int_equal(play(&stage, (struct answer[]){skewed, good}, 2, NULL), VAULT_OK);
    assert_int_equal(play(&stage, (struct answer[]){expired, expired}, 2, NULL),
                     VAULT_EXPIRED_TOKEN);
    assert_int_equal(ask_all(&stage, &bad, NULL, 0, NULL), VAULT_BAD_REFERENCE);
    bad.caller.access_key_id = "half";
    assert_int_equal(ask_all(&stage, &bad, NULL, 0, NULL), VAULT_BAD_CONFIG);
    for (int from = 0; from < VAULT_FETCH_STATE_COUNT; from++)
        for (int to = 0; to < VAULT_FETCH_STATE_COUNT; to++)
            if (stage.edges[from][to] != edge_is_right(from, to))
                fail_msg("the edge %d -> %d was%s seen", from, to,
                         stage.edges[from][to] ? "" : " not");
    close_stage(&stage);
}

static void test_allocations(void **state)
{
    const struct answer answers[] = {
        token, region_busy, region, throttled_role, first_role, expired, second_role, busy, good};
    struct vault_fetch_request request = request_without_region();

    (void)state;
    request.caller.assume_role_arn = ROLE;
    request.caller.role_session_name = "gateway";
    play_without_memory(instance, &request, answers, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_region_of_the_instance),
        cmocka_unit_test(test_deadline_at_the_instance),
        cmocka_unit_test(test_regions_of_one_credential),
        cmocka_unit_test(test_regions_of_a_web_identity),
        cmocka_unit_test(test_errand_of_one_credential),
        cmocka_unit_test(test_every_edge),
        cmocka_unit_test(test_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
