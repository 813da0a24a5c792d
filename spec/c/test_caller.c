/* test_caller - who asks, for one fetch.
 *
 * For:   vault_caller_*: out of the cache or by finding out, two callers interleaved, refused
 *        credentials, lost memory.
 * Never: how a credential is had (test_identity), the cache's windows (test_credential_cache).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "caller_runs.h"

#define ROLES 100

static void test_found_out_once(void **state)
{
    (void)state;
    once(NOW, &first, "ASIACANARY1");
    once(NOW, NULL, "ASIACANARY1");
    once(NOW + HOUR - 901, NULL, "ASIACANARY1");
    once(NOW + HOUR - 1, NULL, "ASIACANARY1");
    once(NOW + HOUR, &second, "ASIACANARY2");
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

static void test_keys_that_never_run_out_are_read_anew(void **state)
{
    const struct vault_identity_request own = {"AKIDCANARY", "secretCANARY", NULL, "eu-west-1",
                                               NULL,         NULL,           NULL, NULL};
    struct vault_caller *one = new_caller(&own), *other = new_caller(&own);
    struct vault_kept_credential kept;

    (void)state;
    for (int i = 0; i < 2; i++) {
        is_done(one, NOW, "AKIDCANARY");
        is_done(other, NOW, "AKIDCANARY");
        assert_string_equal(vault_caller_credential(one)->source, "the vault's own keys");
        vault_caller_refused(one);
    }
    assert_int_equal(vault_credential_cache_list(&kept, 1), 0);
    vault_caller_free(one);
    vault_caller_free(other);
}

/* Whoever is to be told how they were found is told, though they are at hand. */
static void test_keys_at_hand_are_explained(void **state)
{
    const struct vault_identity_request own = {"AKIDCANARY", "secretCANARY", NULL, "eu-west-1",
                                               NULL,         NULL,           NULL, NULL};
    struct vault_identity_world world = asking.world;
    struct vault_trail trail = {0};
    struct vault_caller *caller = NULL;

    (void)state;
    world.trail = &trail;
    assert_int_equal(vault_caller_new(&own, &world, true, &caller), VAULT_OK);
    is_done(caller, NOW, "AKIDCANARY");
    assert_int_equal(trail.count, 1);
    assert_string_equal(trail.steps[0].what.text, "the vault's own keys");
    vault_caller_free(caller);
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

/* Two hundred that are refused make one call, not two hundred. */
static void test_one_fails_and_so_do_all_that_waited(void **state)
{
    struct vault_caller *one = new_caller(&by_role), *other = new_caller(&by_role);

    (void)state;
    exchange(one, NOW, &refusal);
    waits(other, NOW);
    is_refused(one, NOW);
    is_refused(other, NOW);
    vault_caller_free(one);
    vault_caller_free(other);
    once(NOW, &first, "ASIACANARY1");
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

/* Of many callers, in whatever turns they come, each asks once. */
static void test_many_roles(void **state)
{
    (void)state;
    for (int turn = 0; turn < 3; turn++) {
        for (int i = 0; i < ROLES; i++) {
            struct vault_identity_request request = by_role;
            char arn[64];

            snprintf(arn, sizeof arn, ARN("tenant-%d"), i);
            request.assume_role_arn = arn;
            run(new_caller(&request), NOW, turn == 0 ? &first : NULL, "ASIACANARY1");
        }
    }
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
    const int64_t now = NOW + HOUR - 700;
    struct vault_caller *one, *other;

    (void)state;
    once(NOW, &first, "ASIACANARY1");
    one = new_errand();
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
        status = vault_caller_new(&by_role, &asking.world, true, &caller);
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
        caller = new_errand();
        vault_alloc_fail(nth);
        step = vault_caller_next(caller, now);
        failed = vault_alloc_fail(0) >= nth;
        if (failed && step == VAULT_STEP_DONE && ++failures)
            assert_int_equal(vault_caller_status(caller), wanted);
        vault_caller_free(caller);
        if (failed) /* and nobody is kept waiting */
            errand(now + 61, &second, "ASIACANARY2");
    }
    assert_true(failures > 5);
}

static void test_renewal_allocations(void **state)
{
    (void)state;
    check_next_allocations(NOW + HOUR - 690, VAULT_OK);
    check_next_allocations(NOW + HOUR, VAULT_NO_MEMORY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_found_out_once),
        TEST(test_keys_at_hand_are_explained),
        TEST(test_another_request_is_another_credential),
        TEST(test_keys_that_never_run_out_are_read_anew),
        TEST(test_one_finds_out_the_other_waits),
        TEST(test_one_fails_and_so_do_all_that_waited),
        TEST(test_one_is_freed_midway_the_other_finds_out),
        TEST(test_many_roles),
        TEST(test_refused),
        TEST(test_refused_while_another_renews),
        TEST(test_new_allocations),
        TEST(test_renewal_allocations),
    };

    return cmocka_run_group_tests(tests, make_home, remove_home);
}
