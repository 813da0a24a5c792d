/* sigv4_stamp - a moment as AWS writes it.
 *
 * For:   what sigv4_stamp.h promises.
 * Never: the clock, time zones.
 */
#include "sigv4_stamp.h"

static void put_two(char *at, unsigned value)
{
    at[0] = (char)('0' + value / 10);
    at[1] = (char)('0' + value % 10);
}

/* Years are counted from March, so that the leap day comes last in its year. */
void vault_sigv4_stamp(char stamp[VAULT_SIGV4_STAMP], int64_t when)
{
    const unsigned days = (unsigned)(when / 86400) + 719468; /* since 0000-03-01 */
    const unsigned second = (unsigned)(when % 86400);
    const unsigned era = days / 146097, of_era = days % 146097;
    const unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
    const unsigned march = (5 * of_year + 2) / 153; /* months since March */
    const unsigned month = march < 10 ? march + 3 : march - 9;
    const unsigned civil = era * 400 + year + (month <= 2);

    put_two(stamp, civil / 100);
    put_two(stamp + 2, civil % 100);
    put_two(stamp + 4, month);
    put_two(stamp + 6, of_year - (153 * march + 2) / 5 + 1);
    stamp[8] = 'T';
    put_two(stamp + 9, second / 3600);
    put_two(stamp + 11, second / 60 % 60);
    put_two(stamp + 13, second % 60);
    stamp[15] = 'Z';
}
