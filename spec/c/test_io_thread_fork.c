/* test_io_thread_fork - the engine and fork.
 *
 * For:   children of a process whose engine runs: they touch nothing of it, and can have one of
 *        their own, whatever the thread was doing when they were made.
 * Never: the rest of the engine (test_io_thread).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sys/syscall.h>

#include "engine.h"

static struct server good = {.answer = GOOD}, hang = {.answer = "", .end = SERVER_HANG};

/* The thread sanitizer would rather end a child that starts threads. */
__attribute__((visibility("default"))) const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "die_after_fork=0";
}

/* What wake.c rings with, so that the engine's thread can be held in it, its lock taken. */
static atomic_bool hold, held;

ssize_t send(int stream, const void *bytes, size_t length, int flags)
{
    while (length == 1 && atomic_load(&hold)) {
        atomic_store(&held, true);
        rest_ms(1);
    }
    return syscall(SYS_sendto, stream, bytes, length, flags, NULL, 0);
}

static struct vault_port *open_port(void)
{
    struct vault_port *port = NULL;

    assert_int_equal(vault_port_new(&port), VAULT_OK);
    return port;
}

static void submit(struct vault_port *port, const char *url)
{
    assert_true(try_submit(port, "db", url) > 0);
}

/* The value of one fetch on `port`, in a child. */
static int child_fetch(struct vault_port *port, uint64_t wanted)
{
    uint64_t number = 0;
    struct vault_fetch *fetch;

    CHECK(try_submit(port, "db", good.url) == wanted);
    fetch = wait_take(port, &number);
    CHECK(fetch != NULL);
    CHECK(number == wanted);
    CHECK(vault_fetch_status(fetch) == VAULT_OK);
    vault_fetch_free(fetch);
    CHECK(vault_port_pending(port) == 0);
    return 0;
}

static int close_in_child(void *at)
{
    CHECK(thread_count() == 1);
    vault_port_close(at);
    CHECK(thread_count() == 1);
    return 0;
}

static int hang_up_in_child(void *at)
{
    uint64_t number;

    vault_port_hang_up(at);
    CHECK(vault_port_pending(at) == 0);
    CHECK(vault_port_take(at, &number) == NULL);
    vault_port_close(at);
    return 0;
}

/* An engine of the child's own: on the port it inherited and on one of its own. */
static int fetch_in_child(void *at)
{
    struct vault_port *own = NULL;
    uint64_t number;

    CHECK(thread_count() == 1);
    CHECK(vault_port_take(at, &number) == NULL);
    CHECK(vault_port_pending(at) == 0);
    CHECK(child_fetch(at, 5) == 0);
    CHECK(thread_count() == 2);
    CHECK(vault_port_new(&own) == VAULT_OK);
    CHECK(child_fetch(own, 1) == 0);
    CHECK(thread_count() == 2);
    vault_port_close(at);
    CHECK(thread_count() == 2);
    CHECK(child_fetch(own, 2) == 0);
    vault_port_close(own);
    CHECK(threads_become(1));
    return 0;
}

static int wake_in_child(void *at)
{
    const char *const folders[] = {"/tmp", NULL};
    char path[VAULT_WAKE_PATH_MAX];
    int reader;

    CHECK(vault_port_listen(at, folders, path) == VAULT_OK);
    reader = connect_to(path);
    CHECK(reader >= 0);
    CHECK(vault_port_accept(at) == VAULT_OK);
    CHECK(try_submit(at, "db", good.url) > 0);
    CHECK(receive_within(reader, 10000) == 1);
    vault_port_close(at);
    CHECK(receive_within(reader, 10000) == 0);
    return 0;
}

static int run_in_child(void *at)
{
    const struct vault_fetch_request request = engine_request("db", good.url);
    struct vault_message why = {0};
    struct vault_fetch *fetch = NULL;

    (void)at;
    CHECK(vault_engine_run(&request, &no_settings, &fetch, &why) == VAULT_OK);
    CHECK(vault_fetch_status(fetch) == VAULT_OK);
    vault_fetch_free(fetch);
    CHECK(thread_count() == 1);
    return 0;
}

static int (*const bodies[])(void *) = {close_in_child, hang_up_in_child, fetch_in_child,
                                        wake_in_child, run_in_child};
#define BODIES (sizeof bodies / sizeof *bodies)

/* One result taken, one waiting, two under way: each child in turn, then all of it comes. */
static void test_children_touch_nothing(void **state)
{
    int before = thread_count();
    struct vault_port *port = open_port();
    struct vault_fetch *fetch;
    uint64_t number = 0;

    (void)state;
    submit(port, good.url);
    fetch = wait_take(port, &number);
    assert_non_null(fetch);
    vault_fetch_free(fetch);
    submit(port, good.url);
    rest_ms(30);
    submit(port, hang.url);
    submit(port, hang.url);
    for (size_t i = 0; i < BODIES; i++) {
        assert_int_equal(in_child(bodies[i], port), 0);
        assert_int_equal(thread_count(), before + 1);
        assert_int_equal(vault_port_pending(port), 3);
    }
    fetch = wait_take(port, &number);
    assert_non_null(fetch);
    assert_int_equal(number, 2);
    assert_int_equal(vault_fetch_status(fetch), VAULT_OK);
    vault_fetch_free(fetch);
    submit(port, good.url);
    fetch = wait_take(port, &number);
    assert_non_null(fetch);
    assert_int_equal(number, 5);
    vault_fetch_free(fetch);
    vault_port_close(port);
    assert_true(threads_become(before));
}

/* The thread was in the middle of a delivery. */
static void test_fork_while_the_lock_is_held(void **state)
{
    const char *const folders[] = {"/tmp", NULL};
    struct vault_port *port = open_port();
    char path[VAULT_WAKE_PATH_MAX];
    uint64_t number = 0;
    int reader;

    (void)state;
    assert_int_equal(vault_port_listen(port, folders, path), VAULT_OK);
    reader = connect_to(path);
    assert_int_equal(vault_port_accept(port), VAULT_OK);
    for (int i = 0; i < 3; i++)
        submit(port, hang.url);
    atomic_store(&hold, true);
    submit(port, good.url);
    while (!atomic_load(&held))
        rest_ms(1);
    for (size_t i = 0; i < BODIES; i++) {
        pid_t child;
        int status = 0;

        fflush(NULL);
        child = fork();
        if (child == 0) {
            alarm(5); /* a lock that nobody will ever give back */
            atomic_store(&hold, false);
            _exit(bodies[i](port));
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    atomic_store(&hold, false);
    assert_int_equal(receive_within(reader, 10000), 1);
    struct vault_fetch *fetch = wait_take(port, &number);
    assert_non_null(fetch);
    assert_int_equal(number, 4);
    vault_fetch_free(fetch);
    vault_port_close(port);
    assert_int_equal(receive_within(reader, 10000), 0);
    close(reader);
}

/* A master that never ran an engine; its children each do. */
static void test_children_of_a_quiet_process(void **state)
{
    struct vault_port *port = open_port();

    (void)state;
    assert_int_equal(in_child(close_in_child, port), 0);
    assert_int_equal(in_child(run_in_child, port), 0);
    assert_int_equal(in_child(wake_in_child, port), 0);
    vault_port_close(port);
}

/* In a worker the environment is laid over at first use: without memory for that there is no engine
 * rather than one without credentials. */
static int allocations_in_child(void *at)
{
    enum vault_status status = VAULT_NO_MEMORY;
    unsigned long nth;

    (void)at;
    for (nth = 1; status == VAULT_NO_MEMORY; nth++) {
        const struct vault_fetch_request request = engine_request("db", good.url);
        struct vault_message why = {0};
        struct vault_fetch *fetch = NULL;

        (void)vault_alloc_fail(nth);
        status = vault_engine_run(&request, &no_settings, &fetch, &why);
        (void)vault_alloc_fail(0);
        if (fetch)
            status = vault_fetch_status(fetch);
        vault_fetch_free(fetch);
    }
    CHECK(status == VAULT_OK);
    CHECK(nth > 20);
    return 0;
}

/* A sanitizer's allocator knows nothing of fork: a lock that another thread has at that moment is
 * never free in the child, which hangs then. */
static void test_allocations(void **state)
{
    int code = 128 + SIGALRM;

    (void)state;
    for (int i = 0; i < 3 && code == 128 + SIGALRM; i++)
        code = in_child(allocations_in_child, NULL);
    assert_int_equal(code, 0);
}

static int start_all(void **state)
{
    (void)state;
    capture_environment();
    server_start(&good);
    server_start(&hang);
    return 0;
}

static int stop_all(void **state)
{
    (void)state;
    server_stop(&good);
    server_stop(&hang);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_children_touch_nothing),
        cmocka_unit_test(test_fork_while_the_lock_is_held),
        cmocka_unit_test(test_children_of_a_quiet_process),
        cmocka_unit_test(test_allocations),
    };

    return cmocka_run_group_tests(tests, start_all, stop_all);
}
