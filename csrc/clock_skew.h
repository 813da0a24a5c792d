/* clock_skew - how far AWS's clock is from ours, as a refused answer shows it.
 *
 * For:   telling a refusal that a wrong clock caused from any other, by the answer's Date.
 * Never: the clock (it comes in), which fetch, trying again.
 */
#ifndef VAULT_CLOCK_SKEW_H
#define VAULT_CLOCK_SKEW_H

#include <stdatomic.h>

#include "exchange.h"
#include "status.h"

/* Whether `exchange`, which ended with `status` at `wall_ms` and was signed as if AWS's clock were
 * `signed_skew_ms` from ours, was refused for that; if so the right value goes to *skew_ms. Any
 * thread. */
bool vault_clock_skew_correct(const struct vault_exchange *exchange, enum vault_status status,
                              int64_t wall_ms, int64_t signed_skew_ms, _Atomic int64_t *skew_ms);

#endif
