/* moment - now, by both clocks; and chance.
 *
 * For:   what moment.h promises.
 * Never: what they decide.
 */
#include "moment.h"

#include <sys/random.h>
#include <time.h>

static int64_t clock_ms(clockid_t clock)
{
    struct timespec time;

    clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

struct vault_moment vault_moment_now(void)
{
    return (struct vault_moment){
        .monotonic_ms = clock_ms(CLOCK_MONOTONIC),
        .wall_ms = clock_ms(CLOCK_REALTIME),
    };
}

uint32_t vault_moment_random(void *at)
{
    uint32_t bits = 0;

    (void)at;
    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != (ssize_t)sizeof bits)
        bits = (uint32_t)vault_moment_now().monotonic_ms * 2654435761u;
    return bits;
}
