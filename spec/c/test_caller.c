/* test_caller - who asks, for one fetch.
 *
 * For:   vault_caller_*: out of the cache or by finding out, two callers interleaved, renewals that
 *        fail or are given up, refused credentials, lost memory.
 * Never: how a credential is had (test_identity), the cache's windows (test_credential_cache).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "caller.h"
#include "credential_cache.h"
#include "identity_script.h"

#define HOUR 3600

static const struct vault_identity_request by_role = {
    "AKIDCANARY", "secretCANARY", NULL, "eu-west-1", ARN("a"), NULL, NULL, NULL};
static const struct ask first = {STS, "AKIDCANARY", .body = STS_KEYS("1")};
static const struct ask second = {
    STS, "AKIDCANARY", .body = STS_KEYS_UNTIL("2", "2023-11-15T02:13:20Z")}; /* NOW + 4 hours */
static const struct ask refusal = {STS, "AKIDCANARY", .body = STS_ERROR("AccessDenied"),
                                   .status = 403};

static struct asking asking;

static int open_world(void **state)
{
    static const char *const entries[] = {NO_IMDS, NULL};

    (void)state;
    vault_credential_cache_clear();
    open_asking(&asking, entries);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    vault_credential_cache_clear();
    close_asking(&asking);
    return 0;
}

static struct vault_caller *new_caller(const struct vault_identity_request *request)
{
    struct vault_caller *caller = NULL;

    assert_int_equal(vault_caller_new(request, &asking.world, &caller), VAULT_OK);
    return caller;
}

/* The next step is an exchange, which is answered. */
static void exchange(struct vault_caller *caller, int64_t now, const struct ask *ask)
{
    assert_int_equal(vault_caller_next(caller, now), VAULT_STEP_EXCHANGE);
    answer_ask(vault_caller_exchange(caller), ask);
}

static void waits(struct vault_caller *caller, int64_t now)
{
    assert_int_equal(vault_caller_next(caller, now), VAULT_STEP_PAUSE);
    assert_true(vault_caller_pause(caller) > 0);
}

static void is_done(struct vault_caller *caller, int64_t now, const char *key)
{
    assert_int_equal(vault_caller_next(caller, now), VAULT_STEP_DONE);
    assert_int_equal(vault_caller_status(caller), VAULT_OK);
    assert_string_equal(vault_caller_credential(caller)->access_key_id, key);
    assert_string_equal(vault_caller_message(caller)->text, "");
}

static void is_refused(struct vault_caller *caller, int64_t now)
{
    assert_int_equal(vault_caller_next(caller, now), VAULT_STEP_DONE);
    assert_int_equal(vault_caller_status(caller), VAULT_ACCESS_DENIED);
    assert_string_equal(vault_caller_message(caller)->text,
                        "assuming the role " ARN("a") ": AccessDenied: planted");
    assert_null(vault_caller_credential(caller)->access_key_id);
}

/* One caller from its beginning to its end; NULL: nobody is asked. */
static void once(int64_t now, const struct ask *ask, const char *key)
{
    struct vault_caller *caller = new_caller(&by_role);

    if (ask)
        exchange(caller, now, ask);
    is_done(caller, now, key);
    vault_caller_free(caller);
}

static void test_found_out_once(void **state)
{
    (void)state;
    once(NOW, &first, "ASIACANARY1");
    once(NOW, NULL, "ASIACANARY1");
    once(NOW + HOUR - 901, NULL, "ASIACANARY1");
    once(NOW + HOUR - 900, &second, "ASIACANARY2");
    once(NOW + HOUR, NULL, "ASIACANARY2");
}

static void test_another_request_is_another_credential(void **state)
{
    struct vault_identity_request other = by_role;
    static const struct ask with_id = {STS, "AKIDCANARY", ROLE_BODY("a", "KongVault&ExternalId=xy"),
                                       .body = STS_KEYS("2")};
    struct vault_caller *caller;

    (void)state;
    once(NOW, &first, "ASIACANARY1");
    other.external_id = "xy";
    caller = new_caller(&other);
    exchange(caller, NOW, &with_id);
    is_done(caller, NOW, "ASIACANARY2");
    vault_caller_free(caller);
    once(NOW, NULL, "ASIACANARY1");
}

/* The request's texts need not outlive vault_caller_new. */
static void test_the_request_is_copied(void **state)
{
    char key[] = "AKIDCANARY", role[] = ARN("a");
    struct vault_identity_request request = by_role;
    struct vault_caller *caller;

    (void)state;
    request.access_key_id = key;
    request.assume_role_arn = role;
    caller = new_caller(&request);
    memset(key, 'x', sizeof key - 1);
    memset(role, 'x', sizeof role - 1);
    exchange(caller, NOW, &first);
    is_done(caller, NOW, "ASIACANARY1");
    vault_caller_free(caller);
}

static void test_keys_that_never_run_out_are_read_anew(void **state)
{
    const struct vault_identity_request own = {"AKIDCANARY", "secretCANARY", NULL, "eu-west-1",
                                               NULL,         NULL,           NULL, NULL};
    struct vault_caller *one = new_caller(&own), *other = new_caller(&own);

    (void)state;
    for (int i = 0; i < 2; i++) {
        is_done(one, NOW, "AKIDCANARY");
        is_done(other, NOW, "AKIDCANARY");
        assert_string_equal(vault_caller_credential(one)->source, "the vault's own keys");
        vault_caller_refused(one);
    }
    vault_caller_free(one);
    vault_caller_free(other);
}

/* ---- two of them ---- */

static void test_one_finds_out_the_other_waits(void **state)
{
    struct vault_caller *one = new_caller(&by_role), *other = new_caller(&by_role);

    (void)state;
    exchange(one, NOW, &first);
    waits(other, NOW);
    waits(other, NOW);
    is_done(one, NOW, "ASIACANARY1");
    is_done(other, NOW, "ASIACANARY1");
    vault_caller_free(one);
    is_done(other, NOW, "ASIACANARY1");
    vault_caller_free(other);
}

static void test_one_fails_the_other_finds_out(void **state)
{
    struct vault_caller *one = new_caller(&by_role), *other = new_caller(&by_role);

    (void)state;
    exchange(one, NOW, &refusal);
    waits(other, NOW);
    is_refused(one, NOW);
    exchange(other, NOW, &first);
    is_done(other, NOW, "ASIACANARY1");
    is_done(one, NOW, "ASIACANARY1");
    vault_caller_free(one);
    vault_caller_free(other);
}

static void test_one_is_freed_midway_the_other_finds_out(void **state)
{
    struct vault_caller *one = new_caller(&by_role), *other = new_caller(&by_role);

    (void)state;
    assert_int_equal(vault_caller_next(one, NOW), VAULT_STEP_EXCHANGE);
    waits(other, NOW);
    vault_caller_free(one);
    exchange(other, NOW, &first);
    is_done(other, NOW, "ASIACANARY1");
    vault_caller_free(other);
}

static void test_one_renews_the_other_need_not_wait(void **state)
{
    const int64_t now = NOW + HOUR - 900, late = NOW + HOUR - 600;
    struct vault_caller *one, *other;

    (void)state;
    once(NOW, &first, "ASIACANARY1");
    one = new_caller(&by_role);
    other = new_caller(&by_role);
    exchange(one, now, &second);
    is_done(other, now, "ASIACANARY1");
    waits(other, late);
    is_done(one, late, "ASIACANARY2");
    is_done(other, late, "ASIACANARY2");
    vault_caller_free(one);
    vault_caller_free(other);
}

/* ---- renewals that fail ---- */

static void test_a_failed_renewal_keeps_the_old(void **state)
{
    const int64_t now = NOW + HOUR - 900;

    (void)state;
    once(NOW, &first, "ASIACANARY1");
    once(now, &refusal, "ASIACANARY1");
    once(now + 1, NULL, "ASIACANARY1");
    once(now + 60, &second, "ASIACANARY2");
}

/* STS is away: one attempt, and on with the old. */
static void test_a_renewal_waits_for_no_second_attempt(void **state)
{
    static const struct ask away = {STS, "AKIDCANARY", .outcome = VAULT_TIMEOUT};
    const int64_t now = NOW + HOUR - 900;
    struct vault_caller *caller;

    (void)state;
    once(NOW, &first, "ASIACANARY1");
    caller = new_caller(&by_role);
    exchange(caller, now, &away);
    is_done(caller, now + 5, "ASIACANARY1");
    vault_caller_free(caller);
    once(now + 5, NULL, "ASIACANARY1");
    once(now + 65, &second, "ASIACANARY2");
}

/* It ran out while the renewal failed. */
static void test_a_renewal_that_fails_too_late(void **state)
{
    struct vault_caller *caller;

    (void)state;
    once(NOW, &first, "ASIACANARY1");
    caller = new_caller(&by_role);
    exchange(caller, NOW + HOUR - 2, &refusal);
    is_refused(caller, NOW + HOUR);
    vault_caller_free(caller);
}

/* ---- refused by AWS ---- */

static void test_refused(void **state)
{
    struct vault_caller *one, *other;

    (void)state;
    once(NOW, &first, "ASIACANARY1");
    one = new_caller(&by_role);
    other = new_caller(&by_role);
    is_done(one, NOW, "ASIACANARY1");
    is_done(other, NOW, "ASIACANARY1");
    vault_caller_refused(one);
    exchange(one, NOW, &second);
    is_done(one, NOW, "ASIACANARY2");
    vault_caller_refused(other); /* of the one that is gone already */
    is_done(other, NOW, "ASIACANARY2");
    vault_caller_free(one);
    vault_caller_free(other);
}

static void test_refused_while_another_renews(void **state)
{
    const int64_t now = NOW + HOUR - 900;
    struct vault_caller *one, *other;

    (void)state;
    once(NOW, &first, "ASIACANARY1");
    one = new_caller(&by_role);
    other = new_caller(&by_role);
    exchange(one, now, &second);
    is_done(other, now, "ASIACANARY1");
    vault_caller_refused(other);
    waits(other, now);
    is_done(one, now, "ASIACANARY2");
    is_done(other, now, "ASIACANARY2");
    vault_caller_free(one);
    vault_caller_free(other);
}

/* ---- lost memory ---- */

static void test_new_allocations(void **state)
{
    struct vault_caller *caller = NULL;
    enum vault_status status = VAULT_NO_MEMORY;

    (void)state;
    for (unsigned long nth = 1; status != VAULT_OK; nth++) {
        vault_alloc_fail(nth);
        status = vault_caller_new(&by_role, &asking.world, &caller);
        assert_int_equal(status, vault_alloc_fail(0) >= nth ? VAULT_NO_MEMORY : VAULT_OK);
        assert_int_equal(caller == NULL, status != VAULT_OK);
    }
    vault_caller_free(caller);
    vault_caller_free(NULL);
}

/* Where not even the old one could be copied, the caller finds out for itself: no failure. */
static void check_next_allocations(int64_t now, enum vault_status wanted)
{
    unsigned failures = 0;
    bool failed = true;

    for (unsigned long nth = 1; failed; nth++) {
        struct vault_caller *caller;
        enum vault_step step;

        vault_credential_cache_clear();
        once(NOW, &first, "ASIACANARY1");
        caller = new_caller(&by_role);
        vault_alloc_fail(nth);
        step = vault_caller_next(caller, now);
        failed = vault_alloc_fail(0) >= nth;
        if (failed && step == VAULT_STEP_DONE && ++failures)
            assert_int_equal(vault_caller_status(caller), wanted);
        vault_caller_free(caller);
        if (failed) /* and nobody is kept waiting */
            once(now + 61, &second, "ASIACANARY2");
    }
    assert_true(failures > 5);
}

static void test_renewal_allocations(void **state)
{
    (void)state;
    check_next_allocations(NOW + HOUR - 700, VAULT_OK);
    check_next_allocations(NOW + HOUR, VAULT_NO_MEMORY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_found_out_once),
        TEST(test_another_request_is_another_credential),
        TEST(test_the_request_is_copied),
        TEST(test_keys_that_never_run_out_are_read_anew),
        TEST(test_one_finds_out_the_other_waits),
        TEST(test_one_fails_the_other_finds_out),
        TEST(test_one_is_freed_midway_the_other_finds_out),
        TEST(test_one_renews_the_other_need_not_wait),
        TEST(test_a_failed_renewal_keeps_the_old),
        TEST(test_a_renewal_waits_for_no_second_attempt),
        TEST(test_a_renewal_that_fails_too_late),
        TEST(test_refused),
        TEST(test_refused_while_another_renews),
        TEST(test_new_allocations),
        TEST(test_renewal_allocations),
    };

    return cmocka_run_group_tests(tests, make_home, remove_home);
}
