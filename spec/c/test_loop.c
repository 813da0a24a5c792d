/* test_loop - fetches driven side by side over one libcurl multi handle.
 *
 * For:   connections that are kept and not shared; pauses, deadlines, wake-ups, cancelling; lost
 *        memory and lost descriptors.
 * Never: what a fetch decides (test_fetch), threads of the engine (test_io_thread).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sys/resource.h>

#include "child.h"
#include "http.h"
#include "loop.h"
#include "server.h"

#define GOOD "HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\n{\"SecretString\":\"value\"}"
#define BUSY "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"

static struct vault_environment *environment, *once;
static struct vault_retry_budget budget;
static _Atomic int64_t skew_ms;

/* What became of the jobs, in the order of their ends. */
static struct vault_job *ended[256];
static unsigned ended_count;

static void on_done(struct vault_job *job)
{
    assert_true(ended_count < 256);
    ended[ended_count++] = job;
}

static void forget_jobs(void)
{
    while (ended_count) {
        struct vault_job *job = ended[--ended_count];

        vault_fetch_free(job->fetch);
        vault_free(job);
    }
}

static struct vault_loop *open_loop(const struct vault_environment *seen)
{
    const struct vault_loop_settings settings = {
        .environment = seen, .budget = &budget, .skew_ms = &skew_ms, .on_done = on_done};
    struct vault_loop *loop = NULL;

    forget_jobs(); /* of a test that failed */
    budget.tokens = VAULT_RETRY_BUDGET_FULL;
    assert_int_equal(vault_loop_new(&settings, &loop), VAULT_OK);
    return loop;
}

static enum vault_status new_job(struct vault_loop *loop, const char *url, int64_t timeout_ms,
                                 struct vault_job **made)
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

static void add(struct vault_loop *loop, const char *url, int64_t timeout_ms)
{
    struct vault_job *job = NULL;

    assert_int_equal(new_job(loop, url, timeout_ms, &job), VAULT_OK);
    vault_loop_add(loop, job);
}

static void finish(struct vault_loop *loop)
{
    while (vault_loop_busy(loop))
        vault_loop_turn(loop, 10000);
}

/* The status of one fetch, run to its end. */
static enum vault_status fetch_one(struct vault_loop *loop, const char *url, int64_t timeout_ms)
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

static void test_connection_is_kept(void **state)
{
    static struct server server = {.answer = GOOD};
    struct vault_loop *loop = open_loop(environment), *other = open_loop(environment);

    (void)state;
    server_start(&server);
    for (int i = 0; i < 20; i++)
        assert_int_equal(fetch_one(loop, server.url, 5000), VAULT_OK);
    assert_int_equal(atomic_load(&server.requests), 20);
    assert_int_equal(atomic_load(&server.connections), 1);
    for (int i = 0; i < 5; i++)
        assert_int_equal(fetch_one(other, server.url, 5000), VAULT_OK);
    assert_int_equal(atomic_load(&server.connections), 2);
    vault_loop_free(loop);
    vault_loop_free(other);
    server_stop(&server);
}

static void test_side_by_side(void **state)
{
    static struct server server = {.answer = GOOD};
    struct vault_loop *loop = open_loop(environment);

    (void)state;
    server_start(&server);
    for (int i = 0; i < 200; i++)
        add(loop, server.url, 5000);
    finish(loop);
    assert_int_equal(ended_count, 200);
    for (int i = 0; i < 200; i++)
        assert_int_equal(vault_fetch_status(ended[i]->fetch), VAULT_OK);
    assert_in_range(atomic_load(&server.connections), 1, 64);
    forget_jobs();
    vault_loop_free(loop);
    server_stop(&server);
}

/* Neither the last end nor a pause is slept over. */
static void test_turns_wait_no_longer_than_needed(void **state)
{
    static struct server good = {.answer = GOOD}, busy = {.answer = BUSY};
    struct vault_loop *loop = open_loop(environment);
    int64_t before = test_clock_ms();

    (void)state;
    server_start(&good);
    server_start(&busy);
    assert_int_equal(fetch_one(loop, good.url, 5000), VAULT_OK);
    assert_int_equal(fetch_one(loop, busy.url, 5000), VAULT_SERVER_ERROR);
    assert_int_equal(atomic_load(&busy.requests), 3);
    assert_true(test_clock_ms() - before < 1000); /* pauses: 50 + 100 ms at the most */
    before = test_clock_ms();
    vault_loop_turn(loop, 50);
    assert_in_range(test_clock_ms() - before, 45, 1000);
    vault_loop_free(loop);
    server_stop(&good);
    server_stop(&busy);
}

static void *wake_later(void *at)
{
    rest_ms(20);
    vault_loop_wake(at);
    return NULL;
}

static void test_wake(void **state)
{
    struct vault_loop *loop = open_loop(environment);
    int64_t before = test_clock_ms();
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, wake_later, loop), 0);
    vault_loop_turn(loop, 10000);
    pthread_join(thread, NULL);
    vault_loop_wake(loop); /* before the turn */
    vault_loop_turn(loop, 10000);
    assert_true(test_clock_ms() - before < 5000);
    vault_loop_free(loop);
}

/* In flight, in a pause, in the queue. */
static void test_free_cancels(void **state)
{
    static struct server hang = {.answer = "", .end = SERVER_HANG}, busy = {.answer = BUSY};
    struct vault_loop *loop = open_loop(environment);
    int64_t before = test_clock_ms();

    (void)state;
    server_start(&hang);
    server_start(&busy);
    for (int i = 0; i < 70; i++)
        add(loop, hang.url, 5000);
    add(loop, busy.url, 5000);
    while (atomic_load(&hang.requests) < 64 || !atomic_load(&busy.requests))
        vault_loop_turn(loop, 1);
    vault_loop_turn(loop, 1);
    assert_int_equal(vault_loop_busy(loop), 71);
    vault_loop_free(loop);
    assert_true(test_clock_ms() - before < 2000);
    assert_int_equal(ended_count, 71);
    for (int i = 0; i < 71; i++) {
        assert_int_equal(vault_fetch_status(ended[i]->fetch), VAULT_CANCELLED);
        assert_non_null(strstr(vault_fetch_message(ended[i]->fetch)->text,
                               "secret \"db\" in eu-west-1: the worker is leaving"));
    }
    forget_jobs();
    server_stop(&hang);
    server_stop(&busy);
}

/* The first 64 take all connections to a host that answers nothing; the next one's deadline is its
 * own. */
static void test_deadline_in_the_queue(void **state)
{
    static struct server hang = {.answer = "", .end = SERVER_HANG};
    struct vault_loop *loop = open_loop(once);
    int64_t before;

    (void)state;
    server_start(&hang);
    for (int i = 0; i < 64; i++)
        add(loop, hang.url, 3000);
    while (atomic_load(&hang.requests) < 64)
        vault_loop_turn(loop, 1);
    before = test_clock_ms();
    add(loop, hang.url, 100);
    while (!ended_count && test_clock_ms() - before < 2500)
        vault_loop_turn(loop, 10000);
    assert_true(test_clock_ms() - before < 1000);
    assert_int_equal(ended_count, 1);
    assert_int_equal(vault_fetch_status(ended[0]->fetch), VAULT_TIMEOUT);
    vault_loop_free(loop);
    forget_jobs();
    server_stop(&hang);
}

static void test_deadline(void **state)
{
    static struct server hang = {.answer = "", .end = SERVER_HANG};
    struct vault_loop *loop = open_loop(environment);
    int64_t before = test_clock_ms();

    (void)state;
    server_start(&hang);
    assert_int_equal(fetch_one(loop, hang.url, 150), VAULT_TIMEOUT);
    assert_in_range(test_clock_ms() - before, 145, 1000);
    for (int i = 0; i < 100; i++)
        add(loop, hang.url, 150);
    finish(loop);
    for (int i = 0; i < 100; i++) /* some had no connection */
        assert_true(vault_fetch_status(ended[i]->fetch) == VAULT_TIMEOUT ||
                    vault_fetch_status(ended[i]->fetch) == VAULT_CONNECT_FAILED);
    assert_in_range(test_clock_ms() - before, 290, 2000);
    forget_jobs();
    vault_loop_free(loop);
    server_stop(&hang);
}

/* What happened to one connection says nothing of the next, even on the same handle. */
static void test_outcomes_are_their_own(void **state)
{
    static struct server reset = {.answer = "", .end = SERVER_RESET, .unasked = true},
                         plain = {.answer = BUSY, .unasked = true};
    struct vault_loop *loop = open_loop(once);
    char url[64];

    (void)state;
    server_start(&reset);
    server_start(&plain);
    for (int i = 0; i < 3; i++) {
        snprintf(url, sizeof url, "https://127.0.0.1:%d/", reset.port);
        assert_int_equal(fetch_one(loop, url, 5000), VAULT_CONNECTION_LOST);
        snprintf(url, sizeof url, "https://127.0.0.1:%d/", plain.port);
        assert_int_equal(fetch_one(loop, url, 5000), VAULT_TLS_FAILED);
    }
    vault_loop_free(loop);
    server_stop(&reset);
    server_stop(&plain);
}

static int without_descriptors(void *at)
{
    const struct vault_loop_settings settings = {
        .environment = environment, .budget = &budget, .skew_ms = &skew_ms, .on_done = on_done};
    struct rlimit limit = {0, 0};
    struct vault_loop *loop = NULL;

    (void)at;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK(vault_loop_new(&settings, &loop) != VAULT_OK);
    CHECK(loop == NULL);
    return 0;
}

/* A loop that cannot be woken would sleep over what it is given. */
static void test_no_descriptors(void **state)
{
    (void)state;
    assert_int_equal(in_child(without_descriptors, NULL), 0);
}

/* Without memory for the cache's key a fetch goes on. */
static void test_allocations(void **state)
{
    static struct server server = {.answer = GOOD};
    enum vault_status status = VAULT_NO_MEMORY;
    bool failed = true;

    (void)state;
    server_start(&server);
    for (unsigned long nth = 1; failed; nth++) {
        const struct vault_loop_settings settings = {.environment = environment,
                                                     .ca_file = "/nonexistent",
                                                     .budget = &budget,
                                                     .skew_ms = &skew_ms,
                                                     .on_done = on_done};
        struct vault_loop *loop = NULL;
        struct vault_job *job = NULL;

        (void)vault_alloc_fail(nth);
        status = vault_loop_new(&settings, &loop);
        assert_int_equal(loop != NULL, status == VAULT_OK);
        if (status == VAULT_OK)
            status = new_job(loop, server.url, 5000, &job);
        if (status == VAULT_OK) {
            vault_loop_add(loop, job);
            finish(loop);
            status = vault_fetch_status(ended[0]->fetch);
            forget_jobs();
        }
        failed = vault_alloc_fail(0) >= nth;
        assert_true(status == VAULT_OK || (failed && status == VAULT_NO_MEMORY));
        vault_loop_free(loop);
    }
    server_stop(&server);
}

static int start_all(void **state)
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

static int stop_all(void **state)
{
    (void)state;
    vault_environment_free(environment);
    vault_environment_free(once);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connection_is_kept),
        cmocka_unit_test(test_side_by_side),
        cmocka_unit_test(test_turns_wait_no_longer_than_needed),
        cmocka_unit_test(test_wake),
        cmocka_unit_test(test_free_cancels),
        cmocka_unit_test(test_deadline_in_the_queue),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_outcomes_are_their_own),
        cmocka_unit_test(test_no_descriptors),
        cmocka_unit_test(test_allocations),
    };

    return cmocka_run_group_tests(tests, start_all, stop_all);
}
