/* test_caller_errands - credentials that somebody else has for a caller, and renewals that fail.
 *
 * For:   vault_caller_*: modes, errands, what is at hand when a renewal fails.
 * Never: two callers without errands, lost memory (test_caller).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "caller_runs.h"

/* ---- errands ---- */

static void test_an_errand_renews_the_other_need_not_wait(void **state)
{
    const int64_t now = NOW + HOUR - 700, late = NOW + HOUR - 600;
    struct vault_caller *one, *other;

    (void)state;
    once(NOW, &first, "ASIACANARY1");
    one = new_errand();
    other = new_caller(&by_role);
    exchange(one, now, &second);
    is_done(other, now, "ASIACANARY1");
    waits(other, late);
    is_done(one, late, "ASIACANARY2");
    is_done(other, late, "ASIACANARY2");
    vault_caller_free(one);
    vault_caller_free(other);
}

/* Nothing is at hand: the sender waits for its errand, and is told how that ends. */
static void test_a_sender_waits_for_its_errand(void **state)
{
    struct vault_caller *sender = new_sender(), *runs, *late = new_sender();

    (void)state;
    assert_false(vault_caller_take_errand(sender));
    waits(sender, NOW);
    assert_true(vault_caller_take_errand(sender));
    assert_false(vault_caller_take_errand(sender));
    runs = new_errand();
    exchange(runs, NOW, &first);
    waits(sender, NOW);
    waits(late, NOW);
    assert_false(vault_caller_take_errand(sender));
    assert_false(vault_caller_take_errand(late));
    vault_caller_free(late); /* does not end the errand */
    is_done(runs, NOW, "ASIACANARY1");
    is_done(sender, NOW, "ASIACANARY1");
    vault_caller_free(runs);
    vault_caller_free(sender);
}

static void test_an_errand_fails(void **state)
{
    struct vault_caller *sender = new_sender(), *runs;

    (void)state;
    waits(sender, NOW);
    runs = new_errand();
    exchange(runs, NOW, &refusal);
    is_refused(runs, NOW);
    vault_caller_free(runs);
    is_refused(sender, NOW);
    vault_caller_free(sender);
}

/* Nobody ran it: it is wanted again. */
static void test_an_errand_that_nobody_runs(void **state)
{
    struct vault_caller *sender = new_sender();

    (void)state;
    for (int i = 0; i < 3; i++) {
        waits(sender, NOW);
        assert_true(vault_caller_take_errand(sender));
    }
    vault_caller_free(sender);
}

/* The old one is good: the sender goes on with it at once. */
static void test_an_early_errand(void **state)
{
    const int64_t now = NOW + HOUR - 700;
    struct vault_caller *sender = new_sender();

    (void)state;
    once(NOW, &first, "ASIACANARY1");
    is_done(sender, now, "ASIACANARY1");
    assert_true(vault_caller_take_errand(sender));
    errand(now, &second, "ASIACANARY2");
    is_done(sender, now, "ASIACANARY2");
    assert_false(vault_caller_take_errand(sender));
    vault_caller_free(sender);
}

/* Alone nobody renews early: it would take the time of whoever only wants a secret. */
static void test_alone_nothing_is_renewed_early(void **state)
{
    (void)state;
    once(NOW, &first, "ASIACANARY1");
    once(NOW + HOUR - 1, NULL, "ASIACANARY1");
}

/* Keys that take no exchange need no errand. */
static void test_a_sender_with_keys(void **state)
{
    const struct vault_identity_request own = {"AKIDCANARY", "secretCANARY", NULL, "eu-west-1",
                                               NULL,         NULL,           NULL, NULL};
    struct vault_caller *caller = new_caller(&own);

    (void)state;
    vault_caller_set_mode(caller, VAULT_CALLER_SENDS);
    is_done(caller, NOW, "AKIDCANARY");
    assert_false(vault_caller_take_errand(caller));
    vault_caller_free(caller);
}

/* ---- renewals that fail ---- */

static void test_a_failed_renewal_keeps_the_old(void **state)
{
    const int64_t now = NOW + HOUR - 700;

    (void)state;
    once(NOW, &first, "ASIACANARY1");
    errand(now, &refusal, "ASIACANARY1");
    errand(now + 1, NULL, "ASIACANARY1");
    errand(now + 60, &second, "ASIACANARY2");
}

/* It ran out while the renewal failed. */
static void test_a_renewal_that_fails_too_late(void **state)
{
    struct vault_caller *caller;

    (void)state;
    once(NOW, &first, "ASIACANARY1");
    caller = new_errand();
    exchange(caller, NOW + HOUR - 2, &refusal);
    is_refused(caller, NOW + HOUR);
    vault_caller_free(caller);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_errand_renews_the_other_need_not_wait),
        TEST(test_a_sender_waits_for_its_errand),
        TEST(test_an_errand_fails),
        TEST(test_an_errand_that_nobody_runs),
        TEST(test_an_early_errand),
        TEST(test_alone_nothing_is_renewed_early),
        TEST(test_a_sender_with_keys),
        TEST(test_a_failed_renewal_keeps_the_old),
        TEST(test_a_renewal_that_fails_too_late),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
