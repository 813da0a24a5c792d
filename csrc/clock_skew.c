/* clock_skew - how far AWS's clock is from ours, as an answer shows it.
 *
 * For:   what clock_skew.h promises.
 * Never: the clock, which fetch, trying again.
 */
#include "clock_skew.h"

/* Beyond this a refusal may be the clock's fault, as in AWS's SDKs. */
#define SKEW_MS INT64_C(300000)
/* The year 3000: no clock is right there, and close to 9999 nothing could be signed any more. */
#define DATE_MAX INT64_C(32503680000)

bool vault_clock_skew_correct(const struct vault_exchange *exchange, enum vault_status status,
                              int64_t wall_ms, int64_t signed_skew_ms, _Atomic int64_t *skew_ms)
{
    int64_t seen;

    if (exchange->date < 0 || exchange->date > DATE_MAX)
        return false;
    if (status != VAULT_CLOCK_SKEW && status != VAULT_CREDENTIALS_REFUSED)
        return false;
    seen = exchange->date * 1000 - wall_ms;
    /* By the clock of this attempt: another one may have corrected the common one since. */
    if (seen - signed_skew_ms < SKEW_MS && signed_skew_ms - seen < SKEW_MS)
        return false;
    atomic_store(skew_ms, seen);
    return true;
}

bool vault_clock_skew_expired(const struct vault_exchange *exchange,
                              struct vault_credential *credential, int64_t now)
{
    int64_t left = credential->expires - (exchange->date >= 0 ? exchange->date : now);

    if (left > 0 && credential->expires <= now)
        credential->expires = now + left;
    return left <= 0;
}
