/* test_credential_cache_failures - credentials that could not be renewed.
 *
 * For:   vault_credential_cache_fail: who is told, what serves on, when another tries.
 * Never: renewals that succeed (test_credential_cache).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "cache_looks.h"

/* The old one serves on; another try is made after 60 s at most, a tenth of what is left. */
static void test_a_failed_renewal(void **state)
{
    const int64_t end = NOW + HOUR;

    (void)state;
    have("k", "A", HOUR);
    assert_int_equal(find("k", end - 900, "A"), VAULT_CACHED_MINE);
    fails("k", end - 900);
    assert_int_equal(find("k", end - 841, "A"), VAULT_CACHED_GOOD);
    assert_int_equal(find("k", end - 840, "A"), VAULT_CACHED_MINE);
    assert_int_equal(find("k", end - 840, "A"), VAULT_CACHED_GOOD);
    fails("k", end - 400); /* in the second window nobody waits for the next try either */
    assert_int_equal(find("k", end - 361, "A"), VAULT_CACHED_GOOD);
    assert_int_equal(find("k", end - 360, "A"), VAULT_CACHED_MINE);
    assert_int_equal(find("k", end - 360, NULL), VAULT_CACHED_BUSY);
    fails("k", end - 5);
    assert_int_equal(find("k", end - 5, "A"), VAULT_CACHED_GOOD);
    assert_int_equal(find("k", end - 4, "A"), VAULT_CACHED_MINE);
    fails("k", end - 4);
    assert_int_equal(find("k", end, NULL), VAULT_CACHED_MINE);
}

/* Whoever waited for an attempt is told how it ended; who comes later tries anew. */
static void test_a_failure_is_shared(void **state)
{
    struct vault_cache_look waits = look_for("k", NOW), late = look_for("k", NOW);

    (void)state;
    assert_int_equal(find("k", NOW, NULL), VAULT_CACHED_MINE);
    assert_int_equal(vault_credential_cache_find(&waits), VAULT_CACHED_BUSY);
    fails("k", NOW);
    assert_int_equal(vault_credential_cache_find(&late), VAULT_CACHED_MINE);
    assert_int_equal(vault_credential_cache_find(&waits), VAULT_CACHED_BUSY);
    fails("k", NOW);
    assert_int_equal(vault_credential_cache_find(&waits), VAULT_CACHED_FAILED);
    assert_int_equal(waits.failure, VAULT_ACCESS_DENIED);
    assert_string_equal(waits.why->text, "planted");
    assert_int_equal(vault_credential_cache_find(&waits), VAULT_CACHED_MINE);
}

/* What is passed on fails for whoever began it, too. */
static void test_a_failure_after_it_was_passed_on(void **state)
{
    struct vault_cache_look first = look_for("k", NOW);

    (void)state;
    assert_int_equal(vault_credential_cache_find(&first), VAULT_CACHED_MINE);
    pass_on("k");
    assert_int_equal(find("k", NOW, NULL), VAULT_CACHED_MINE);
    assert_int_equal(vault_credential_cache_find(&first), VAULT_CACHED_BUSY);
    fails("k", NOW);
    assert_int_equal(vault_credential_cache_find(&first), VAULT_CACHED_FAILED);
}

/* Who waited for an attempt that failed is told so, though the next one was passed on meanwhile. */
static void test_a_failure_outlasts_what_is_passed_on(void **state)
{
    struct vault_cache_look waits = look_for("k", NOW);

    (void)state;
    assert_int_equal(find("k", NOW, NULL), VAULT_CACHED_MINE);
    assert_int_equal(vault_credential_cache_find(&waits), VAULT_CACHED_BUSY);
    fails("k", NOW);
    assert_int_equal(find("k", NOW, NULL), VAULT_CACHED_MINE);
    pass_on("k");
    assert_int_equal(vault_credential_cache_find(&waits), VAULT_CACHED_FAILED);
    assert_int_equal(waits.failure, VAULT_ACCESS_DENIED);
}

/* A good one that came meanwhile is worth more than an old failure. */
static void test_a_failure_is_forgotten(void **state)
{
    struct vault_cache_look waits = look_for("k", NOW);

    (void)state;
    assert_int_equal(find("k", NOW, NULL), VAULT_CACHED_MINE);
    assert_int_equal(vault_credential_cache_find(&waits), VAULT_CACHED_BUSY);
    fails("k", NOW);
    have("k", "A", HOUR);
    assert_int_equal(vault_credential_cache_find(&waits), VAULT_CACHED_GOOD);
    vault_credential_clear(&waits.credential);
    drop("k", "A");
    assert_int_equal(vault_credential_cache_find(&waits), VAULT_CACHED_MINE);
}

/* Without memory for its message a failure has its status' sentence. */
static void test_fail_allocations(void **state)
{
    struct vault_cache_look waits = look_for("k", NOW);

    (void)state;
    assert_int_equal(find("k", NOW, NULL), VAULT_CACHED_MINE);
    assert_int_equal(vault_credential_cache_find(&waits), VAULT_CACHED_BUSY);
    vault_alloc_fail(1);
    fails("k", NOW);
    vault_alloc_fail(0);
    assert_int_equal(vault_credential_cache_find(&waits), VAULT_CACHED_FAILED);
    assert_string_equal(waits.why->text, vault_status_row(VAULT_ACCESS_DENIED)->sentence);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, clear, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_failed_renewal),
        TEST(test_a_failure_is_shared),
        TEST(test_a_failure_after_it_was_passed_on),
        TEST(test_a_failure_outlasts_what_is_passed_on),
        TEST(test_a_failure_is_forgotten),
        TEST(test_fail_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
