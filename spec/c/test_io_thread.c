/* test_io_thread - fetches performed on the engine's thread, or on the calling one.
 *
 * For:   numbers and results; the thread's beginning and end; wake-ups; closing with fetches under
 *        way; the blocking run; lost memory.
 * Never: fork (test_io_thread_fork).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "engine.h"
#include "fake.h"

static struct server good = {.answer = GOOD}, hang = {.answer = "", .end = SERVER_HANG};
static struct fake fake;

static struct vault_port *open_port(void)
{
    struct vault_port *port = NULL;

    assert_int_equal(vault_port_new(&port), VAULT_OK);
    return port;
}

static uint64_t submit(struct vault_port *port, const char *name, const char *url)
{
    uint64_t number = try_submit(port, name, url);

    assert_true(number > 0);
    return number;
}

/* The next result, which must be a value. */
static uint64_t take_value(struct vault_port *port)
{
    uint64_t number = 0;
    struct vault_fetch *fetch = wait_take(port, &number);

    assert_non_null(fetch);
    if (vault_fetch_status(fetch) != VAULT_OK)
        fail_msg("%s", vault_fetch_message(fetch)->text);
    vault_fetch_free(fetch);
    return number;
}

static void test_life_of_the_thread(void **state)
{
    int before = thread_count();
    uint64_t number = 0;

    (void)state;
    for (int i = 0; i < 3; i++) {
        struct vault_port *port = open_port();

        assert_int_equal(thread_count(), before);
        assert_null(vault_port_take(port, &number));
        assert_int_equal(submit(port, "db", good.url), 1);
        assert_int_equal(thread_count(), before + 1);
        assert_int_equal(vault_port_pending(port), 1);
        assert_int_equal(take_value(port), 1);
        assert_int_equal(vault_port_pending(port), 0);
        assert_int_equal(submit(port, "db", good.url), 2);
        assert_int_equal(take_value(port), 2);
        assert_int_equal(thread_count(), before + 1);
        assert_null(vault_port_take(port, &number));
        vault_port_close(port);
        assert_true(threads_become(before));
    }
}

static void test_submit_refuses(void **state)
{
    struct vault_fetch_request request = engine_request("db", good.url);
    struct vault_port *port = open_port();
    struct vault_message why = {0};
    uint64_t number = 77;

    (void)state;
    request.timeout_ms = 0;
    assert_int_equal(vault_port_submit(port, &request, &no_settings, &number, &why),
                     VAULT_BAD_CONFIG);
    assert_int_equal(number, 77);
    assert_int_equal(vault_port_pending(port), 0);
    vault_port_close(port);
}

/* Each result is that of its number, signatures and all. */
static void test_200_in_flight(void **state)
{
    static char names[201][32];
    struct vault_port *port = open_port();

    (void)state;
    for (int i = 1; i <= 200; i++) {
        snprintf(names[i], sizeof names[i], "delay-20.ok.s%dx", i);
        assert_int_equal(submit(port, names[i], fake.url), i);
    }
    for (int i = 1; i <= 200; i++) {
        uint64_t number = 0;
        struct vault_fetch *fetch = wait_take(port, &number);

        assert_non_null(fetch);
        assert_int_equal(vault_fetch_status(fetch), VAULT_OK);
        assert_in_range(number, 1, 200);
        assert_non_null(strstr(vault_fetch_secret(fetch)->payload.data, names[number] + 12));
        names[number][0] = '\0'; /* comes once */
        vault_fetch_free(fetch);
    }
    assert_int_equal(vault_port_pending(port), 0);
    assert_int_equal(fake_count(&fake, "calls"), 200);
    assert_in_range(fake_count(&fake, "connections"), 2, 64);
    assert_in_range(fake_count(&fake, "max_in_flight"), 2, 64);
    vault_port_close(port);
}

static void test_wake_up(void **state)
{
    const char *const folders[] = {"/nonexistent", "/tmp", NULL};
    struct vault_port *port = open_port();
    char path[VAULT_WAKE_PATH_MAX];
    int reader;

    (void)state;
    assert_int_equal(vault_port_accept(port), VAULT_INTERNAL);
    assert_int_equal(vault_port_listen(port, folders, path), VAULT_OK);
    reader = connect_to(path);
    assert_int_equal(vault_port_accept(port), VAULT_OK);
    for (int i = 0; i < 10; i++) {
        submit(port, "db", good.url);
        assert_int_equal(receive_within(reader, 10000), 1);
        take_value(port);
        assert_int_equal(receive_within(reader, 0), -1);
    }
    /* While one waits, the next is no news. */
    submit(port, "db", good.url);
    assert_int_equal(receive_within(reader, 10000), 1);
    submit(port, "db", good.url);
    assert_int_equal(receive_within(reader, 50), -1);
    take_value(port);
    take_value(port);
    vault_port_hang_up(port);
    assert_int_equal(receive_within(reader, 10000), 0);
    close(reader);
    submit(port, "db", good.url);
    take_value(port);

    /* Results that were there before the connection are told when it is made. */
    submit(port, "db", good.url);
    rest_ms(50);
    assert_int_equal(vault_port_listen(port, folders, path), VAULT_OK);
    reader = connect_to(path);
    assert_int_equal(vault_port_accept(port), VAULT_OK);
    assert_int_equal(receive_within(reader, 10000), 1);
    vault_port_close(port);
    assert_int_equal(receive_within(reader, 10000), 0);
    close(reader);
}

/* Each must be taken up, whatever the thread is doing for the others. */
static void test_one_more_of_many(void **state)
{
    struct vault_port *port = open_port();

    (void)state;
    for (int i = 0; i < 8; i++)
        submit(port, "db", hang.url);
    for (uint64_t i = 9; i <= 20; i++) {
        submit(port, "db", good.url);
        assert_int_equal(take_value(port), i);
        rest_ms(i % 2 ? 3 : 0); /* when it waits, and when it may not yet */
    }
    vault_port_close(port);
}

static void test_close_with_fetches_under_way(void **state)
{
    int before = thread_count(), descriptors = entries_in("/proc/self/fd");
    int64_t start = test_clock_ms();

    (void)state;
    for (int wait = 0; wait <= 30; wait += 15) {
        struct vault_port *port = open_port();

        for (int i = 0; i < 100; i++)
            submit(port, "db", i % 3 ? hang.url : good.url);
        rest_ms(wait);
        vault_port_close(port);
        assert_true(threads_become(before));
    }
    assert_true(test_clock_ms() - start < 5000);
    for (int i = 0; entries_in("/proc/self/fd") > descriptors && i < 1000; i++)
        rest_ms(1); /* the servers' ends */
    assert_true(entries_in("/proc/self/fd") <= descriptors);
}

/* Two Lua VMs in one process. */
static void test_two_ports(void **state)
{
    struct vault_port *first = open_port(), *second = open_port(), *third;
    int before = thread_count();

    (void)state;
    for (int i = 1; i <= 20; i++) {
        assert_int_equal(submit(first, "db", good.url), i);
        if (i <= 10)
            assert_int_equal(submit(second, "db", good.url), i);
    }
    assert_int_equal(thread_count(), before + 1);
    for (int i = 0; i < 10; i++)
        assert_in_range(take_value(second), 1, 10);
    assert_int_equal(vault_port_pending(second), 0);
    assert_int_equal(vault_port_pending(first), 20);
    for (int i = 0; i < 20; i++)
        assert_in_range(take_value(first), 1, 20);

    /* One closes with results untaken and fetches under way: the other goes on. */
    submit(first, "db", good.url);
    submit(first, "ok.delay-100.db", fake.url);
    submit(first, "db", hang.url);
    rest_ms(30);
    vault_port_close(first);
    assert_int_equal(thread_count(), before + 1);
    submit(second, "db", good.url);
    take_value(second);
    rest_ms(100); /* what the closed one had asked for comes now */
    third = open_port();
    submit(third, "db", good.url);
    vault_port_close(second);
    assert_int_equal(thread_count(), before + 1);
    take_value(third);
    vault_port_close(third);
    assert_true(threads_become(before));
}

static void test_too_many(void **state)
{
    const struct vault_fetch_request request = engine_request("db", hang.url);
    struct vault_port *port = open_port(), *other = open_port();
    struct vault_message why = {0};
    uint64_t number = 0;

    (void)state;
    for (int i = 0; i < VAULT_JOBS_MAX; i++)
        submit(i % 2 ? port : other, "db", hang.url);
    assert_int_equal(vault_port_submit(port, &request, &no_settings, &number, &why),
                     VAULT_TOO_LARGE);
    assert_string_equal(why.text, "4096 fetches are under way already");
    assert_int_equal(vault_port_pending(port), VAULT_JOBS_MAX / 2);
    vault_port_close(port);
    vault_port_close(other);
    port = open_port();
    submit(port, "db", good.url);
    take_value(port);
    vault_port_close(port);
}

static void test_blocking_run(void **state)
{
    int threads = thread_count(), descriptors = entries_in("/proc/self/fd");
    struct vault_fetch_request request = engine_request("ok.db", fake.url);
    struct vault_port *port = open_port();
    struct vault_message why = {0};
    struct vault_fetch *fetch = NULL;

    (void)state;
    for (int i = 0; i < 2; i++) { /* without the engine, and beside it */
        assert_int_equal(vault_engine_run(&request, &no_settings, &fetch, &why), VAULT_OK);
        assert_int_equal(vault_fetch_status(fetch), VAULT_OK);
        assert_int_equal(thread_count(), threads + i);
        if (i == 0)
            assert_true(entries_in("/proc/self/fd") <= descriptors); /* of the servers some left */
        vault_fetch_free(fetch);
        submit(port, "db", hang.url);
    }
    vault_port_close(port);
    request = engine_request("db", hang.url);
    request.timeout_ms = 50;
    assert_int_equal(vault_engine_run(&request, &no_settings, &fetch, &why), VAULT_OK);
    assert_int_equal(vault_fetch_status(fetch), VAULT_TIMEOUT);
    vault_fetch_free(fetch);
    fetch = NULL;
    request.timeout_ms = -1;
    assert_int_equal(vault_engine_run(&request, &no_settings, &fetch, &why), VAULT_BAD_CONFIG);
    assert_null(fetch);
}

/* The status of a fetch, asked for with or without the thread. */
static enum vault_status fetch_status(bool blocking)
{
    const struct vault_fetch_request request = engine_request("db", good.url);
    struct vault_port *port = NULL;
    struct vault_fetch *fetch = NULL;
    struct vault_message why = {0};
    uint64_t number;
    enum vault_status status;

    if (blocking) {
        status = vault_engine_run(&request, &no_settings, &fetch, &why);
    } else {
        status = vault_port_new(&port);
        if (status == VAULT_OK)
            status = vault_port_submit(port, &request, &no_settings, &number, &why);
        if (status == VAULT_OK)
            fetch = wait_take(port, &number);
    }
    assert_int_equal(fetch != NULL, status == VAULT_OK);
    if (fetch)
        status = vault_fetch_status(fetch);
    vault_fetch_free(fetch);
    if (port)
        vault_port_close(port);
    return status;
}

/* Without memory for the cache's key a fetch goes on. */
static void test_allocations(void **state)
{
    (void)state;
    for (int blocking = 0; blocking <= 1; blocking++) {
        enum vault_status status;
        unsigned long nth;
        bool failed = true;

        for (nth = 1; failed; nth++) {
            (void)vault_alloc_fail(nth);
            status = fetch_status(blocking);
            failed = vault_alloc_fail(0) >= nth;
            assert_true(status == VAULT_OK || (failed && status == VAULT_NO_MEMORY));
        }
        assert_true(nth > 20);
    }
}

static int start_all(void **state)
{
    (void)state;
    capture_environment();
    fake_start(&fake, NULL);
    server_start(&good);
    server_start(&hang);
    return 0;
}

static int stop_all(void **state)
{
    (void)state;
    server_stop(&good);
    server_stop(&hang);
    fake_stop(&fake);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life_of_the_thread),
        cmocka_unit_test(test_submit_refuses),
        cmocka_unit_test(test_200_in_flight),
        cmocka_unit_test(test_wake_up),
        cmocka_unit_test(test_one_more_of_many),
        cmocka_unit_test(test_close_with_fetches_under_way),
        cmocka_unit_test(test_two_ports),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_blocking_run),
        cmocka_unit_test(test_allocations),
    };

    return cmocka_run_group_tests(tests, start_all, stop_all);
}
