/* test_fetch_prepare - a fetch that must ask for credentials first.
 *
 * For:   what is asked when; fetches that share credentials; whose retries are drawn on; deadlines
 *        and ends from outside before the first attempt.
 * Never: sources and roles one by one (test_identity); the cache's times (test_credential_cache);
 *        regions, every edge (test_fetch_region).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "caller_script.h"

#define LATE "secret \"db\" in eu-west-1: the time allowed for the fetch is over"

static void test_role_is_assumed_once(void **state)
{
    const struct vault_fetch_request request = role_request();
    struct vault_fetch_request other = role_request();
    struct stage stage;

    (void)state;
    open_stage(&stage, NULL);
    assert_int_equal(ask_all(&stage, &request, (struct answer[]){first_role, good}, 2, NULL),
                     VAULT_OK);
    assert_string_equal(stage.keys[0], "ASIAFIRST");
    assert_int_equal(ask_all(&stage, &request, &good, 1, NULL), VAULT_OK);
    assert_string_equal(stage.keys[0], "ASIAFIRST");
    other.caller.external_id = "other";
    assert_int_equal(ask_all(&stage, &other, (struct answer[]){second_role, good}, 2, NULL),
                     VAULT_OK);
    assert_string_equal(stage.keys[0], "ASIASECOND");
    close_stage(&stage);
}

/* A vault's own keys: no source is asked, and the environment's are not taken. */
static void test_own_keys(void **state)
{
    struct vault_fetch_request request = request_of("db");
    struct vault_message message;
    struct stage stage;

    (void)state;
    open_stage(&stage, NULL);
    request.caller.access_key_id = "AKIDOWN";
    request.caller.secret_access_key = "ownCANARY";
    assert_int_equal(ask_all(&stage, &request, &good, 1, NULL), VAULT_OK);
    assert_string_equal(stage.keys[0], "AKIDOWN");
    assert_int_equal(ask_all(&stage, &request, (struct answer[]){expired, expired}, 2, NULL),
                     VAULT_EXPIRED_TOKEN);
    assert_string_equal(stage.keys[1], "AKIDOWN");
    request.caller.secret_access_key = "";
    assert_int_equal(ask_all(&stage, &request, NULL, 0, &message), VAULT_BAD_CONFIG);
    assert_non_null(strstr(message.text, "the secret access key is empty"));
    close_stage(&stage);
}

/* What AWS no longer takes is had anew, and nobody gets the old one any more. */
static void test_refused_credential_is_dropped(void **state)
{
    static const struct answer refused = {.body = ERROR("UnrecognizedClientException")};
    const struct vault_fetch_request request = role_request();
    struct stage stage;

    (void)state;
    for (int i = 0; i < 2; i++) {
        const struct answer *refusal = i ? &refused : &expired;

        open_stage(&stage, NULL);
        assert_int_equal(ask_all(&stage, &request, (struct answer[]){first_role, good}, 2, NULL),
                         VAULT_OK);
        assert_int_equal(
            ask_all(&stage, &request, (struct answer[]){*refusal, second_role, good}, 3, NULL),
            VAULT_OK);
        assert_string_equal(stage.keys[0], "ASIAFIRST");
        assert_string_equal(stage.keys[1], "ASIASECOND");
        assert_int_equal(ask_all(&stage, &request, &good, 1, NULL), VAULT_OK);
        assert_string_equal(stage.keys[0], "ASIASECOND");
        /* Once in a fetch. */
        assert_int_equal(
            ask_all(&stage, &request, (struct answer[]){*refusal, first_role, *refusal}, 3, NULL),
            i ? VAULT_CREDENTIALS_REFUSED : VAULT_EXPIRED_TOKEN);
        close_stage(&stage);
    }
}

static void test_role_that_is_refused(void **state)
{
    static const struct answer denied = {
        .url = STS_URL, .body = STS_ERROR("AccessDenied"), .status = 403};
    const struct vault_fetch_request request = role_request();
    struct vault_message message;
    struct stage stage;

    (void)state;
    open_stage(&stage, NULL);
    assert_int_equal(ask_all(&stage, &request, &denied, 1, &message), VAULT_ACCESS_DENIED);
    assert_string_equal(message.text, "secret \"db\" in eu-west-1: assuming the role " ROLE
                                      ": AccessDenied: planted");
    /* Between two attempts: what broke last is what is said. */
    assert_int_equal(
        ask_all(&stage, &request, (struct answer[]){first_role, expired, denied}, 3, &message),
        VAULT_ACCESS_DENIED);
    assert_null(strstr(message.text, "ExpiredToken"));
    assert_int_equal(ask_all(&stage, &request, (struct answer[]){second_role, good}, 2, NULL),
                     VAULT_OK);
    close_stage(&stage);
}

static void test_others_wait_for_the_one_who_asks(void **state)
{
    const struct vault_fetch_request request = role_request();
    struct vault_fetch *one, *other;
    struct stage stage;

    (void)state;
    open_stage(&stage, NULL);
    one = open_fetch(&stage, &request);
    other = open_fetch(&stage, &request);
    assert_int_equal(step(&stage, one, &first_role), VAULT_FETCH_NEED_EXCHANGE);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(step(&stage, other, NULL), VAULT_FETCH_NEED_TIME);
        assert_int_equal(step(&stage, other, NULL), VAULT_FETCH_NEED_TIME);
        assert_true(vault_fetch_wake(other) > stage.now.monotonic_ms);
        pass(&stage, vault_fetch_wake(other) - stage.now.monotonic_ms);
    }
    assert_int_equal(step(&stage, one, &good), VAULT_FETCH_NEED_EXCHANGE);
    assert_int_equal(step(&stage, other, &good), VAULT_FETCH_NEED_EXCHANGE);
    assert_string_equal(stage.keys[1], "ASIAFIRST");
    assert_int_equal(step(&stage, one, NULL), VAULT_FETCH_NEED_NOTHING);
    assert_int_equal(step(&stage, other, NULL), VAULT_FETCH_NEED_NOTHING);
    assert_int_equal(vault_fetch_status(one), VAULT_OK);
    assert_int_equal(vault_fetch_status(other), VAULT_OK);
    vault_fetch_free(one);
    vault_fetch_free(other);
    close_stage(&stage);
}

/* In the middle of it, and after what was asked was refused: whoever comes next asks at once. */
static void test_an_end_lets_others_ask(void **state)
{
    const struct vault_fetch_request request = role_request();
    struct stage stage;

    (void)state;
    for (int way = 0; way < 4; way++) {
        struct vault_fetch *fetch;

        open_stage(&stage, NULL);
        stage.bits = UINT32_MAX;
        fetch = open_fetch(&stage, &request);
        assert_int_equal(step(&stage, fetch, &throttled_role), VAULT_FETCH_NEED_EXCHANGE);
        if (way >= 2) /* in AWAIT, not in ASK */
            assert_int_equal(step(&stage, fetch, NULL), VAULT_FETCH_NEED_TIME);
        if (way % 2)
            vault_fetch_fail(fetch, VAULT_CANCELLED, "the worker is leaving");
        else
            vault_fetch_free(fetch);
        assert_int_equal(ask_all(&stage, &request, (struct answer[]){first_role, good}, 2, NULL),
                         VAULT_OK);
        assert_int_equal(stage.pauses, 0);
        assert_int_equal(*tokens_of(&stage.budgets, SECRETS_HOST), 500);
        if (way % 2) {
            assert_string_equal(vault_fetch_message(fetch)->text,
                                "secret \"db\" in eu-west-1: the worker is leaving");
            assert_int_equal(vault_fetch_exchange(fetch)->url.length, 0);
            vault_fetch_free(fetch);
        }
        close_stage(&stage);
    }
}

static void test_role_is_tried_again(void **state)
{
    const struct vault_fetch_request request = role_request();
    struct vault_message message;
    struct stage stage;

    (void)state;
    open_stage(&stage, NULL);
    stage.bits = UINT32_MAX;
    assert_int_equal(ask_all(&stage, &request,
                             (struct answer[]){throttled_role, first_role, busy, good}, 4, NULL),
                     VAULT_OK);
    assert_int_equal(stage.paused_ms[0], 999);
    assert_int_equal(stage.exchanges, 2);
    close_stage(&stage);
    open_stage(&stage, NULL);
    assert_int_equal(ask_all(&stage, &request,
                             (struct answer[]){throttled_role, throttled_role, throttled_role}, 3,
                             &message),
                     VAULT_THROTTLED);
    assert_null(strstr(strstr(message.text, "Throttling") + 1, "Throttling"));
    close_stage(&stage);
}

/* One host out of reach, be it Secrets Manager's or STS's, leaves the others their retries. */
static void test_budgets_of_hosts(void **state)
{
    struct vault_fetch_request other = request_of("db"), by_role = role_request();
    struct stage stage;

    (void)state;
    open_stage(&stage, NULL);
    *tokens_of(&stage.budgets, SECRETS_HOST) = 0;
    assert_int_equal(play(&stage, &busy, 1, NULL), VAULT_SERVER_ERROR);
    other.region = "eu-central-1";
    assert_int_equal(ask_all(&stage, &other, (struct answer[]){busy, good}, 2, NULL), VAULT_OK);
    assert_int_equal(
        ask_all(&stage, &by_role, (struct answer[]){throttled_role, first_role, good}, 3, NULL),
        VAULT_OK);
    assert_int_equal(*tokens_of(&stage.budgets, STS_HOST), 500);
    assert_int_equal(*tokens_of(&stage.budgets, SECRETS_HOST), 1);
    assert_int_equal(play(&stage, &busy, 1, NULL), VAULT_SERVER_ERROR);
    close_stage(&stage);
}

/* The time is over while a role is assumed: said with what was amiss, and nothing stays drawn. */
static void test_deadline_before_the_first_attempt(void **state)
{
    static const struct answer slow = {
        .url = STS_URL, .body = ROLE_KEYS("ASIAFIRST"), .takes_ms = 500};
    static const struct answer stuck = {.url = STS_URL, .outcome = VAULT_TIMEOUT, .takes_ms = 500};
    struct vault_fetch_request request = role_request();
    struct vault_message message;
    struct stage stage;

    (void)state;
    open_stage(&stage, NULL);
    stage.bits = UINT32_MAX;
    request.timeout_ms = 500;
    assert_int_equal(ask_all(&stage, &request, &slow, 1, &message), VAULT_TIMEOUT);
    assert_string_equal(message.text, LATE " while credentials were asked for");
    assert_int_equal(ask_all(&stage, &request, &stuck, 1, &message), VAULT_TIMEOUT);
    assert_string_equal(message.text, LATE " while credentials were asked for: planted");
    assert_int_equal(ask_all(&stage, &request, &throttled_role, 1, &message), VAULT_TIMEOUT);
    assert_string_equal(message.text,
                        LATE " while credentials were asked for: assuming the role " ROLE
                             ": Throttling: planted");
    assert_int_equal(stage.pauses, 0);
    assert_int_equal(*tokens_of(&stage.budgets, SECRETS_HOST), 500);
    assert_int_equal(ask_all(&stage, &request, (struct answer[]){first_role, good}, 2, NULL),
                     VAULT_OK);
    close_stage(&stage);
}

/* A driver that comes late out of the wait. */
static void test_deadline_in_the_wait(void **state)
{
    struct vault_fetch_request request = role_request();
    struct vault_fetch *one, *other;
    struct stage stage;

    (void)state;
    open_stage(&stage, NULL);
    one = open_fetch(&stage, &request);
    request.timeout_ms = 100;
    other = open_fetch(&stage, &request);
    assert_int_equal(step(&stage, one, NULL), VAULT_FETCH_NEED_EXCHANGE);
    assert_int_equal(step(&stage, other, NULL), VAULT_FETCH_NEED_TIME);
    pass(&stage, 100);
    assert_int_equal(step(&stage, other, NULL), VAULT_FETCH_NEED_NOTHING);
    assert_int_equal(vault_fetch_status(other), VAULT_TIMEOUT);
    assert_string_equal(vault_fetch_message(other)->text, LATE " while credentials were asked for");
    perform(&stage, one, &first_role);
    assert_int_equal(step(&stage, one, &good), VAULT_FETCH_NEED_EXCHANGE);
    assert_int_equal(step(&stage, one, NULL), VAULT_FETCH_NEED_NOTHING);
    assert_int_equal(vault_fetch_status(one), VAULT_OK);
    vault_fetch_free(one);
    vault_fetch_free(other);
    close_stage(&stage);
}

/* What AWS said of the attempt says more than that the time is over. */
static void test_deadline_after_a_refusal(void **state)
{
    static const struct answer slow = {
        .url = STS_URL, .body = ROLE_KEYS("ASIASECOND"), .takes_ms = 10000};
    const struct vault_fetch_request request = role_request();
    struct vault_message message;
    struct stage stage;

    (void)state;
    open_stage(&stage, NULL);
    assert_int_equal(
        ask_all(&stage, &request, (struct answer[]){first_role, expired, slow}, 3, &message),
        VAULT_EXPIRED_TOKEN);
    assert_string_equal(message.text, "secret \"db\" in eu-west-1: ExpiredTokenException: planted");
    close_stage(&stage);
}

/* On the way to a role and with it; the five are what the cache keeps. */
static void test_allocations(void **state)
{
    const struct vault_fetch_request request = role_request();

    (void)state;
    play_without_memory(NULL, &request, (struct answer[]){first_role, good}, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_allocations),
        cmocka_unit_test(test_role_is_assumed_once),
        cmocka_unit_test(test_own_keys),
        cmocka_unit_test(test_refused_credential_is_dropped),
        cmocka_unit_test(test_role_that_is_refused),
        cmocka_unit_test(test_others_wait_for_the_one_who_asks),
        cmocka_unit_test(test_an_end_lets_others_ask),
        cmocka_unit_test(test_role_is_tried_again),
        cmocka_unit_test(test_budgets_of_hosts),
        cmocka_unit_test(test_deadline_before_the_first_attempt),
        cmocka_unit_test(test_deadline_in_the_wait),
        cmocka_unit_test(test_deadline_after_a_refusal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
