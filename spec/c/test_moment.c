/* test_moment - the clocks, and chance.
 *
 * For:   what moment.h promises.
 * Never: what is decided by them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <time.h>

#include "child.h"
#include "moment.h"

/* Not time(2), which may be a few milliseconds behind. */
static int64_t wall_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void test_both_clocks(void **state)
{
    const int64_t before = wall_ms();
    const struct vault_moment first = vault_moment_now(), second = vault_moment_now();

    (void)state;
    assert_in_range(first.wall_ms, before, wall_ms());
    assert_true(second.monotonic_ms >= first.monotonic_ms);
}

static void test_time_passes(void **state)
{
    const struct vault_moment first = vault_moment_now();

    (void)state;
    rest_ms(3);
    assert_true(vault_moment_now().monotonic_ms - first.monotonic_ms >= 2);
}

static void test_random_bits_differ(void **state)
{
    uint32_t any = 0, all = UINT32_MAX;

    (void)state;
    for (int i = 0; i < 64; i++) {
        uint32_t bits = vault_moment_random(NULL);

        any |= bits;
        all &= bits;
    }
    assert_int_equal(any, UINT32_MAX);
    assert_int_equal(all, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_clocks),
        cmocka_unit_test(test_time_passes),
        cmocka_unit_test(test_random_bits_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
