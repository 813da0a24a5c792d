/* loop - fetches driven side by side over one libcurl multi handle.
 *
 * For:   what loop.h promises.
 * Never: threads and locks, what a fetch does next, Lua.
 */
#include "loop.h"

#include <string.h>

#include "http.h"
#include "program.h"

#define CONNECT_TIMEOUT_MS 3000
#define CONNECTIONS_MAX    64 /* per host, and kept alive */
#define TRANSFERS_KEPT     64
#define LATE_MS            50 /* libcurl's own time-outs go first: they say more */
#define PROGRAMS_WATCHED   16 /* at a time; more are looked after every */
#define PROGRAM_LOOK_MS    20

struct vault_loop {
    struct vault_loop_settings settings;
    struct vault_http_settings http;
    struct vault_fetch_world world;
    struct vault_places places;
    struct vault_chain_roles roles;
    char *ca_file;
    CURLM *multi;
    struct vault_job *jobs; /* all that are taken up, doubly linked */
    size_t busy;
    size_t programs; /* of the jobs */
    struct vault_transfer *idle[TRANSFERS_KEPT];
    size_t idle_count;
};

enum vault_status vault_loop_new(const struct vault_loop_settings *settings,
                                 struct vault_loop **made)
{
    struct vault_loop *loop = vault_alloc(sizeof *loop);
    enum vault_status status = VAULT_NO_MEMORY;

    if (!loop)
        return VAULT_NO_MEMORY;
    loop->settings = *settings;
    loop->multi = curl_multi_init();
    if (!loop->multi)
        goto out;
    /* Without descriptors left libcurl makes a handle that nobody can wake. */
    if (curl_multi_wakeup(loop->multi) != CURLM_OK) {
        status = VAULT_INTERNAL;
        goto out;
    }
    if (settings->ca_file) {
        loop->ca_file = vault_copy(settings->ca_file, strlen(settings->ca_file));
        if (!loop->ca_file)
            goto out;
    }
    status = vault_signer_new(&loop->world.signer);
    if (status != VAULT_OK)
        goto out;
    loop->world.environment = settings->environment;
    loop->world.places = &loop->places;
    loop->world.roles = &loop->roles;
    loop->world.budgets = settings->budgets;
    loop->world.skew_ms = settings->skew_ms;
    loop->world.random = vault_moment_random;
    loop->world.errands = settings->errands;
    vault_http_settings_read(&loop->http, settings->environment);
    loop->http.ca_file = loop->ca_file;
    loop->http.connect_timeout_ms = CONNECT_TIMEOUT_MS;
    curl_multi_setopt(loop->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)CONNECTIONS_MAX);
    curl_multi_setopt(loop->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_MAX);
    *made = loop;
    loop = NULL;
out:
    vault_loop_free(loop);
    return status;
}

const struct vault_fetch_world *vault_loop_world(const struct vault_loop *loop)
{
    return &loop->world;
}

size_t vault_loop_busy(const struct vault_loop *loop)
{
    return loop->busy;
}

static enum vault_status take_transfer(struct vault_loop *loop, struct vault_transfer **transfer)
{
    if (loop->idle_count == 0)
        return vault_transfer_new(&loop->http, transfer);
    *transfer = loop->idle[--loop->idle_count];
    return VAULT_OK;
}

static void give_transfer(struct vault_loop *loop, struct vault_transfer *transfer)
{
    if (loop->idle_count < TRANSFERS_KEPT)
        loop->idle[loop->idle_count++] = transfer;
    else
        vault_transfer_free(transfer);
}

static enum vault_status begin_transfer(struct vault_loop *loop, struct vault_job *job,
                                        struct vault_exchange *exchange, int64_t timeout_ms)
{
    CURL *easy = vault_transfer_easy(job->transfer);
    enum vault_status status = vault_transfer_begin(job->transfer, exchange, timeout_ms);

    if (status != VAULT_OK)
        return status;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, job);
    return curl_multi_add_handle(loop->multi, easy) == CURLM_OK ? VAULT_OK : VAULT_INTERNAL;
}

static bool start_transfer(struct vault_loop *loop, struct vault_job *job,
                           struct vault_exchange *exchange, int64_t timeout_ms)
{
    exchange->outcome = take_transfer(loop, &job->transfer);
    if (exchange->outcome == VAULT_OK)
        exchange->outcome = begin_transfer(loop, job, exchange, timeout_ms);
    if (exchange->outcome == VAULT_OK)
        return true;
    vault_transfer_free(job->transfer);
    job->transfer = NULL;
    return false;
}

static bool start_program(struct vault_loop *loop, struct vault_job *job,
                          struct vault_exchange *exchange, struct vault_moment now)
{
    int64_t deadline = vault_fetch_deadline(job->fetch);

    exchange->outcome = vault_program_new(exchange, loop->world.environment, &job->program);
    if (exchange->outcome != VAULT_OK)
        return false;
    loop->programs++;
    job->program_due = now.monotonic_ms + exchange->timeout_ms;
    if (exchange->timeout_ms == 0 || job->program_due > deadline)
        job->program_due = deadline;
    return true;
}

/* Put the exchange that `job` asks for on its way; on failure the exchange says why. */
static bool start(struct vault_loop *loop, struct vault_job *job, struct vault_moment now)
{
    struct vault_exchange *exchange = vault_fetch_exchange(job->fetch);

    if (exchange->program.length)
        return start_program(loop, job, exchange, now);
    return start_transfer(loop, job, exchange, vault_fetch_deadline(job->fetch) - now.monotonic_ms);
}

static void take_out(struct vault_loop *loop, struct vault_job *job)
{
    if (job->previous)
        job->previous->next = job->next;
    else
        loop->jobs = job->next;
    if (job->next)
        job->next->previous = job->previous;
    job->next = job->previous = NULL;
    loop->busy--;
}

/* The credential that an errand was for is there, or is not to be had. */
static void end_errand(struct vault_loop *loop, struct vault_job *errand)
{
    vault_fetch_free(errand->fetch);
    vault_free(errand);
    for (struct vault_job *job = loop->jobs; job; job = job->next)
        vault_fetch_rouse(job->fetch);
}

static void end(struct vault_loop *loop, struct vault_job *job)
{
    take_out(loop, job);
    if (job->errand)
        end_errand(loop, job);
    else if (loop->settings.on_done)
        loop->settings.on_done(job);
}

/* Without memory for it whoever needs it asks again. */
static void begin_errand(struct vault_loop *loop, struct vault_fetch *fetch)
{
    struct vault_job *job = vault_alloc(sizeof *job);

    if (!job) {
        vault_fetch_free(fetch);
        return;
    }
    job->fetch = fetch;
    job->errand = true;
    vault_loop_add(loop, job);
}

/* Take `job` as far as it goes without the network or time. Ends: each exchange that cannot be
 * started is an attempt, and attempts are limited. */
static void step(struct vault_loop *loop, struct vault_job *job)
{
    struct vault_fetch *errand = NULL;
    enum vault_fetch_need need;
    struct vault_moment now;

    do {
        now = vault_moment_now();
        need = vault_fetch_advance(job->fetch, now);
        if (!errand)
            errand = vault_fetch_take_errand(job->fetch, now);
    } while (need == VAULT_FETCH_NEED_EXCHANGE && !start(loop, job, now));
    if (need == VAULT_FETCH_NEED_NOTHING)
        end(loop, job);
    if (errand)
        begin_errand(loop, errand);
}

void vault_loop_add(struct vault_loop *loop, struct vault_job *job)
{
    job->transfer = NULL;
    job->program = NULL;
    job->previous = NULL;
    job->next = loop->jobs;
    if (loop->jobs)
        loop->jobs->previous = job;
    loop->jobs = job;
    loop->busy++;
    step(loop, job);
}

static void end_program(struct vault_loop *loop, struct vault_job *job, enum vault_status status)
{
    vault_program_finish(job->program, status);
    job->program = NULL;
    loop->programs--;
}

static void end_transfer(struct vault_loop *loop, struct vault_job *job, CURLcode code)
{
    struct vault_transfer *transfer = job->transfer;

    job->transfer = NULL;
    /* Before its exchange is read: libcurl may still write into it. */
    curl_multi_remove_handle(loop->multi, vault_transfer_easy(transfer));
    vault_transfer_finish(transfer, code);
    if (code == CURLE_OK)
        give_transfer(loop, transfer);
    else
        vault_transfer_free(transfer);
}

static void collect(struct vault_loop *loop)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(loop->multi, &left))) {
        struct vault_job *job = NULL;
        CURLcode code = message->data.result;

        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &job);
        if (message->msg != CURLMSG_DONE)
            continue;
        end_transfer(loop, job, code);
        step(loop, job);
    }
}

static void look_after_programs(struct vault_loop *loop)
{
    struct vault_job *next;

    for (struct vault_job *job = loop->programs ? loop->jobs : NULL; job; job = next) {
        next = job->next;
        if (!job->program || !vault_program_advance(job->program))
            continue;
        end_program(loop, job, VAULT_OK);
        step(loop, job);
    }
}

/* libcurl counts no time for a transfer that waits for one of the connections to its host. */
static int64_t due(const struct vault_job *job)
{
    if (job->program)
        return job->program_due;
    return job->transfer ? vault_fetch_deadline(job->fetch) + LATE_MS
                         : vault_fetch_wake(job->fetch);
}

static void end_late(struct vault_loop *loop, struct vault_job *job)
{
    if (job->transfer)
        end_transfer(loop, job, CURLE_OPERATION_TIMEDOUT);
    else if (job->program)
        end_program(loop, job, VAULT_TIMEOUT);
    step(loop, job);
}

/* Resume the jobs whose pause is over, end those whose time is; the milliseconds until the next one
 * is due, at most `most`: 0 after any of these, since what comes of one may change what is due. */
static int resume(struct vault_loop *loop, int most)
{
    int64_t now = vault_moment_now().monotonic_ms;
    struct vault_job *next;
    bool late = false;

    for (struct vault_job *job = loop->jobs; job; job = next) {
        int64_t wait = due(job) - now;

        next = job->next;
        if (wait < most && wait > 0)
            most = (int)wait;
        if (wait <= 0) {
            end_late(loop, job);
            late = true;
        }
    }
    return late ? 0 : most;
}

int vault_loop_work(struct vault_loop *loop, int most_ms)
{
    int running;

    curl_multi_perform(loop->multi, &running);
    collect(loop);
    look_after_programs(loop);
    return resume(loop, most_ms);
}

void vault_loop_wait(struct vault_loop *loop, int most_ms)
{
    struct curl_waitfd watched[PROGRAMS_WATCHED];
    unsigned count = 0;

    for (struct vault_job *job = loop->programs ? loop->jobs : NULL; job; job = job->next)
        if (job->program && count < PROGRAMS_WATCHED)
            watched[count++] = (struct curl_waitfd){.fd = vault_program_fd(job->program),
                                                    .events = CURL_WAIT_POLLIN};
    if (loop->programs > PROGRAMS_WATCHED && most_ms > PROGRAM_LOOK_MS)
        most_ms = PROGRAM_LOOK_MS;
    curl_multi_poll(loop->multi, watched, count, most_ms, NULL);
}

void vault_loop_turn(struct vault_loop *loop, int most_ms)
{
    bool was_busy = loop->busy > 0;

    most_ms = vault_loop_work(loop, most_ms);
    if (!was_busy || loop->busy)
        vault_loop_wait(loop, most_ms);
}

void vault_loop_wake(struct vault_loop *loop)
{
    curl_multi_wakeup(loop->multi);
}

static void cancel(struct vault_loop *loop, struct vault_job *job)
{
    if (job->transfer) {
        curl_multi_remove_handle(loop->multi, vault_transfer_easy(job->transfer));
        vault_transfer_free(job->transfer);
        job->transfer = NULL;
    }
    if (job->program)
        end_program(loop, job, VAULT_CANCELLED);
    vault_fetch_fail(job->fetch, VAULT_CANCELLED, "the worker is leaving");
    end(loop, job);
}

void vault_loop_free(struct vault_loop *loop)
{
    if (!loop)
        return;
    while (loop->jobs)
        cancel(loop, loop->jobs);
    while (loop->idle_count)
        vault_transfer_free(loop->idle[--loop->idle_count]);
    if (loop->multi)
        curl_multi_cleanup(loop->multi);
    vault_signer_free(loop->world.signer);
    vault_places_free(&loop->places);
    vault_free(loop->ca_file);
    vault_free(loop);
}
