/* test_loop - fetches driven side by side over one libcurl multi handle.
 *
 * For:   pauses, deadlines, wake-ups, cancelling; lost memory and lost descriptors.
 * Never: which connection is used (test_loop_kept), what a fetch decides (test_fetch), threads of
 *        the engine (test_io_thread).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sys/resource.h>

#include "child.h"
#include "loop_jobs.h"

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
        .environment = environment, .budgets = &budgets, .skew_ms = &skew_ms, .on_done = on_done};
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
                                                     .budgets = &budgets,
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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
