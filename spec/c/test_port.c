/* test_port - what is finished, on its way to a Lua VM.
 *
 * For:   order and numbers; when the wake-up rings; the end of a port before that of its fetches;
 *        fork; lost memory.
 * Never: the engine (test_io_thread).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine.h"

static struct vault_port *make_port(void)
{
    struct vault_port *port = NULL;

    assert_int_equal(vault_port_make(&port), VAULT_OK);
    vault_port_adopt(port);
    return port;
}

/* A job of `port` that is done, in front of `next`. */
static struct vault_job *finished(struct vault_port *port, struct vault_job *next)
{
    struct vault_job *job = vault_alloc(sizeof *job);

    assert_non_null(job);
    job->owner = port;
    job->number = vault_port_expect(port);
    job->next = next;
    return job;
}

static void deliver(struct vault_job *jobs, size_t wanted)
{
    size_t count = 0;

    assert_null(vault_port_deliver(jobs, &count));
    assert_int_equal(count, wanted);
}

/* The number of the next one, or 0. They have no fetch: take gives none either way. */
static uint64_t take(struct vault_port *port)
{
    uint64_t number = 0;

    assert_null(vault_port_take(port, &number));
    return number;
}

static void close_port(struct vault_port *port)
{
    vault_port_end(port);
    vault_port_let_go(port);
}

static void test_order(void **state)
{
    struct vault_port *port = make_port(), *other = make_port();
    struct vault_job *last = finished(other, NULL), *jobs = finished(port, finished(port, last));
    size_t count;

    (void)state;
    assert_int_equal(take(port), 0);
    assert_int_equal(vault_port_pending(port), 2);
    assert_ptr_equal(vault_port_deliver(jobs, &count), last);
    assert_int_equal(count, 2);
    deliver(last, 1);
    assert_int_equal(take(port), 2);
    deliver(finished(port, NULL), 1);
    assert_int_equal(take(port), 1);
    assert_int_equal(vault_port_pending(port), 1);
    assert_int_equal(take(port), 3);
    assert_int_equal(take(port), 0);
    assert_int_equal(vault_port_pending(port), 0);
    close_port(port);
    close_port(other); /* with one that nobody took */
}

static void test_when_it_rings(void **state)
{
    const char *const folders[] = {"/tmp", NULL};
    struct vault_port *port = make_port();
    char path[VAULT_WAKE_PATH_MAX];
    int reader;

    (void)state;
    assert_int_equal(vault_port_listen(port, folders, path), VAULT_OK);
    reader = connect_to(path);
    assert_int_equal(vault_port_accept(port), VAULT_OK);
    assert_int_equal(receive_within(reader, 0), -1);

    deliver(finished(port, finished(port, NULL)), 2);
    assert_int_equal(receive_within(reader, 10000), 1);
    deliver(finished(port, NULL), 1); /* while others wait: no news */
    assert_int_equal(take(port), 2);
    deliver(finished(port, NULL), 1);
    assert_int_equal(receive_within(reader, 0), -1);
    for (int i = 0; i < 3; i++)
        assert_true(take(port) > 0);
    assert_int_equal(receive_within(reader, 0), -1);

    deliver(finished(port, NULL), 1); /* after the last, whether somebody looked for one more */
    assert_int_equal(receive_within(reader, 10000), 1);
    assert_int_equal(take(port), 5);
    assert_int_equal(take(port), 0);
    deliver(finished(port, NULL), 1);
    assert_int_equal(receive_within(reader, 10000), 1);
    close_port(port);
    close(reader);
}

static void test_end_before_its_fetches(void **state)
{
    struct vault_port *port = make_port();
    struct vault_job *first = finished(port, NULL), *second = finished(port, NULL);

    (void)state;
    deliver(first, 1);
    close_port(port);
    deliver(second, 1); /* and it is gone: the address sanitizer would know of a leak */
}

static int look_in_child(void *at)
{
    struct vault_port *port = at;
    uint64_t number = 0;

    CHECK(vault_port_pending(port) == 0);
    CHECK(vault_port_take(port, &number) == NULL && number == 0);
    CHECK(vault_port_adopt(port) == getpid());
    CHECK(vault_port_expect(port) > 0);
    CHECK(vault_port_pending(port) == 1);
    return 0;
}

static void test_fork(void **state)
{
    struct vault_port *port = make_port();

    (void)state;
    deliver(finished(port, finished(port, finished(port, NULL))), 3);
    assert_int_equal(take(port), 3); /* so that some are taken over, and some are not */
    deliver(finished(port, NULL), 1);
    assert_int_equal(in_child(look_in_child, port), 0);
    assert_int_equal(vault_port_pending(port), 3);
    assert_int_equal(take(port), 2);
    close_port(port);
}

static void test_no_memory(void **state)
{
    struct vault_port *port = NULL;
    struct vault_job *job;

    (void)state;
    (void)vault_alloc_fail(1);
    assert_int_equal(vault_port_make(&port), VAULT_NO_MEMORY);
    (void)vault_alloc_fail(0);
    assert_null(port);
    /* What is under way needs none to come home. */
    port = make_port();
    job = finished(port, NULL);
    (void)vault_alloc_fail(1);
    deliver(job, 1);
    assert_int_equal(take(port), 1);
    assert_int_equal(vault_alloc_fail(0), 0);
    close_port(port);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_when_it_rings),
        cmocka_unit_test(test_end_before_its_fetches),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
