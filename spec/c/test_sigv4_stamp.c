/* test_sigv4_stamp - every day of the calendar, against the C library.
 *
 * For:   each day from 1970 to 9999 at a time of day that moves, and the two ends.
 * Never: moments out of range (sigv4 refuses them).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <time.h>

#include "sigv4_stamp.h"

static void same(int64_t when)
{
    const time_t moment = (time_t)when;
    char stamp[VAULT_SIGV4_STAMP + 1], expected[32];
    struct tm civil;

    memset(stamp, '#', sizeof stamp);
    vault_sigv4_stamp(stamp, when);
    assert_int_equal(stamp[VAULT_SIGV4_STAMP], '#');
    stamp[VAULT_SIGV4_STAMP] = '\0';
    assert_non_null(gmtime_r(&moment, &civil));
    assert_int_equal(strftime(expected, sizeof expected, "%Y%m%dT%H%M%SZ", &civil), 16);
    assert_string_equal(stamp, expected);
}

static void test_every_day(void **state)
{
    (void)state;
    for (int64_t day = 0; day <= VAULT_SIGV4_LATEST / 86400; day++) {
        same(day * 86400 + day * 7919 % 86400);
        if (day % 64 == 0) {
            same(day * 86400);
            same(day * 86400 + 86399);
        }
    }
    same(VAULT_SIGV4_LATEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_day)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
