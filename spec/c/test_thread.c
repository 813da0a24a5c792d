/* test_thread - a thread inside somebody else's program.
 *
 * For:   its signals, its stack, its processors, and that its starter keeps its own; a thread that
 *        SIGPIPE does not reach for a while, and that keeps no errors of OpenSSL's.
 * Never: what the engine's thread does (test_io_thread).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>
#include <signal.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>

#include "child.h"
#include "thread.h"

struct seen {
    sigset_t blocked;
    size_t stack;
    int inherited, widened; /* processors */
};

static int processors(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : -1;
}

static void *look(void *at)
{
    struct seen *seen = at;
    pthread_attr_t attributes;

    pthread_sigmask(SIG_BLOCK, NULL, &seen->blocked);
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        pthread_attr_getstacksize(&attributes, &seen->stack);
        pthread_attr_destroy(&attributes);
    }
    seen->inherited = processors();
    vault_thread_enter();
    seen->widened = processors();
    vault_thread_leave();
    return NULL;
}

static void test_thread(void **state)
{
    static const int signals[] = {SIGHUP,  SIGTERM, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH,
                                  SIGCHLD, SIGALRM, SIGIO,   SIGPIPE, SIGINT};
    int all = processors();
    cpu_set_t before, pin;
    sigset_t own, after;
    struct seen seen = {.stack = 0};
    pthread_t thread;

    (void)state;
    sigemptyset(&own);
    sigaddset(&own, SIGUSR1);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &own, NULL), 0);
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    CPU_ZERO(&pin);
    for (int i = 0; CPU_COUNT(&pin) == 0; i++)
        if (CPU_ISSET(i, &before))
            CPU_SET(i, &pin);
    assert_int_equal(sched_setaffinity(0, sizeof pin, &pin), 0);

    assert_int_equal(vault_thread_start(&thread, look, &seen), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);

    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        assert_int_equal(sigismember(&seen.blocked, signals[i]), 1);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        assert_int_equal(sigismember(&after, signals[i]), signals[i] == SIGUSR1);
    assert_in_range(seen.stack, 256 * 1024, 2048 * 1024); /* sanitizers add to it */
    assert_int_equal(seen.inherited, 1);
    assert_true(seen.widened >= all);
    assert_int_equal(processors(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

static bool pipe_waits(void)
{
    sigset_t waiting;

    return sigpending(&waiting) == 0 && sigismember(&waiting, SIGPIPE) == 1;
}

static bool pipe_is_blocked(void)
{
    sigset_t mask;

    return pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0 && sigismember(&mask, SIGPIPE) == 1;
}

/* The handler is the system's, which ends the process. */
static int breaks_pipes(void *at)
{
    struct vault_thread_deaf deaf, inner;

    (void)at;
    CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    vault_thread_deafen(&deaf);
    vault_thread_deafen(&inner);
    CHECK(raise(SIGPIPE) == 0);
    vault_thread_hear(&inner);
    CHECK(!pipe_waits() && pipe_is_blocked());
    CHECK(raise(SIGPIPE) == 0);
    vault_thread_hear(&deaf);
    CHECK(!pipe_waits() && !pipe_is_blocked());
    return 0;
}

/* One that waited before is somebody else's. */
static int keeps_what_waited(void *at)
{
    struct vault_thread_deaf deaf;
    sigset_t set;

    (void)at;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    CHECK(raise(SIGPIPE) == 0);
    vault_thread_deafen(&deaf);
    vault_thread_hear(&deaf);
    CHECK(pipe_waits() && pipe_is_blocked());
    return 0;
}

static void test_deaf(void **state)
{
    (void)state;
    assert_int_equal(in_child(breaks_pipes, NULL), 0);
    assert_int_equal(in_child(keeps_what_waited, NULL), 0);
}

static void test_no_errors_are_left(void **state)
{
    struct vault_thread_deaf deaf;

    (void)state;
    vault_thread_deafen(&deaf);
    assert_null(BIO_new_file("/nonexistent", "r"));
    assert_int_not_equal(ERR_peek_error(), 0);
    vault_thread_hear(&deaf);
    assert_int_equal(ERR_peek_error(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thread),
        cmocka_unit_test(test_deaf),
        cmocka_unit_test(test_no_errors_are_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
