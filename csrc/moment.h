/* moment - now, by both clocks; and chance.
 *
 * For:   the one room that reads the clocks and draws random bits, so that all others are given
 *        them.
 * Never: what they decide.
 */
#ifndef VAULT_MOMENT_H
#define VAULT_MOMENT_H

#include <stdint.h>

struct vault_moment {
    int64_t monotonic_ms;
    int64_t wall_ms; /* since 1970 */
};

/* Any thread. */
struct vault_moment vault_moment_now(void);

/* 32 bits of the system's; `at` means nothing. Never waits. Any thread. */
uint32_t vault_moment_random(void *at);

#endif
