/* test_iso8601 - moments written and read.
 *
 * For:   vault_iso8601_read: shapes, the calendar against the C library's, what is refused.
 * Never: clocks.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "iso8601.h"
#include "vectors.h"

#define UNTOUCHED INT64_C(-77)

/* Reads `text` where memory ends behind it. */
static bool read_text(const char *text, int64_t *seconds)
{
    struct fenced fenced;
    bool is_read;

    fence(&fenced, text, strlen(text));
    is_read = vault_iso8601_read(fenced.text, strlen(text), seconds);
    unfence(&fenced);
    return is_read;
}

static void test_read(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } rows[] = {
        {"2026-11-22T15:00:00Z", 1795359600},
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T00:00:01Z", 1},
        {"9999-12-31T23:59:59Z", 253402300799},
        {"2000-02-29T12:34:56Z", 951827696},
        {"2024-02-29T00:00:00Z", 1709164800},
        {"2024-03-01T00:00:00Z", 1709251200},
        {"2100-03-01T00:00:00Z", 4107542400},
        {"2026-11-22T15:00:00.0Z", 1795359600},
        {"2026-11-22T15:00:00.999999999999999999999999Z", 1795359600},
        {"2026-11-22T15:00:00+00:00", 1795359600},
        {"2026-11-22T15:00:00-00:00", 1795359600},
        {"2026-11-22T16:30:00+01:30", 1795359600},
        {"2026-11-22T16:30:00+0130", 1795359600},
        {"2026-11-22T07:00:00.25-08:00", 1795359600},
        {"2026-11-23T14:59:00+23:59", 1795359600},
        {"1970-01-01T05:30:00+05:30", 0},
        {"1970-01-01T00:00:00-23:59", 86340},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t seconds = UNTOUCHED;

        if (!read_text(rows[i].text, &seconds) || seconds != rows[i].seconds)
            fail_msg("%s: %lld", rows[i].text, (long long)seconds);
    }
}

static void test_refuse(void **state)
{
    static const char *const rows[] = {
        "",
        "Z",
        "2026",
        "2026-11-22",
        "2026-11-22T15:00:00",
        "2026-11-22T15:00Z",
        "2026-11-22 15:00:00Z",
        "2026-11-22t15:00:00Z",
        "2026-11-22T15:00:00z",
        "2026-11-22T15:00:00UTC",
        "2026-11-22T15:00:00Z ",
        " 2026-11-22T15:00:00Z",
        "2026-11-22T15:00:00ZZ",
        "2026-11-22T15:00:00.Z",
        "2026-11-22T15:00:00,5Z",
        "2026-11-22T15:00:00.5",
        "2026-11-22T15:00:00.5.5Z",
        "2026-11-22T15:00:00+000",
        "2026-11-22T15:00:00+00",
        "2026-11-22T15:00:00+00:0",
        "2026-11-22T15:00:00+24:00",
        "2026-11-22T15:00:00+00:60",
        "2026-11-22T15:00:00+-1:00",
        "2026-11-22T15:00:00Z+00:00",
        "2026-11-22T24:00:00Z",
        "2026-11-22T15:60:00Z",
        "2026-11-22T15:00:60Z",
        "2026-11-22T1:00:00Z",
        "2026-1-22T15:00:00Z",
        "2026-11-2T15:00:00Z",
        "26-11-22T15:00:00Z",
        "02026-11-22T15:00:00Z",
        "+2026-11-22T15:00:00Z",
        "2026-00-22T15:00:00Z",
        "2026-13-22T15:00:00Z",
        "2026-11-00T15:00:00Z",
        "2026-11-31T15:00:00Z",
        "2026-02-29T15:00:00Z",
        "2100-02-29T15:00:00Z",
        "2000-02-30T15:00:00Z",
        "2026-12-32T15:00:00Z",
        "1969-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
        "1970-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "20261122T150000Z",
        "2026-W47-7T15:00:00Z",
        "2026-11-22T15:00:0aZ",
        "2026/11/22T15:00:00Z",
        "1795359600",
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t seconds = UNTOUCHED;

        if (read_text(rows[i], &seconds) || seconds != UNTOUCHED)
            fail_msg("%s: %lld", rows[i], (long long)seconds);
    }
}

static void test_every_beginning(void **state)
{
    static const char whole[] = "2026-11-22T15:00:00.25+01:00";
    char text[sizeof whole];

    (void)state;
    for (size_t length = 0; length < strlen(whole); length++) {
        int64_t seconds = UNTOUCHED;

        memcpy(text, whole, length);
        text[length] = '\0';
        assert_false(read_text(text, &seconds));
        assert_int_equal(seconds, UNTOUCHED);
    }
    memcpy(text, whole, sizeof whole);
    text[10] = '\0'; /* a NUL is a byte like any other */
    assert_false(vault_iso8601_read(text, sizeof whole - 1, &(int64_t){0}));
    assert_false(vault_iso8601_read(NULL, 0, &(int64_t){0}));
}

/* Days up to the year 2101 one by one, later ones in steps. */
static void test_calendar(void **state)
{
    const int64_t last = INT64_C(253402300799) / 86400;
    unsigned count = 0;

    (void)state;
    for (int64_t day = 0; day <= last; day += day < 47847 ? 1 : 97) {
        time_t when = (time_t)(day * 86400 + day % 86400);
        int64_t seconds = UNTOUCHED;
        struct tm parts;
        char text[64];

        assert_non_null(gmtime_r(&when, &parts));
        assert_true(strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 20);
        if (!vault_iso8601_read(text, 20, &seconds) || seconds != when)
            fail_msg("%s: %lld", text, (long long)seconds);
        count++;
    }
    print_message("%u days\n", count);
    assert_true(count > 70000);
}

static void test_no_time_zone(void **state)
{
    int64_t seconds = UNTOUCHED;

    (void)state;
    assert_int_equal(setenv("TZ", "Asia/Kolkata", 1), 0);
    tzset();
    assert_true(vault_iso8601_read("2026-11-22T15:00:00Z", 20, &seconds));
    assert_int_equal(seconds, 1795359600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_refuse),
        cmocka_unit_test(test_every_beginning),
        cmocka_unit_test(test_calendar),
        cmocka_unit_test(test_no_time_zone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
