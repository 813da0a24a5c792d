/* fetch - one fetch of one secret, or of a batch of them, as a table of states.
 *
 * For:   what fetch.h promises. Each state has one handler; it does its part and names the next
 *        state.
 * Never: reading or writing bytes of a protocol, sockets, threads, Lua, the clock (it comes in).
 */
#include "fetch.h"

#include <string.h>

#include "clock_skew.h"
#include "fetch_state.h"
#include "signed_exchange.h"

#define TIMEOUT_MAX_MS 3600000
#define RETRY_LEAST_MS 10 /* in less AWS answers nobody: a retry would only be a call more */
/* The year 3000: no clock is right there, and close to 9999 nothing could be signed any more. */
#define DATE_MAX INT64_C(32503680000)

static void enter(struct vault_fetch *fetch, enum vault_fetch_state next)
{
    enum vault_fetch_state from = fetch->state;

    fetch->state = next;
    if (fetch->trace)
        fetch->trace(fetch->trace_at, from, next);
}

/* Of what the result speaks, and why it is none. */
static void say(struct vault_fetch *fetch)
{
    struct vault_message message = {0};

    vault_fetch_copy_say(&fetch->wanted, &message);
    vault_message_add(&message, ": %s",
                      fetch->why.length ? fetch->why.text
                                        : vault_status_row(fetch->status)->sentence);
    if (fetch->retry.attempts > 1)
        vault_message_add(&message, " (%u attempts)", fetch->retry.attempts);
    vault_note_set(&fetch->message, &message);
}

static void forget_locating(struct vault_fetch *fetch)
{
    if (fetch->locating)
        vault_region_free(fetch->locating);
    vault_free(fetch->locating);
    fetch->locating = NULL;
}

enum vault_fetch_state vault_fetch_conclude(struct vault_fetch *fetch, enum vault_status status)
{
    fetch->status = status;
    if (status != VAULT_OK)
        say(fetch);
    vault_caller_free(fetch->caller);
    fetch->caller = NULL;
    forget_locating(fetch);
    vault_exchange_free(&fetch->exchange);
    vault_place_release(fetch->place);
    fetch->place = NULL;
    vault_fetch_copy_forget_caller(&fetch->wanted);
    fetch->out = &fetch->exchange; /* the caller's is gone */
    return VAULT_FETCH_DONE;
}

bool vault_fetch_is_over(const struct vault_fetch *fetch, struct vault_moment now)
{
    return now.monotonic_ms >= fetch->deadline;
}

static enum vault_status ask(struct vault_exchange *exchange, const struct vault_fetch_copy *wanted)
{
    if (wanted->batch_count > 0)
        return vault_secretsmanager_ask_batch(exchange, wanted->batch, wanted->batch_count);
    return vault_secretsmanager_ask_value(exchange, wanted->secret_id, wanted->secret_id_length,
                                          wanted->stage);
}

static enum vault_fetch_state sign(struct vault_fetch *fetch, struct vault_moment now)
{
    const struct vault_endpoint *endpoint = vault_place_endpoint(fetch->place);
    const struct vault_signing signing = {
        .signer = fetch->world->signer,
        .endpoint = endpoint,
        .credential = vault_caller_credential(fetch->caller),
        .region = endpoint->region,
        .service = vault_secretsmanager_service,
    };
    bool unanswered = fetch->retry.attempts > 0 && fetch->exchange.outcome != VAULT_OK;
    enum vault_status status;

    /* A queue or a pause took all the time. */
    if (vault_fetch_is_over(fetch, now)) {
        vault_retry_forgo(&fetch->retry, fetch->budget);
        return vault_fetch_conclude(fetch,
                                    fetch->status == VAULT_OK ? VAULT_TIMEOUT : fetch->status);
    }
    fetch->signed_skew_ms = atomic_load(fetch->world->skew_ms);
    vault_note_clear(&fetch->why);
    vault_exchange_clear(&fetch->exchange);
    /* Where one connection fell silent, others that were kept with it may have, too. */
    fetch->exchange.fresh = unanswered;
    fetch->exchange.again = vault_retry_is_left(&fetch->retry, fetch->budget);
    status = ask(&fetch->exchange, &fetch->wanted);
    if (status == VAULT_OK)
        status = vault_exchange_sign(&fetch->exchange, &signing,
                                     (now.wall_ms + fetch->signed_skew_ms) / 1000);
    if (status != VAULT_OK)
        return vault_fetch_conclude(fetch, status);
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

/* What is said of a secret of the batch is what a fetch of that one would say. */
static void say_entry(const struct vault_fetch *fetch, size_t index)
{
    struct vault_batch_entry *entry = &fetch->batch.entries[index];
    struct vault_message message = {0};

    if (entry->status == VAULT_OK)
        return;
    vault_fetch_copy_say_one(&fetch->wanted, index, &message);
    vault_message_add(&message, ": %s", entry->why.text);
    entry->why = message;
}

static enum vault_status read_batch(struct vault_fetch *fetch, struct vault_message *why)
{
    const struct vault_fetch_copy *wanted = &fetch->wanted;
    enum vault_status status = vault_secretsmanager_read_batch(
        &fetch->exchange, wanted->batch, wanted->batch_count, &fetch->batch, why);

    for (size_t i = 0; i < fetch->batch.count; i++)
        say_entry(fetch, i);
    return status;
}

static enum vault_status read_result(struct vault_fetch *fetch)
{
    const struct vault_exchange *exchange = &fetch->exchange;
    enum vault_status status = exchange->outcome;
    struct vault_message why;

    vault_message_clear(&why);
    if (exchange->outcome != VAULT_OK)
        vault_message_add(&why, "%s", exchange->why.text);
    else if (fetch->wanted.batch_count > 0)
        status = read_batch(fetch, &why);
    else
        status = vault_secretsmanager_read_value(exchange, &fetch->secret, &why);
    if (status != VAULT_OK)
        vault_note_set(&fetch->why, &why);
    return status;
}

static enum vault_fetch_state read_answer(struct vault_fetch *fetch, struct vault_moment now)
{
    const struct vault_exchange *exchange = &fetch->exchange;
    int64_t pause;

    vault_fetch_report_answer(fetch->report, exchange, fetch->signed_skew_ms);
    fetch->status = read_result(fetch);
    if (fetch->status == VAULT_OK) {
        vault_retry_succeeded(&fetch->retry, fetch->budget);
        return vault_fetch_conclude(fetch, VAULT_OK);
    }
    if (vault_fetch_is_over(fetch, now))
        return vault_fetch_conclude(fetch, fetch->status);
    if (correct_clock(fetch, now))
        return VAULT_FETCH_SIGN;
    if (identify_again(fetch))
        return VAULT_FETCH_IDENTIFY;
    pause =
        vault_retry_pause(&fetch->retry, fetch->budget, fetch->status, exchange->retry_after_ms);
    if (pause >= 0 && now.monotonic_ms + pause + RETRY_LEAST_MS > fetch->deadline) {
        vault_retry_forgo(&fetch->retry, fetch->budget);
        pause = -1;
    }
    if (pause < 0)
        return vault_fetch_conclude(fetch, fetch->status);
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
    [VAULT_FETCH_LOCATE] = vault_fetch_locate, [VAULT_FETCH_IDENTIFY] = vault_fetch_identify,
    [VAULT_FETCH_AWAIT] = wait_over,           [VAULT_FETCH_SIGN] = sign,
    [VAULT_FETCH_READ] = read_answer,          [VAULT_FETCH_PAUSE] = pause_over,
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
    struct vault_message message = {0};

    if (fetch->state == VAULT_FETCH_DONE)
        return;
    vault_message_add(&message, "%s", why);
    vault_note_set(&fetch->why, &message);
    enter(fetch, vault_fetch_conclude(fetch, status));
}

static void prepare(struct vault_fetch *fetch, const struct vault_fetch_world *world,
                    int64_t deadline)
{
    fetch->world = world;
    fetch->deadline = deadline;
    fetch->state = VAULT_FETCH_LOCATE;
    fetch->query.environment = world->environment;
    fetch->callers = (struct vault_identity_world){
        .environment = world->environment,
        .signer = world->signer,
        .budgets = world->budgets,
        .random = world->random,
        .random_at = world->random_at,
        .skew_ms = world->skew_ms,
    };
    vault_retry_init(&fetch->retry, world->environment, world->random, world->random_at);
    vault_exchange_init(&fetch->exchange);
    fetch->out = &fetch->exchange;
    vault_secret_init(&fetch->secret);
    vault_note_init(&fetch->why);
    vault_note_init(&fetch->message);
}

static enum vault_status open_report(struct vault_fetch *fetch)
{
    fetch->report = vault_alloc(sizeof *fetch->report);
    if (!fetch->report)
        return VAULT_NO_MEMORY;
    fetch->callers.trail = &fetch->report->trail;
    return VAULT_OK;
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
    prepare(fetch, world, now.monotonic_ms + request->timeout_ms);
    if (request->attempts > 0)
        fetch->retry.max_attempts = request->attempts;
    status = vault_fetch_copy_make(request, &fetch->wanted);
    if (status == VAULT_OK && request->explain)
        status = open_report(fetch);
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
    vault_caller_free(fetch->caller);
    vault_fetch_copy_free(&fetch->wanted);
    vault_place_release(fetch->place);
    forget_locating(fetch);
    vault_exchange_free(&fetch->exchange);
    vault_secret_free(&fetch->secret);
    vault_note_clear(&fetch->why);
    vault_note_clear(&fetch->message);
    vault_batch_free(&fetch->batch);
    vault_free(fetch->report);
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

const struct vault_batch *vault_fetch_batch(const struct vault_fetch *fetch)
{
    return &fetch->batch;
}

const struct vault_note *vault_fetch_message(const struct vault_fetch *fetch)
{
    return &fetch->message;
}

unsigned vault_fetch_attempts(const struct vault_fetch *fetch)
{
    return fetch->retry.attempts;
}

const struct vault_fetch_report *vault_fetch_report(const struct vault_fetch *fetch)
{
    return fetch->report;
}

void vault_fetch_set_trace(struct vault_fetch *fetch, vault_fetch_trace *trace, void *at)
{
    fetch->trace = trace;
    fetch->trace_at = at;
}
