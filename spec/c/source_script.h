/* source_script - a driver of credential sources without a network.
 *
 * For:   tests of the sources: a table of what must be asked and what is answered. Include after
 *        cmocka.h. Whatever happens, no message shows the word CANARY.
 * Never: sockets, clocks, which source it is.
 */
#ifndef VAULT_TEST_SOURCE_SCRIPT_H
#define VAULT_TEST_SOURCE_SCRIPT_H

#include <stdio.h>
#include <string.h>

#include "credential_source.h"
#include "saying.h"

#define NOW       INT64_C(1700000000) /* 2023-11-14T22:13:20Z */
#define MOVES_MAX 8

/* One exchange: what must be asked, and how it ends. */
struct move {
    const char *asks;    /* "PUT http://host/path"; NULL ends the table */
    const char *headers; /* all of them; NULL: not looked at */
    const char *body;
    int status;                /* 0: 200 */
    enum vault_status outcome; /* not OK: no HTTP answer came */
};

struct play {
    const struct vault_credential_source *source;
    struct vault_environment *environment;
    struct vault_credential_query query;
    struct vault_exchange exchange;
    struct vault_credential_run run;
    unsigned moved, pauses;
    int64_t paused_ms;
    bool (*may_connect)(const void *sockaddr); /* of the last exchange */
    int64_t timeout_ms;
    int64_t date; /* of every answer; 0: none */
};

/* What the source carries out, where it needs that; whatever a plan sends out goes by any proxy. */
static const struct vault_plan *play_plan;

static inline void play_open(struct play *play, const struct vault_credential_source *source,
                             const char *const *entries)
{
    memset(play, 0, sizeof *play);
    play->source = source;
    assert_int_equal(vault_environment_new(entries, &play->environment), VAULT_OK);
    play->query.environment = play->environment;
    vault_exchange_init(&play->exchange);
    vault_credential_run_init(&play->run, &play->query, &play->exchange);
    play->run.plan = play_plan;
}

static inline void play_close(struct play *play)
{
    vault_credential_run_free(&play->run);
    vault_exchange_free(&play->exchange);
    vault_environment_free(play->environment);
}

/* Do to the exchange what http.c would. */
static inline void play_move(struct play *play, const struct move *move)
{
    struct vault_exchange *exchange = &play->exchange;
    char asks[4096];

    if (!move->asks)
        fail_msg("unexpected: %s %s", exchange->method, exchange->url.data);
    (void)snprintf(asks, sizeof asks, "%s %s", exchange->method, exchange->url.data);
    assert_string_equal(asks, move->asks);
    if (move->headers)
        assert_string_equal(exchange->headers.length ? exchange->headers.data : "", move->headers);
    assert_int_equal(exchange->direct, !play_plan);
    assert_int_equal(exchange->body.length, 0);
    assert_int_equal(exchange->answer.length, 0);
    play->may_connect = exchange->may_connect;
    play->timeout_ms = exchange->timeout_ms;
    exchange->outcome = move->outcome;
    if (move->outcome != VAULT_OK) {
        plant_note(&exchange->why, "planted");
        return;
    }
    exchange->status = move->status ? move->status : 200;
    exchange->date = play->date ? play->date : -1;
    if (move->body)
        assert_int_equal(vault_buffer_text(&exchange->answer, move->body), VAULT_OK);
}

/* One call of the source, its step carried out. True where it is done. */
static inline bool play_step(struct play *play, const struct move *moves)
{
    play->run.now = NOW;
    switch (play->source->next(&play->run)) {
    case VAULT_STEP_EXCHANGE:
        assert_true(play->moved < MOVES_MAX);
        play_move(play, &moves[play->moved++]);
        return false;
    case VAULT_STEP_PAUSE:
        assert_true(play->run.pause_ms > 0);
        play->pauses++;
        play->paused_ms += play->run.pause_ms;
        return false;
    case VAULT_STEP_DONE:
    default:
        return true;
    }
}

/* What holds at the end of any run. */
static inline void play_check_end(const struct play *play)
{
    const struct vault_credential_run *run = &play->run;

    assert_null(strstr(run->why.text, "CANARY"));
    assert_int_equal(run->why.length == 0, run->status == VAULT_OK);
    assert_int_equal(play->exchange.answer.length, 0);
    assert_int_equal(play->exchange.headers.length, 0);
    if (run->status != VAULT_OK)
        assert_null(run->credential.access_key_id);
}

/* From the first call to the end, every answer dated; all moves must be made. Needs play_close. */
static inline enum vault_status play_dated(struct play *play,
                                           const struct vault_credential_source *source,
                                           const char *const *entries, const struct move *moves,
                                           int64_t date)
{
    play_open(play, source, entries);
    play->date = date;
    while (!play_step(play, moves))
        ;
    assert_null(moves[play->moved].asks);
    play_check_end(play);
    return play->run.status;
}

/* The same without dates. */
static inline enum vault_status play_all(struct play *play,
                                         const struct vault_credential_source *source,
                                         const char *const *entries, const struct move *moves)
{
    return play_dated(play, source, entries, moves, 0);
}

/* The first `call` calls go well, in the next one the `nth` allocation fails. False where it has
 * none such; then *last says whether it was the last call. */
static inline bool play_failing(struct play *play, const struct move *moves, unsigned call,
                                unsigned long nth, bool *last)
{
    enum vault_step step;

    for (unsigned i = 0; i < call; i++)
        assert_false(play_step(play, moves));
    play->run.now = NOW;
    vault_alloc_fail(nth);
    step = play->source->next(&play->run);
    *last = step == VAULT_STEP_DONE;
    if (vault_alloc_fail(0) < nth)
        return false;
    assert_int_equal(step, VAULT_STEP_DONE);
    assert_int_equal(play->run.status, VAULT_NO_MEMORY);
    assert_null(play->run.credential.access_key_id);
    return true;
}

/* Every allocation of every call fails once. Returns how many did. */
static inline unsigned play_without_memory(const struct vault_credential_source *source,
                                           const char *const *entries, const struct move *moves)
{
    unsigned failures = 0;
    bool last = false;

    for (unsigned call = 0; !last; call++) {
        bool failed = true;

        for (unsigned long nth = 1; failed; nth++) {
            struct play play;

            play_open(&play, source, entries);
            failed = play_failing(&play, moves, call, nth, &last);
            failures += failed;
            play_close(&play);
        }
    }
    return failures;
}

#endif
