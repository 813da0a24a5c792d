/* test_clock_skew - how far AWS's clock is from ours, as an answer shows it.
 *
 * For:   what clock_skew.h promises, at its borders.
 * Never: trying again (test_fetch_again). It allocates nothing, so there is no loop of failures.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "clock_skew.h"

#define NOW_S INT64_C(1700000000)
#define KEPT  INT64_C(77)

static void test_rows(void **state)
{
    static const struct {
        enum vault_status status;
        int64_t date, signed_skew_ms;
        bool corrects;
    } rows[] = {
        {VAULT_CLOCK_SKEW, NOW_S + 300, 0, true},
        {VAULT_CLOCK_SKEW, NOW_S - 300, 0, true},
        {VAULT_CREDENTIALS_REFUSED, NOW_S + 300, 0, true},
        {VAULT_CLOCK_SKEW, NOW_S + 299, 0, false},
        {VAULT_CLOCK_SKEW, NOW_S - 299, 0, false},
        /* signed with a correction that was right, and with one that was wrong */
        {VAULT_CLOCK_SKEW, NOW_S + 3600, 3600000, false},
        {VAULT_CLOCK_SKEW, NOW_S, 3600000, true},
        {VAULT_EXPIRED_TOKEN, NOW_S + 3600, 0, false},
        {VAULT_OK, NOW_S + 3600, 0, false},
        {VAULT_CLOCK_SKEW, -1, 0, false},
        {VAULT_CLOCK_SKEW, 0, 0, true},
        {VAULT_CLOCK_SKEW, INT64_C(32503680000), 0, true},
        {VAULT_CLOCK_SKEW, INT64_C(32503680001), 0, false},
        {VAULT_CLOCK_SKEW, INT64_MAX, 0, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vault_exchange exchange;
        _Atomic int64_t skew_ms = KEPT;
        bool corrects;

        vault_exchange_init(&exchange);
        exchange.date = rows[i].date;
        corrects = vault_clock_skew_correct(&exchange, rows[i].status, NOW_S * 1000,
                                            rows[i].signed_skew_ms, &skew_ms);
        if (corrects != rows[i].corrects)
            fail_msg("row %zu", i);
        assert_int_equal(skew_ms, corrects ? (rows[i].date - NOW_S) * 1000 : KEPT);
        vault_exchange_free(&exchange);
    }
}

static void test_expired(void **state)
{
    static const struct {
        int64_t expires, date, now, settled; /* settled 0: it has run out */
    } rows[] = {
        {100, -1, 99, 100}, {100, -1, 100, 0},   {100, -1, 101, 0},   {100, 99, 99, 100},
        {100, 100, 0, 0},   {100, 40, 100, 160}, {100, 40, 200, 260}, {100, 40, 99, 100},
        {100, 0, 200, 300}, {100, 101, 200, 0},  {100, 40, 0, 100},   {0, 1, 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vault_credential credential = {.expires = rows[i].expires};
        const struct vault_exchange exchange = {.date = rows[i].date};
        bool good = !vault_clock_skew_expired(&exchange, &credential, rows[i].now);

        assert_int_equal(good, rows[i].settled != 0);
        assert_int_equal(credential.expires, good ? rows[i].settled : rows[i].expires);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_expired)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
