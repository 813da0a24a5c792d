/* loop - fetches driven side by side over one libcurl multi handle.
 *
 * For:   what loop.h promises.
 * Never: threads and locks, what a fetch does next, Lua.
 */
#include "loop.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "http.h"

#define CONNECT_TIMEOUT_MS 3000
#define CONNECTIONS_MAX    64 /* per host, and kept alive */
#define EASY_KEPT          64
#define LATE_MS            50 /* libcurl's own time-outs go first: they say more */

struct vault_loop {
    struct vault_loop_settings settings;
    struct vault_http_settings http;
    struct vault_fetch_world world;
    char *ca_file;
    CURLM *multi;
    struct vault_job *jobs; /* all that are taken up, doubly linked */
    size_t busy;
    CURL *idle[EASY_KEPT];
    size_t idle_count;
};

static uint32_t random_bits(void *at)
{
    uint32_t bits = 0;

    (void)at;
    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != (ssize_t)sizeof bits)
        bits = (uint32_t)vault_moment_now().monotonic_ms * 2654435761u;
    return bits;
}

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
    loop->world.budget = settings->budget;
    loop->world.skew_ms = settings->skew_ms;
    loop->world.random = random_bits;
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

static CURL *take_easy(struct vault_loop *loop)
{
    return loop->idle_count ? loop->idle[--loop->idle_count] : curl_easy_init();
}

static void give_easy(struct vault_loop *loop, CURL *easy)
{
    if (loop->idle_count == EASY_KEPT) {
        curl_easy_cleanup(easy);
        return;
    }
    curl_easy_reset(easy);
    loop->idle[loop->idle_count++] = easy;
}

/* Put the exchange that `job` asks for on its way; on failure the exchange says why. */
static bool start_transfer(struct vault_loop *loop, struct vault_job *job, struct vault_moment now)
{
    struct vault_exchange *exchange = vault_fetch_exchange(job->fetch);

    exchange->outcome = VAULT_NO_MEMORY;
    job->easy = take_easy(loop);
    if (!job->easy)
        return false;
    exchange->outcome =
        vault_transfer_new(job->easy, exchange, &loop->http,
                           vault_fetch_deadline(job->fetch) - now.monotonic_ms, &job->transfer);
    if (exchange->outcome == VAULT_OK) {
        curl_easy_setopt(job->easy, CURLOPT_PRIVATE, job);
        if (curl_multi_add_handle(loop->multi, job->easy) == CURLM_OK)
            return true;
        exchange->outcome = VAULT_INTERNAL;
        vault_transfer_free(job->transfer);
        job->transfer = NULL;
    }
    give_easy(loop, job->easy);
    job->easy = NULL;
    return false;
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

/* Take `job` as far as it goes without the network or time. Ends: each exchange that cannot be
 * started is an attempt, and attempts are limited. */
static void step(struct vault_loop *loop, struct vault_job *job)
{
    enum vault_fetch_need need;
    struct vault_moment now;

    do {
        now = vault_moment_now();
        need = vault_fetch_advance(job->fetch, now);
    } while (need == VAULT_FETCH_NEED_EXCHANGE && !start_transfer(loop, job, now));
    if (need == VAULT_FETCH_NEED_NOTHING) {
        take_out(loop, job);
        loop->settings.on_done(job);
    }
}

void vault_loop_add(struct vault_loop *loop, struct vault_job *job)
{
    job->easy = NULL;
    job->transfer = NULL;
    job->previous = NULL;
    job->next = loop->jobs;
    if (loop->jobs)
        loop->jobs->previous = job;
    loop->jobs = job;
    loop->busy++;
    step(loop, job);
}

static void end_transfer(struct vault_loop *loop, struct vault_job *job, CURLcode code)
{
    CURL *easy = job->easy;

    /* Before the transfer goes: libcurl may still write into it. */
    curl_multi_remove_handle(loop->multi, easy);
    vault_transfer_finish(job->transfer, code);
    job->transfer = NULL;
    job->easy = NULL;
    /* A handle remembers the system's last error over a reset, and would tell it of the next
     * transfer. */
    if (code == CURLE_OK)
        give_easy(loop, easy);
    else
        curl_easy_cleanup(easy);
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

/* libcurl counts no time for a transfer that waits for one of the connections to its host. */
static int64_t due(const struct vault_job *job)
{
    return job->easy ? vault_fetch_deadline(job->fetch) + LATE_MS : vault_fetch_wake(job->fetch);
}

/* Resume the jobs whose pause is over, end those whose time is; the milliseconds until the next one
 * is due, at most `most`. */
static int resume(struct vault_loop *loop, int most)
{
    int64_t now = vault_moment_now().monotonic_ms;
    struct vault_job *next;

    for (struct vault_job *job = loop->jobs; job; job = next) {
        int64_t wait = due(job) - now;

        next = job->next;
        if (wait < most && wait > 0)
            most = (int)wait;
        if (wait > 0)
            continue;
        if (job->easy)
            end_transfer(loop, job, CURLE_OPERATION_TIMEDOUT);
        step(loop, job);
    }
    return most;
}

int vault_loop_work(struct vault_loop *loop, int most_ms)
{
    int running;

    curl_multi_perform(loop->multi, &running);
    collect(loop);
    return resume(loop, most_ms);
}

void vault_loop_wait(struct vault_loop *loop, int most_ms)
{
    curl_multi_poll(loop->multi, NULL, 0, most_ms, NULL);
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
    if (job->easy) {
        curl_multi_remove_handle(loop->multi, job->easy);
        vault_transfer_free(job->transfer);
        curl_easy_cleanup(job->easy);
        job->easy = NULL;
    }
    take_out(loop, job);
    vault_fetch_fail(job->fetch, VAULT_CANCELLED, "the worker is leaving");
    loop->settings.on_done(job);
}

void vault_loop_free(struct vault_loop *loop)
{
    if (!loop)
        return;
    while (loop->jobs)
        cancel(loop, loop->jobs);
    while (loop->idle_count)
        curl_easy_cleanup(loop->idle[--loop->idle_count]);
    if (loop->multi)
        curl_multi_cleanup(loop->multi);
    vault_signer_free(loop->world.signer);
    vault_free(loop->ca_file);
    vault_free(loop);
}
