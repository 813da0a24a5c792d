/* iso8601 - a moment as AWS and its tools write it.
 *
 * For:   what iso8601.h promises.
 * Never: timegm and its kin, which ask for TZ.
 */
#include "iso8601.h"

#define SECONDS_MAX INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

struct cursor {
    const char *at;
    const char *end;
};

struct moment {
    int year, month, day;
    int hour, minute, second;
};

static bool take(struct cursor *from, char wanted)
{
    if (from->at == from->end || *from->at != wanted)
        return false;
    from->at++;
    return true;
}

static bool at_digit(const struct cursor *from)
{
    return from->at < from->end && *from->at >= '0' && *from->at <= '9';
}

/* Exactly `digits` digits that stand for `least` .. `most`. */
static bool take_number(struct cursor *from, int digits, int least, int most, int *number)
{
    int value = 0;

    for (int i = 0; i < digits; i++) {
        if (!at_digit(from))
            return false;
        value = value * 10 + (*from->at++ - '0');
    }
    *number = value;
    return value >= least && value <= most;
}

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && is_leap(year));
}

static bool take_moment(struct cursor *from, struct moment *moment)
{
    return take_number(from, 4, 1970, 9999, &moment->year) && take(from, '-') &&
           take_number(from, 2, 1, 12, &moment->month) && take(from, '-') &&
           take_number(from, 2, 1, days_in(moment->year, moment->month), &moment->day) &&
           take(from, 'T') && take_number(from, 2, 0, 23, &moment->hour) && take(from, ':') &&
           take_number(from, 2, 0, 59, &moment->minute) && take(from, ':') &&
           take_number(from, 2, 0, 59, &moment->second);
}

static bool take_fraction(struct cursor *from)
{
    if (!take(from, '.'))
        return true;
    if (!at_digit(from))
        return false;
    while (at_digit(from))
        from->at++;
    return true;
}

static bool take_offset(struct cursor *from, int64_t *east)
{
    int hours, minutes;
    bool is_west;

    *east = 0;
    if (take(from, 'Z'))
        return true;
    is_west = take(from, '-');
    if (!is_west && !take(from, '+'))
        return false;
    if (!take_number(from, 2, 0, 23, &hours))
        return false;
    (void)take(from, ':'); /* date(1) writes none */
    if (!take_number(from, 2, 0, 59, &minutes))
        return false;
    *east = hours * INT64_C(3600) + minutes * INT64_C(60);
    if (is_west)
        *east = -*east;
    return true;
}

/* Leap days of the years 1 .. `year`. */
static int leap_days(int year)
{
    return year / 4 - year / 100 + year / 400;
}

static int64_t seconds_of(const struct moment *moment)
{
    int64_t days = INT64_C(365) * (moment->year - 1970) + leap_days(moment->year - 1) -
                   leap_days(1969) + moment->day - 1;

    for (int month = 1; month < moment->month; month++)
        days += days_in(moment->year, month);
    return ((days * 24 + moment->hour) * 60 + moment->minute) * 60 + moment->second;
}

bool vault_iso8601_read(const char *text, size_t length, int64_t *seconds)
{
    struct cursor from = {text, length ? text + length : text};
    struct moment moment;
    int64_t east, value;

    if (!take_moment(&from, &moment) || !take_fraction(&from) || !take_offset(&from, &east) ||
        from.at != from.end)
        return false;
    value = seconds_of(&moment) - east;
    if (value < 0 || value > SECONDS_MAX)
        return false;
    *seconds = value;
    return true;
}
