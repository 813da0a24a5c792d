/* script - a driver of fetches without a network: its clock, its answers, its random numbers.
 *
 * For:   tests of the state table; every change of state is checked against the table here. Include
 *        after cmocka.h.
 * Never: sockets, the real clock.
 */
#ifndef VAULT_TEST_SCRIPT_H
#define VAULT_TEST_SCRIPT_H

#include <stdio.h>
#include <string.h>

#include "credential_cache.h"
#include "host_tokens.h"
#include "fetch.h"
#include "region.h"
#include "saying.h"

#define WALL_MS     INT64_C(1440938160000) /* 20150830T123600Z */
#define GOOD        "{\"SecretString\":\"valueCANARY\",\"VersionId\":\"v1\",\"ARN\":\"arn:a\"}"
#define ERROR(code) "{\"__type\":\"" code "\",\"Message\":\"planted\"}"

#define ATTEMPTS_SEEN 16

/* One exchange's end. */
struct answer {
    const char *url; /* what ASK must ask; NULL: an attempt */
    const char *body;
    int status;                /* 0: 200 for GOOD and for what ASK asked, 400 for another body */
    enum vault_status outcome; /* not OK: no HTTP answer came */
    int64_t takes_ms;
    int64_t clock_off_s; /* AWS's clock in the Date header minus ours; 0 for right */
    bool no_date;
    int64_t date;        /* not 0: the Date itself */
    int64_t retry_after; /* 0: none */
};

struct stage {
    struct vault_environment *environment;
    struct vault_signer *signer;
    struct vault_retry_budgets budgets;
    _Atomic int64_t skew_ms;
    uint32_t bits;
    struct vault_fetch_world world;
    struct vault_moment now;

    bool edges[VAULT_FETCH_STATE_COUNT][VAULT_FETCH_STATE_COUNT]; /* seen */
    unsigned exchanges;
    char dates[ATTEMPTS_SEEN][17]; /* X-Amz-Date of each attempt */
    char keys[ATTEMPTS_SEEN][32];  /* access key id of each attempt */
    bool fresh[ATTEMPTS_SEEN];     /* whether it wants a new connection */
    bool again[ATTEMPTS_SEEN];     /* whether it says that another one follows */
    int64_t paused_ms[ATTEMPTS_SEEN];
    unsigned pauses;
    void (*on_exchange)(struct stage *stage);
};

/* The table: what may follow what. */
static inline bool edge_is_right(enum vault_fetch_state from, enum vault_fetch_state to)
{
    static const bool table[VAULT_FETCH_STATE_COUNT][VAULT_FETCH_STATE_COUNT] = {
        [VAULT_FETCH_LOCATE] = {[VAULT_FETCH_IDENTIFY] = true,
                                [VAULT_FETCH_ASK] = true,
                                [VAULT_FETCH_AWAIT] = true,
                                [VAULT_FETCH_DONE] = true},
        [VAULT_FETCH_IDENTIFY] = {[VAULT_FETCH_SIGN] = true,
                                  [VAULT_FETCH_ASK] = true,
                                  [VAULT_FETCH_AWAIT] = true,
                                  [VAULT_FETCH_DONE] = true},
        [VAULT_FETCH_ASK] =
            {[VAULT_FETCH_LOCATE] = true, [VAULT_FETCH_IDENTIFY] = true, [VAULT_FETCH_DONE] = true},
        [VAULT_FETCH_AWAIT] =
            {[VAULT_FETCH_LOCATE] = true, [VAULT_FETCH_IDENTIFY] = true, [VAULT_FETCH_DONE] = true},
        [VAULT_FETCH_SIGN] = {[VAULT_FETCH_EXCHANGE] = true, [VAULT_FETCH_DONE] = true},
        [VAULT_FETCH_EXCHANGE] = {[VAULT_FETCH_READ] = true, [VAULT_FETCH_DONE] = true},
        [VAULT_FETCH_READ] = {[VAULT_FETCH_IDENTIFY] = true,
                              [VAULT_FETCH_SIGN] = true,
                              [VAULT_FETCH_PAUSE] = true,
                              [VAULT_FETCH_DONE] = true},
        [VAULT_FETCH_PAUSE] = {[VAULT_FETCH_SIGN] = true, [VAULT_FETCH_DONE] = true},
    };

    return table[from][to];
}

static inline void see_edge(void *at, enum vault_fetch_state from, enum vault_fetch_state to)
{
    struct stage *stage = at;

    stage->edges[from][to] = true;
    if (!edge_is_right(from, to))
        fail_msg("state %d went to %d", from, to);
}

static inline uint32_t stage_bits(void *at)
{
    return ((struct stage *)at)->bits;
}

static const char *const with_keys[] = {"AWS_ACCESS_KEY_ID=AKIDEXAMPLE",
                                        "AWS_SECRET_ACCESS_KEY=secretCANARY",
                                        "AWS_SESSION_TOKEN=tokenCANARY", NULL};

/* NULL for `entries`: with_keys. */
static inline void open_stage(struct stage *stage, const char *const *entries)
{
    memset(stage, 0, sizeof *stage);
    vault_credential_cache_clear();
    vault_region_forget();
    assert_int_equal(vault_environment_new(entries ? entries : with_keys, &stage->environment),
                     VAULT_OK);
    assert_int_equal(vault_signer_new(&stage->signer), VAULT_OK);
    stage->now = (struct vault_moment){.monotonic_ms = 5000, .wall_ms = WALL_MS};
    stage->world = (struct vault_fetch_world){
        .environment = stage->environment,
        .signer = stage->signer,
        .budgets = &stage->budgets,
        .skew_ms = &stage->skew_ms,
        .random = stage_bits,
        .random_at = stage,
    };
}

static inline void close_stage(struct stage *stage)
{
    vault_signer_free(stage->signer);
    vault_environment_free(stage->environment);
    vault_credential_cache_clear();
}

static inline void pass(struct stage *stage, int64_t milliseconds)
{
    stage->now.monotonic_ms += milliseconds;
    stage->now.wall_ms += milliseconds;
}

static inline struct vault_fetch_request request_of(const char *secret_id)
{
    return (struct vault_fetch_request){
        .secret_id = secret_id,
        .secret_id_length = strlen(secret_id),
        .region = "eu-west-1",
        .timeout_ms = 10000,
    };
}

static inline struct vault_fetch *open_fetch(struct stage *stage,
                                             const struct vault_fetch_request *request)
{
    struct vault_fetch *fetch = NULL;

    assert_int_equal(vault_fetch_new(request, &stage->world, stage->now, &fetch), VAULT_OK);
    vault_fetch_set_trace(fetch, see_edge, stage);
    return fetch;
}

/* What follows `name` on the exchange's headers, up to one of `ends`. */
static inline void copy_header(const struct vault_exchange *exchange, const char *name,
                               const char *ends, char *into, size_t room)
{
    const char *at = strstr(exchange->headers.data, name);

    assert_non_null(at);
    at += strlen(name);
    assert_true(strcspn(at, ends) < room);
    memcpy(into, at, strcspn(at, ends));
    into[strcspn(at, ends)] = '\0';
}

static inline void see_exchange(struct stage *stage, const struct vault_exchange *exchange)
{
    assert_non_null(strstr(exchange->headers.data, "/secretsmanager/aws4_request"));
    assert_false(exchange->direct);
    assert_int_equal(exchange->timeout_ms, 0);
    assert_true(stage->exchanges < ATTEMPTS_SEEN);
    copy_header(exchange, "X-Amz-Date: ", "\r", stage->dates[stage->exchanges], 17);
    copy_header(exchange, "Credential=", "/", stage->keys[stage->exchanges], 32);
    stage->fresh[stage->exchanges] = exchange->fresh;
    stage->again[stage->exchanges] = exchange->again;
    stage->exchanges++;
    if (stage->on_exchange)
        stage->on_exchange(stage);
}

/* Do to the fetch's exchange what http.c would. */
static inline void perform(struct stage *stage, struct vault_fetch *fetch,
                           const struct answer *answer)
{
    struct vault_exchange *exchange = vault_fetch_exchange(fetch);
    const char *body = answer->body ? answer->body : GOOD;

    if (answer->url)
        assert_string_equal(exchange->url.data, answer->url);
    else
        see_exchange(stage, exchange);
    pass(stage, answer->takes_ms);
    exchange->outcome = answer->outcome;
    if (answer->outcome != VAULT_OK) {
        plant_note(&exchange->why, "planted");
        return;
    }
    exchange->status = answer->url || strcmp(body, GOOD) == 0 ? 200 : 400;
    if (answer->status)
        exchange->status = answer->status;
    exchange->outcome = vault_buffer_text(&exchange->answer, body);
    if (!answer->no_date)
        exchange->date = stage->now.wall_ms / 1000 + answer->clock_off_s;
    if (answer->date)
        exchange->date = answer->date;
    if (answer->retry_after)
        exchange->retry_after_ms = answer->retry_after;
}

/* Drive `fetch` to its end with one answer per exchange; all of them must be used. */
static inline enum vault_status drive(struct stage *stage, struct vault_fetch *fetch,
                                      const struct answer *answers, unsigned count)
{
    enum vault_fetch_need need = vault_fetch_advance(fetch, stage->now);
    unsigned used = 0;

    while (need != VAULT_FETCH_NEED_NOTHING) {
        if (need == VAULT_FETCH_NEED_EXCHANGE) {
            if (used == count)
                fail_msg("exchange %u was not expected: %s", used + 1,
                         vault_fetch_exchange(fetch)->url.data);
            perform(stage, fetch, &answers[used++]);
        } else {
            int64_t wait = vault_fetch_wake(fetch) - stage->now.monotonic_ms;

            assert_true(wait > 0);
            assert_true(vault_fetch_wake(fetch) < vault_fetch_deadline(fetch));
            stage->paused_ms[stage->pauses++] = wait;
            pass(stage, wait);
        }
        need = vault_fetch_advance(fetch, stage->now);
    }
    assert_int_equal(used, count);
    assert_null(strstr(vault_fetch_message(fetch)->text, "CANARY"));
    return vault_fetch_status(fetch);
}

/* One fetch from its beginning to its end. */
static inline enum vault_status play(struct stage *stage, const struct answer *answers,
                                     unsigned count, struct vault_message *message)
{
    const struct vault_fetch_request request = request_of("db");
    struct vault_fetch *fetch = open_fetch(stage, &request);
    enum vault_status status;

    stage->exchanges = 0;
    stage->pauses = 0;
    status = drive(stage, fetch, answers, count);
    assert_int_equal(vault_fetch_attempts(fetch), stage->exchanges);
    if (message)
        copy_note(vault_fetch_message(fetch), message);
    vault_fetch_free(fetch);
    return status;
}

/* The whole fetch with the nth allocation failing; false where there was no nth. Survived and
 * counted are what the cache of credentials cannot get, and what was amiss with an attempt that is
 * made again. */
static inline bool fails_at(unsigned long nth, const char *const *entries,
                            const struct vault_fetch_request *request, const struct answer *answers,
                            unsigned *survived)
{
    enum vault_fetch_need need = VAULT_FETCH_NEED_TIME;
    struct vault_fetch *fetch = NULL;
    enum vault_status status;
    struct stage stage;
    bool failed;

    open_stage(&stage, entries);
    (void)vault_alloc_fail(nth);
    status = vault_fetch_new(request, &stage.world, stage.now, &fetch);
    if (status == VAULT_OK) {
        for (unsigned i = 0; need != VAULT_FETCH_NEED_NOTHING;) {
            need = vault_fetch_advance(fetch, stage.now);
            if (need == VAULT_FETCH_NEED_EXCHANGE)
                perform(&stage, fetch, &answers[i++]);
            else if (need == VAULT_FETCH_NEED_TIME)
                pass(&stage, vault_fetch_wake(fetch) - stage.now.monotonic_ms);
        }
        status = vault_fetch_status(fetch);
        assert_int_equal(vault_fetch_secret(fetch)->payload.length, status == VAULT_OK ? 11 : 0);
    } else {
        assert_null(fetch);
    }
    failed = vault_alloc_fail(0) >= nth;
    assert_true(status == VAULT_OK || (failed && status == VAULT_NO_MEMORY));
    *survived += failed && status == VAULT_OK;
    vault_fetch_free(fetch);
    close_stage(&stage);
    return failed;
}

/* Every allocation of a fetch that ends well fails once. */
static inline void play_without_memory(const char *const *entries,
                                       const struct vault_fetch_request *request,
                                       const struct answer *answers, unsigned survivable)
{
    unsigned survived = 0;
    unsigned long nth = 1;

    while (fails_at(nth, entries, request, answers, &survived))
        nth++;
    assert_true(nth > 20);
    assert_int_equal(survived, survivable);
}

#endif
