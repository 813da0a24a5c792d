/* fetch_prepare - the first half of a fetch: where it goes, and who asks.
 *
 * For:   the states LOCATE and IDENTIFY, the waiting in them, and the errand that ends it.
 * Never: the secret that is fetched (fetch), sockets, the clock (it comes in).
 */
#include <stdatomic.h>

#include "fetch_state.h"

#define ERRAND_MS 30000 /* longer than any source takes by its own limits */

#define DOING_REGION " while the instance was asked for its region"
#define DOING_CALLER " while credentials were asked for"

static enum vault_fetch_state give_up(struct vault_fetch *fetch, enum vault_status status,
                                      const char *why)
{
    struct vault_message message = {0};

    vault_message_add(&message, "%s", why);
    vault_note_set(&fetch->why, &message);
    return vault_fetch_conclude(fetch, status);
}

static int64_t aws_seconds(const struct vault_fetch *fetch, struct vault_moment now)
{
    return (now.wall_ms + atomic_load(fetch->world->skew_ms)) / 1000;
}

/* No time is left for `doing`; what was amiss with it so far may be the reason. */
static enum vault_fetch_state late(struct vault_fetch *fetch, const char *doing, const char *amiss)
{
    struct vault_message why = {0};

    if (fetch->status != VAULT_OK)
        return vault_fetch_conclude(fetch, fetch->status);
    vault_message_add(&why, "%s%s", vault_status_row(VAULT_TIMEOUT)->sentence, doing);
    if (*amiss)
        vault_message_add(&why, ": %s", amiss);
    return give_up(fetch, VAULT_TIMEOUT, why.text);
}

static enum vault_fetch_state ask(struct vault_fetch *fetch, struct vault_exchange *exchange)
{
    fetch->asking = fetch->state;
    fetch->out = exchange;
    return VAULT_FETCH_ASK;
}

static enum vault_fetch_state await(struct vault_fetch *fetch, int64_t until, const char *doing,
                                    const char *amiss)
{
    if (until >= fetch->deadline)
        return late(fetch, doing, amiss);
    fetch->asking = fetch->state;
    fetch->wake = until;
    return VAULT_FETCH_AWAIT;
}

static enum vault_status begin_locating(struct vault_fetch *fetch)
{
    fetch->locating = vault_alloc(sizeof *fetch->locating);
    if (!fetch->locating)
        return VAULT_NO_MEMORY;
    vault_region_begin(fetch->locating, &fetch->query, &fetch->exchange);
    return VAULT_OK;
}

/* LOCATE, where it is found. */
static enum vault_fetch_state find_region(struct vault_fetch *fetch, struct vault_moment now)
{
    struct vault_region_run *run;
    enum vault_step step;

    if (!fetch->locating && begin_locating(fetch) != VAULT_OK)
        return vault_fetch_conclude(fetch, VAULT_NO_MEMORY);
    run = fetch->locating;
    step = vault_region_next(run, aws_seconds(fetch, now), &fetch->wanted.region);
    if (step == VAULT_STEP_EXCHANGE)
        return ask(fetch, &fetch->exchange);
    if (step == VAULT_STEP_PAUSE)
        return await(fetch, now.monotonic_ms + run->pause_ms, DOING_REGION,
                     fetch->exchange.why.text);
    return run->status == VAULT_OK ? VAULT_FETCH_LOCATE
                                   : give_up(fetch, run->status, run->why.text);
}

static bool is_asking_for_region(const struct vault_fetch *fetch)
{
    return fetch->locating && fetch->locating->asking;
}

static enum vault_fetch_state begin_caller(struct vault_fetch *fetch, struct vault_moment now)
{
    const struct vault_identity_request *request = &fetch->wanted.caller;
    enum vault_status status = VAULT_OK;

    fetch->wanted.caller.region = fetch->wanted.region.data;
    if (!fetch->is_errand)
        status = vault_chain_regional(request, &fetch->query, fetch->world->roles, now.monotonic_ms,
                                      &fetch->regional);
    if (status == VAULT_OK)
        status = vault_caller_new(request, &fetch->callers, fetch->regional, &fetch->caller);
    if (status != VAULT_OK)
        return vault_fetch_conclude(fetch, status);
    if (fetch->is_errand)
        vault_caller_set_mode(fetch->caller, VAULT_CALLER_ERRAND);
    else if (fetch->world->errands)
        vault_caller_set_mode(fetch->caller, VAULT_CALLER_SENDS);
    return VAULT_FETCH_IDENTIFY;
}

/* An errand goes to no endpoint of its own. */
enum vault_fetch_state vault_fetch_locate(struct vault_fetch *fetch, struct vault_moment now)
{
    struct vault_endpoint_query asked = {.service = vault_secretsmanager_service,
                                         .override = fetch->wanted.endpoint_url};
    enum vault_fetch_state next;
    enum vault_status status;
    struct vault_message why;

    if (vault_fetch_is_over(fetch, now))
        return late(fetch, is_asking_for_region(fetch) ? DOING_REGION : "",
                    fetch->exchange.why.text);
    if (!fetch->wanted.region.length) {
        next = find_region(fetch, now);
        if (next != VAULT_FETCH_LOCATE)
            return next;
        if (fetch->report)
            fetch->report->region_from = fetch->locating->looked ? "instance metadata" : "profile";
    }
    if (fetch->is_errand)
        return begin_caller(fetch, now);
    asked.region = fetch->wanted.region.data;
    vault_message_clear(&why);
    status = vault_place_find(fetch->world->places, &fetch->query, &asked, now.monotonic_ms,
                              &fetch->place, &why);
    if (status != VAULT_OK)
        return give_up(fetch, status, why.text);
    fetch->budget =
        vault_retry_budget_of(fetch->world->budgets, vault_place_endpoint(fetch->place)->host.data);
    vault_fetch_report_endpoint(fetch->report, vault_place_endpoint(fetch->place));
    return begin_caller(fetch, now);
}

static void tell_credential(struct vault_fetch_report *report,
                            const struct vault_credential *credential)
{
    vault_message_clear(&report->source);
    vault_message_add(&report->source, "%s", credential->source);
    report->expires = credential->expires;
}

enum vault_fetch_state vault_fetch_identify(struct vault_fetch *fetch, struct vault_moment now)
{
    struct vault_caller *caller = fetch->caller;
    enum vault_step step;

    if (vault_fetch_is_over(fetch, now))
        return late(fetch, DOING_CALLER,
                    fetch->out->why.length ? fetch->out->why.text : vault_caller_message(caller));
    step = vault_caller_next(caller, aws_seconds(fetch, now));
    if (step == VAULT_STEP_EXCHANGE)
        return ask(fetch, vault_caller_exchange(caller));
    if (step == VAULT_STEP_PAUSE)
        return await(fetch, now.monotonic_ms + vault_caller_pause(caller), DOING_CALLER,
                     vault_caller_message(caller));
    if (vault_caller_status(caller) != VAULT_OK)
        return give_up(fetch, vault_caller_status(caller), vault_caller_message(caller));
    if (fetch->is_errand)
        return vault_fetch_conclude(fetch, VAULT_OK);
    if (fetch->report)
        tell_credential(fetch->report, vault_caller_credential(caller));
    return VAULT_FETCH_SIGN;
}

struct vault_fetch *vault_fetch_take_errand(struct vault_fetch *fetch, struct vault_moment now)
{
    struct vault_fetch_request request = {.secret_id = ""};
    struct vault_fetch *errand = NULL;

    if (!fetch->caller || !vault_caller_take_errand(fetch->caller))
        return NULL;
    request.timeout_ms = ERRAND_MS;
    request.region = fetch->wanted.region.data;
    request.caller = fetch->wanted.caller;
    if (vault_fetch_new(&request, fetch->world, now, &errand) != VAULT_OK)
        return NULL;
    errand->is_errand = true;
    errand->regional = fetch->regional;
    return errand;
}

void vault_fetch_rouse(struct vault_fetch *fetch)
{
    if (fetch->state == VAULT_FETCH_AWAIT && fetch->caller && vault_caller_waits(fetch->caller))
        fetch->wake = 0;
}
