/* fetch - one fetch of one secret, as a table of states.
 *
 * For:   what fetch.h promises. Each state has one handler; it does its part and names the next
 *        state.
 * Never: reading or writing bytes of a protocol, sockets, threads, Lua, the clock (it comes in).
 */
#include "fetch.h"

#include <string.h>

#include "caller.h"
#include "clock_skew.h"
#include "region.h"
#include "retry.h"
#include "service_endpoint.h"
#include "signed_exchange.h"

#define TIMEOUT_MAX_MS 3600000
#define DOING_REGION   " while the instance was asked for its region"
#define DOING_CALLER   " while credentials were asked for"
/* The year 3000: no clock is right there, and close to 9999 nothing could be signed any more. */
#define DATE_MAX INT64_C(32503680000)

struct vault_fetch {
    const struct vault_fetch_world *world;
    struct vault_fetch_copy wanted; /* its region is found where none was asked for */

    enum vault_fetch_state state;
    int64_t deadline, wake;
    struct vault_retry retry;
    bool identified_again, clock_corrected;
    int64_t signed_skew_ms; /* AWS's clock minus ours, as the last attempt had it */

    struct vault_credential_query query;
    struct vault_region_run locating;
    struct vault_endpoint endpoint;
    struct vault_identity_world callers;
    struct vault_caller *caller; /* from IDENTIFY on */
    struct vault_exchange exchange;
    struct vault_exchange *out;    /* the last one that was to be performed */
    enum vault_fetch_state asking; /* where ASK and AWAIT lead back to */

    enum vault_status status; /* the last outcome; the result's, once DONE */
    struct vault_secret secret;
    struct vault_message why;
    struct vault_message message;

    vault_fetch_trace *trace;
    void *trace_at;
};

static void enter(struct vault_fetch *fetch, enum vault_fetch_state next)
{
    enum vault_fetch_state from = fetch->state;

    fetch->state = next;
    if (fetch->trace)
        fetch->trace(fetch->trace_at, from, next);
}

/* The result stands: say of what it speaks, wipe what is no longer needed. */
static enum vault_fetch_state conclude(struct vault_fetch *fetch, enum vault_status status)
{
    fetch->status = status;
    if (status != VAULT_OK) {
        vault_fetch_copy_say(&fetch->wanted, &fetch->message);
        vault_message_add(&fetch->message, ": %s",
                          fetch->why.length ? fetch->why.text : vault_status_row(status)->sentence);
        if (fetch->retry.attempts > 1)
            vault_message_add(&fetch->message, " (%u attempts)", fetch->retry.attempts);
    }
    vault_caller_free(fetch->caller);
    fetch->caller = NULL;
    vault_region_free(&fetch->locating);
    vault_exchange_free(&fetch->exchange);
    vault_endpoint_free(&fetch->endpoint);
    vault_fetch_copy_forget_caller(&fetch->wanted);
    fetch->out = &fetch->exchange; /* the caller's is gone */
    return VAULT_FETCH_DONE;
}

static enum vault_fetch_state give_up(struct vault_fetch *fetch, enum vault_status status,
                                      const struct vault_message *why)
{
    vault_message_clear(&fetch->why);
    vault_message_add(&fetch->why, "%s", why->text);
    return conclude(fetch, status);
}

static int64_t aws_seconds(const struct vault_fetch *fetch, struct vault_moment now)
{
    return (now.wall_ms + atomic_load(fetch->world->skew_ms)) / 1000;
}

static bool is_over(const struct vault_fetch *fetch, struct vault_moment now)
{
    return now.monotonic_ms >= fetch->deadline;
}

/* No time is left for `doing`; what was amiss with it so far may be the reason. */
static enum vault_fetch_state late(struct vault_fetch *fetch, const char *doing,
                                   const struct vault_message *amiss)
{
    if (fetch->status != VAULT_OK)
        return conclude(fetch, fetch->status);
    vault_message_add(&fetch->why, "%s%s", vault_status_row(VAULT_TIMEOUT)->sentence, doing);
    if (amiss->length)
        vault_message_add(&fetch->why, ": %s", amiss->text);
    return conclude(fetch, VAULT_TIMEOUT);
}

static enum vault_fetch_state ask(struct vault_fetch *fetch, struct vault_exchange *exchange)
{
    fetch->asking = fetch->state;
    fetch->out = exchange;
    return VAULT_FETCH_ASK;
}

static enum vault_fetch_state await(struct vault_fetch *fetch, int64_t until, const char *doing,
                                    const struct vault_message *amiss)
{
    if (until >= fetch->deadline)
        return late(fetch, doing, amiss);
    fetch->asking = fetch->state;
    fetch->wake = until;
    return VAULT_FETCH_AWAIT;
}

/* LOCATE, where it is found. */
static enum vault_fetch_state find_region(struct vault_fetch *fetch, struct vault_moment now)
{
    struct vault_region_run *run = &fetch->locating;
    enum vault_step step = vault_region_next(run, aws_seconds(fetch, now), &fetch->wanted.region);

    if (step == VAULT_STEP_EXCHANGE)
        return ask(fetch, &fetch->exchange);
    if (step == VAULT_STEP_PAUSE)
        return await(fetch, now.monotonic_ms + run->source.pause_ms, DOING_REGION,
                     &fetch->exchange.why);
    return run->status == VAULT_OK ? VAULT_FETCH_LOCATE : give_up(fetch, run->status, &run->why);
}

static enum vault_fetch_state locate(struct vault_fetch *fetch, struct vault_moment now)
{
    struct vault_endpoint_query asked = {.service = vault_secretsmanager_service,
                                         .override = fetch->wanted.endpoint_url};
    enum vault_fetch_state next;
    enum vault_status status;

    if (is_over(fetch, now))
        return late(fetch, fetch->locating.asking ? DOING_REGION : "", &fetch->exchange.why);
    if (!fetch->wanted.region.length) {
        next = find_region(fetch, now);
        if (next != VAULT_FETCH_LOCATE)
            return next;
    }
    asked.region = fetch->wanted.region.data;
    status = vault_service_endpoint(&fetch->query, &asked, &fetch->endpoint, &fetch->why);
    if (status != VAULT_OK)
        return conclude(fetch, status);
    fetch->wanted.caller.region = fetch->wanted.region.data;
    status = vault_caller_new(&fetch->wanted.caller, &fetch->callers, &fetch->caller);
    return status == VAULT_OK ? VAULT_FETCH_IDENTIFY : conclude(fetch, status);
}

static enum vault_fetch_state identify(struct vault_fetch *fetch, struct vault_moment now)
{
    struct vault_caller *caller = fetch->caller;
    enum vault_step step;

    if (is_over(fetch, now))
        return late(fetch, DOING_CALLER,
                    fetch->out->why.length ? &fetch->out->why : vault_caller_message(caller));
    step = vault_caller_next(caller, aws_seconds(fetch, now));
    if (step == VAULT_STEP_EXCHANGE)
        return ask(fetch, vault_caller_exchange(caller));
    if (step == VAULT_STEP_PAUSE)
        return await(fetch, now.monotonic_ms + vault_caller_pause(caller), DOING_CALLER,
                     vault_caller_message(caller));
    if (vault_caller_status(caller) != VAULT_OK)
        return give_up(fetch, vault_caller_status(caller), vault_caller_message(caller));
    return VAULT_FETCH_SIGN;
}

static enum vault_fetch_state sign(struct vault_fetch *fetch, struct vault_moment now)
{
    const struct vault_signing signing = {
        .signer = fetch->world->signer,
        .endpoint = &fetch->endpoint,
        .credential = vault_caller_credential(fetch->caller),
        .region = fetch->endpoint.region,
        .service = vault_secretsmanager_service,
    };
    enum vault_status status;

    /* A queue or a pause took all the time. */
    if (is_over(fetch, now)) {
        vault_retry_forgo(&fetch->retry, fetch->world->budget);
        return conclude(fetch, fetch->status == VAULT_OK ? VAULT_TIMEOUT : fetch->status);
    }
    fetch->signed_skew_ms = atomic_load(fetch->world->skew_ms);
    vault_message_clear(&fetch->why);
    vault_exchange_clear(&fetch->exchange);
    status = vault_secretsmanager_ask_value(&fetch->exchange, fetch->wanted.secret_id,
                                            fetch->wanted.secret_id_length, fetch->wanted.stage);
    if (status == VAULT_OK)
        status = vault_exchange_sign(&fetch->exchange, &signing,
                                     (now.wall_ms + fetch->signed_skew_ms) / 1000);
    if (status != VAULT_OK)
        return conclude(fetch, status);
    fetch->retry.attempts++;
    fetch->out = &fetch->exchange;
    return VAULT_FETCH_EXCHANGE;
}

/* A request that was signed with a wrong clock, once; the correction is kept for all. */
static bool correct_clock(struct vault_fetch *fetch, struct vault_moment now)
{
    if (fetch->clock_corrected)
        return false;
    fetch->clock_corrected = vault_clock_skew_correct(&fetch->exchange, fetch->status, now.wall_ms,
                                                      fetch->signed_skew_ms, fetch->world->skew_ms);
    return fetch->clock_corrected;
}

/* A key that was rotated or a token that ran out under us: read the providers again, once. */
static bool identify_again(struct vault_fetch *fetch)
{
    if (fetch->identified_again)
        return false;
    if (fetch->status != VAULT_EXPIRED_TOKEN && fetch->status != VAULT_CREDENTIALS_REFUSED)
        return false;
    fetch->identified_again = true;
    vault_caller_refused(fetch->caller);
    return true;
}

static enum vault_fetch_state read_answer(struct vault_fetch *fetch, struct vault_moment now)
{
    const struct vault_exchange *exchange = &fetch->exchange;
    int64_t pause;

    if (exchange->outcome == VAULT_OK) {
        fetch->status = vault_secretsmanager_read_value(exchange, &fetch->secret, &fetch->why);
    } else {
        fetch->status = exchange->outcome;
        vault_message_add(&fetch->why, "%s", exchange->why.text);
    }
    if (fetch->status == VAULT_OK) {
        vault_retry_succeeded(&fetch->retry, fetch->world->budget);
        return conclude(fetch, VAULT_OK);
    }
    if (is_over(fetch, now))
        return conclude(fetch, fetch->status);
    if (correct_clock(fetch, now))
        return VAULT_FETCH_SIGN;
    if (identify_again(fetch))
        return VAULT_FETCH_IDENTIFY;
    pause = vault_retry_pause(&fetch->retry, fetch->world->budget, fetch->status,
                              exchange->retry_after_ms);
    if (pause >= 0 && now.monotonic_ms + pause >= fetch->deadline) {
        vault_retry_forgo(&fetch->retry, fetch->world->budget);
        pause = -1;
    }
    if (pause < 0)
        return conclude(fetch, fetch->status);
    fetch->wake = now.monotonic_ms + pause;
    return VAULT_FETCH_PAUSE;
}

static enum vault_fetch_state pause_over(struct vault_fetch *fetch, struct vault_moment now)
{
    return now.monotonic_ms < fetch->wake ? VAULT_FETCH_PAUSE : VAULT_FETCH_SIGN;
}

static enum vault_fetch_state wait_over(struct vault_fetch *fetch, struct vault_moment now)
{
    return now.monotonic_ms < fetch->wake ? VAULT_FETCH_AWAIT : fetch->asking;
}

/* EXCHANGE and ASK have no handler: the driver's call of advance is what ends them. */
typedef enum vault_fetch_state handler(struct vault_fetch *fetch, struct vault_moment now);
static handler *const handlers[VAULT_FETCH_STATE_COUNT] = {
    [VAULT_FETCH_LOCATE] = locate,    [VAULT_FETCH_IDENTIFY] = identify,
    [VAULT_FETCH_AWAIT] = wait_over,  [VAULT_FETCH_SIGN] = sign,
    [VAULT_FETCH_READ] = read_answer, [VAULT_FETCH_PAUSE] = pause_over,
};

enum vault_fetch_need vault_fetch_advance(struct vault_fetch *fetch, struct vault_moment now)
{
    if (fetch->state == VAULT_FETCH_EXCHANGE)
        enter(fetch, VAULT_FETCH_READ);
    else if (fetch->state == VAULT_FETCH_ASK)
        enter(fetch, fetch->asking);
    while (handlers[fetch->state]) {
        enum vault_fetch_state next = handlers[fetch->state](fetch, now);

        if (next == fetch->state)
            return VAULT_FETCH_NEED_TIME;
        enter(fetch, next);
    }
    return fetch->state == VAULT_FETCH_DONE ? VAULT_FETCH_NEED_NOTHING : VAULT_FETCH_NEED_EXCHANGE;
}

void vault_fetch_fail(struct vault_fetch *fetch, enum vault_status status, const char *why)
{
    if (fetch->state == VAULT_FETCH_DONE)
        return;
    vault_message_clear(&fetch->why);
    vault_message_add(&fetch->why, "%s", why);
    enter(fetch, conclude(fetch, status));
}

enum vault_status vault_fetch_new(const struct vault_fetch_request *request,
                                  const struct vault_fetch_world *world, struct vault_moment now,
                                  struct vault_fetch **made)
{
    struct vault_fetch *fetch;
    enum vault_status status;

    if (request->timeout_ms < 1 || request->timeout_ms > TIMEOUT_MAX_MS)
        return VAULT_BAD_CONFIG;
    fetch = vault_alloc(sizeof *fetch);
    if (!fetch)
        return VAULT_NO_MEMORY;
    fetch->world = world;
    fetch->deadline = now.monotonic_ms + request->timeout_ms;
    fetch->state = VAULT_FETCH_LOCATE;
    fetch->query.environment = world->environment;
    fetch->callers =
        (struct vault_identity_world){world->environment, world->signer,    world->budget,
                                      world->random,      world->random_at, world->skew_ms};
    vault_retry_init(&fetch->retry, world->environment, world->random, world->random_at);
    vault_endpoint_init(&fetch->endpoint);
    vault_exchange_init(&fetch->exchange);
    fetch->out = &fetch->exchange;
    vault_region_begin(&fetch->locating, &fetch->query, &fetch->exchange);
    vault_secret_init(&fetch->secret);
    status = vault_fetch_copy_make(request, &fetch->wanted);
    if (status == VAULT_OK)
        *made = fetch;
    else
        vault_fetch_free(fetch);
    return status;
}

void vault_fetch_free(struct vault_fetch *fetch)
{
    if (!fetch)
        return;
    vault_fetch_copy_free(&fetch->wanted);
    vault_endpoint_free(&fetch->endpoint);
    vault_caller_free(fetch->caller);
    vault_region_free(&fetch->locating);
    vault_exchange_free(&fetch->exchange);
    vault_secret_free(&fetch->secret);
    vault_free(fetch);
}

struct vault_exchange *vault_fetch_exchange(struct vault_fetch *fetch)
{
    return fetch->out;
}

int64_t vault_fetch_deadline(const struct vault_fetch *fetch)
{
    return fetch->deadline;
}

int64_t vault_fetch_wake(const struct vault_fetch *fetch)
{
    return fetch->wake;
}

enum vault_status vault_fetch_status(const struct vault_fetch *fetch)
{
    return fetch->status;
}

const struct vault_secret *vault_fetch_secret(const struct vault_fetch *fetch)
{
    return &fetch->secret;
}

const struct vault_message *vault_fetch_message(const struct vault_fetch *fetch)
{
    return &fetch->message;
}

unsigned vault_fetch_attempts(const struct vault_fetch *fetch)
{
    return fetch->retry.attempts;
}

void vault_fetch_set_trace(struct vault_fetch *fetch, vault_fetch_trace *trace, void *at)
{
    fetch->trace = trace;
    fetch->trace_at = at;
}
