/* loop_jobs - jobs given to a loop, and what became of them.
 *
 * For:   the tests of loop.c. Include after cmocka.h.
 * Never: which rule is shown.
 */
#ifndef VAULT_TEST_LOOP_JOBS_H
#define VAULT_TEST_LOOP_JOBS_H

#include <signal.h>

#include "host_tokens.h"
#include "http.h"
#include "loop.h"
#include "server.h"

#define GOOD "HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\n{\"SecretString\":\"value\"}"
#define BUSY "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"

static struct vault_environment *environment, *once;
static struct vault_retry_budgets budgets;
static _Atomic int64_t skew_ms;

/* What became of the jobs, in the order of their ends. */
static struct vault_job *ended[256];
static unsigned ended_count;

static inline void on_done(struct vault_job *job)
{
    assert_true(ended_count < 256);
    ended[ended_count++] = job;
}

static inline void forget_jobs(void)
{
    while (ended_count) {
        struct vault_job *job = ended[--ended_count];

        vault_fetch_free(job->fetch);
        vault_free(job);
    }
}

static inline struct vault_loop *open_loop(const struct vault_environment *seen)
{
    const struct vault_loop_settings settings = {
        .environment = seen, .budgets = &budgets, .skew_ms = &skew_ms, .on_done = on_done};
    struct vault_loop *loop = NULL;

    forget_jobs(); /* of a test that failed */
    memset(&budgets, 0, sizeof budgets);
    assert_int_equal(vault_loop_new(&settings, &loop), VAULT_OK);
    return loop;
}

static inline enum vault_status new_job(struct vault_loop *loop, const char *url,
                                        int64_t timeout_ms, struct vault_job **made)
{
    const struct vault_fetch_request request = {.secret_id = "db",
                                                .secret_id_length = 2,
                                                .region = "eu-west-1",
                                                .endpoint_url = url,
                                                .timeout_ms = timeout_ms};
    struct vault_job *job = vault_alloc(sizeof *job);
    enum vault_status status;

    if (!job)
        return VAULT_NO_MEMORY;
    status = vault_fetch_new(&request, vault_loop_world(loop), vault_moment_now(), &job->fetch);
    if (status == VAULT_OK)
        *made = job;
    else
        vault_free(job);
    return status;
}

static inline void add(struct vault_loop *loop, const char *url, int64_t timeout_ms)
{
    struct vault_job *job = NULL;

    assert_int_equal(new_job(loop, url, timeout_ms, &job), VAULT_OK);
    vault_loop_add(loop, job);
}

static inline void finish(struct vault_loop *loop)
{
    while (vault_loop_busy(loop))
        vault_loop_turn(loop, 10000);
}

/* The status of one fetch, run to its end. */
static inline enum vault_status fetch_one(struct vault_loop *loop, const char *url,
                                          int64_t timeout_ms)
{
    enum vault_status status;

    add(loop, url, timeout_ms);
    assert_int_equal(vault_loop_busy(loop), 1);
    finish(loop);
    assert_int_equal(ended_count, 1);
    status = vault_fetch_status(ended[0]->fetch);
    if (status == VAULT_OK)
        assert_string_equal(vault_fetch_secret(ended[0]->fetch)->payload.data, "value");
    forget_jobs();
    return status;
}

static inline int start_all(void **state)
{
    static const char *const entries[] = {"AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", NULL};
    static const char *const just_once[] = {"AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b",
                                            "AWS_MAX_ATTEMPTS=1", NULL};
    struct vault_message why = {0};

    (void)state;
    /* libcurl before 7.87 has OpenSSL write to connections that were reset. */
    (void)signal(SIGPIPE, SIG_IGN);
    assert_int_equal(vault_environment_new(entries, &environment), VAULT_OK);
    assert_int_equal(vault_environment_new(just_once, &once), VAULT_OK);
    return vault_http_start(&why) == VAULT_OK ? 0 : -1;
}

static inline int stop_all(void **state)
{
    (void)state;
    vault_environment_free(environment);
    vault_environment_free(once);
    return 0;
}

#endif
