/* retry - whether another attempt may be made, and after how long.
 *
 * For:   what retry.h promises.
 * Never: the clock, the deadline, what the attempt is.
 */
#include "retry.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"

#define ATTEMPTS             3
#define ATTEMPTS_MAX         10
#define PAUSE_MAX_MS         20000
#define RETRY_AFTER_ABOVE_MS 5000

struct kind {
    int64_t base_ms;
    int cost;
};

static const struct kind transient = {.base_ms = 50, .cost = 14};
static const struct kind throttling = {.base_ms = 1000, .cost = 5};

void vault_retry_init(struct vault_retry *retry, const struct vault_environment *environment,
                      vault_random *random, void *random_at)
{
    const char *text = vault_environment_get(environment, "AWS_MAX_ATTEMPTS");
    char *end = NULL;
    long wanted = text ? strtol(text, &end, 10) : 0;
    bool given = text && end != text && *end == '\0' && wanted >= 1 && wanted <= ATTEMPTS_MAX;

    *retry = (struct vault_retry){
        .max_attempts = given ? (unsigned)wanted : ATTEMPTS,
        .random = random,
        .random_at = random_at,
    };
}

/* Never 0, which is nobody's. */
static uint64_t hash_of(const char *host)
{
    uint64_t hash = vault_hash(host, strlen(host));

    return hash ? hash : 1;
}

/* The host's own slot, else the one that was not used for the longest time. */
static struct vault_retry_host *slot_for(struct vault_retry_budgets *budgets, uint64_t hash)
{
    struct vault_retry_host *oldest = &budgets->hosts[0];

    for (size_t i = 0; i < VAULT_RETRY_HOSTS; i++) {
        struct vault_retry_host *slot = &budgets->hosts[i];

        if (atomic_load(&slot->host) == hash)
            return slot;
        if (atomic_load(&slot->used) < atomic_load(&oldest->used))
            oldest = slot;
    }
    return oldest;
}

/* No lock, which a fork could leave held. Two threads that bring the same new host at once may take
 * a slot each: one of them is found from then on, the other grows old. */
struct vault_retry_budget *vault_retry_budget_of(struct vault_retry_budgets *budgets,
                                                 const char *host)
{
    uint64_t hash = hash_of(host), held;
    struct vault_retry_host *slot;

    do {
        slot = slot_for(budgets, hash);
        held = atomic_load(&slot->host);
    } while (held != hash && !atomic_compare_exchange_strong(&slot->host, &held, hash));
    atomic_store(&slot->used, atomic_fetch_add(&budgets->uses, 1) + 1);
    if (held != hash)
        atomic_store(&slot->budget.tokens, VAULT_RETRY_BUDGET_FULL);
    return &slot->budget;
}

static bool draw(struct vault_retry_budget *budget, int cost)
{
    int tokens = atomic_load(&budget->tokens);

    do {
        if (tokens < cost)
            return false;
    } while (!atomic_compare_exchange_weak(&budget->tokens, &tokens, tokens - cost));
    return true;
}

static void pay_back(struct vault_retry_budget *budget, int amount)
{
    int tokens = atomic_load(&budget->tokens), sum;

    do {
        sum = tokens + amount;
        if (sum > VAULT_RETRY_BUDGET_FULL)
            sum = VAULT_RETRY_BUDGET_FULL;
    } while (!atomic_compare_exchange_weak(&budget->tokens, &tokens, sum));
}

bool vault_retry_is_left(const struct vault_retry *retry, struct vault_retry_budget *budget)
{
    return retry->attempts + 1 < retry->max_attempts &&
           atomic_load(&budget->tokens) >= transient.cost;
}

int64_t vault_retry_pause(struct vault_retry *retry, struct vault_retry_budget *budget,
                          enum vault_status status, int64_t retry_after_ms)
{
    const struct kind *kind = status == VAULT_THROTTLED ? &throttling : &transient;
    int64_t most = kind->base_ms, pause;

    if (!vault_status_row(status)->may_retry || retry->attempts >= retry->max_attempts)
        return -1;
    if (!draw(budget, kind->cost))
        return -1;
    retry->drawn = kind->cost;
    for (unsigned i = 1; i < retry->attempts && most < PAUSE_MAX_MS; i++)
        most *= 2;
    if (most > PAUSE_MAX_MS)
        most = PAUSE_MAX_MS;
    pause = (int64_t)(((uint64_t)retry->random(retry->random_at) * (uint64_t)most) >> 32);
    if (retry_after_ms > pause)
        pause = retry_after_ms < pause + RETRY_AFTER_ABOVE_MS ? retry_after_ms
                                                              : pause + RETRY_AFTER_ABOVE_MS;
    return pause;
}

void vault_retry_forgo(struct vault_retry *retry, struct vault_retry_budget *budget)
{
    if (retry->drawn)
        pay_back(budget, retry->drawn);
    retry->drawn = 0;
}

void vault_retry_succeeded(struct vault_retry *retry, struct vault_retry_budget *budget)
{
    pay_back(budget, retry->drawn ? retry->drawn : 1);
    retry->drawn = 0;
}
