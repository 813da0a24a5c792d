/* retry - whether another attempt may be made, and after how long.
 *
 * For:   AWS's standard retry mode of 2026: attempts, jittered back-off, a quota that all fetches
 *        from one host share. (docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html)
 * Never: the clock, the deadline, what the attempt is.
 */
#ifndef VAULT_RETRY_H
#define VAULT_RETRY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "environment.h"
#include "status.h"

/* The quota: attempts after the first draw on it, successes pay back. Any thread. */
struct vault_retry_budget {
    atomic_int tokens;
};
#define VAULT_RETRY_BUDGET_FULL 500

/* A quota for each host, as AWS's clients have one each: a host that fails takes no retries from
 * others. {0} at first. Any thread. */
#define VAULT_RETRY_HOSTS 64
struct vault_retry_budgets {
    struct vault_retry_host {
        _Atomic uint64_t host; /* a hash of it; 0: none yet */
        _Atomic uint64_t used;
        struct vault_retry_budget budget;
    } hosts[VAULT_RETRY_HOSTS];
    _Atomic uint64_t uses;
};

/* The quota of `host`; where it is new and the room is full, that of the least recently used host,
 * which is full again. Borrowed from `budgets`: one that was given to another host since may still
 * be drawn on and paid back to, and is never over-full. */
struct vault_retry_budget *vault_retry_budget_of(struct vault_retry_budgets *budgets,
                                                 const char *host);

typedef uint32_t vault_random(void *at); /* uniform 32 bits */

/* One fetch's attempts. */
struct vault_retry {
    unsigned attempts;     /* the caller counts each one before it makes it */
    unsigned max_attempts; /* AWS_MAX_ATTEMPTS, 1 .. 10; else 3 */
    int drawn;             /* what the last retry took from the budget */
    vault_random *random;
    void *random_at;
};

/* `environment` may be NULL. */
void vault_retry_init(struct vault_retry *retry, const struct vault_environment *environment,
                      vault_random *random, void *random_at);

/* Whether another attempt may follow the one that is about to be made, as far as is known now. */
bool vault_retry_is_left(const struct vault_retry *retry, struct vault_retry_budget *budget);

/* Milliseconds to wait before another attempt after one that ended with `status`, drawing on the
 * budget; -1 where there shall be none. `retry_after_ms` is AWS's wish, -1 for none; it is honoured
 * from the computed pause to 5 s above it. */
int64_t vault_retry_pause(struct vault_retry *retry, struct vault_retry_budget *budget,
                          enum vault_status status, int64_t retry_after_ms);

/* The retry that the last pause was for is not made: give back what it drew. `budget` may be NULL
 * where there was no pause. */
void vault_retry_forgo(struct vault_retry *retry, struct vault_retry_budget *budget);

/* The last attempt succeeded: pay back what its retry drew, or one token for a first attempt. */
void vault_retry_succeeded(struct vault_retry *retry, struct vault_retry_budget *budget);

#endif
