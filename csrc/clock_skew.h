/* clock_skew - how far AWS's clock is from ours, as an answer shows it.
 *
 * For:   telling a refusal that a wrong clock caused from any other, and credentials that have run
 *        out from those that only seem to have, by the answer's Date.
 * Never: the clock (it comes in), which fetch, trying again.
 */
#ifndef VAULT_CLOCK_SKEW_H
#define VAULT_CLOCK_SKEW_H

#include <stdatomic.h>

#include "credentials.h"
#include "exchange.h"
#include "status.h"

/* Whether `exchange`, which ended with `status` at `wall_ms` and was signed as if AWS's clock were
 * `signed_skew_ms` from ours, was refused for that; if so the right value goes to *skew_ms. Any
 * thread. */
bool vault_clock_skew_correct(const struct vault_exchange *exchange, enum vault_status status,
                              int64_t wall_ms, int64_t signed_skew_ms, _Atomic int64_t *skew_ms);

/* Whether what was read of an answer has run out: by the answer's own Date, else at `now`, since it
 * is the clock of this machine that may be wrong. Where it has not, but `now` is past its end,
 * `expires` becomes as far from `now` as it is from Date: whoever keeps it goes by our clock. */
bool vault_clock_skew_expired(const struct vault_exchange *exchange,
                              struct vault_credential *credential, int64_t now);

#endif
