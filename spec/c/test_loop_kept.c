/* test_loop_kept - the connections of a loop.
 *
 * For:   which are kept, how many there are, what becomes of a fetch whose kept ones are lost.
 * Never: pauses, deadlines, the end of a loop (test_loop).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "loop_jobs.h"

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

/* Two of them cost a fetch an attempt, and the next is on a fresh one, however many are kept. The
 * last attempt goes on to whichever connection is left. */
static void lose_four(const struct vault_environment *seen, int tokens, unsigned lost)
{
    struct server server = {.answer = GOOD, .once = true};
    struct vault_loop *loop = open_loop(seen);

    server_start(&server);
    for (int i = 0; i < 4; i++)
        add(loop, server.url, 5000);
    finish(loop);
    forget_jobs();
    assert_int_equal(atomic_load(&server.connections), 4);
    *tokens_at(&budgets, server.url) = tokens;
    assert_int_equal(fetch_one(loop, server.url, 5000), VAULT_OK);
    assert_int_equal(atomic_load(&server.requests), 4 + lost + 1);
    assert_int_equal(atomic_load(&server.connections), 4 + 1);
    vault_loop_free(loop);
    server_stop(&server);
}

static void test_kept_connections_that_are_lost(void **state)
{
    (void)state;
    lose_four(environment, 14, 2);
    lose_four(environment, 12, 4);
    lose_four(once, 14, 4);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connection_is_kept),
        cmocka_unit_test(test_kept_connections_that_are_lost),
        cmocka_unit_test(test_side_by_side),
    };

    return cmocka_run_group_tests(tests, start_all, stop_all);
}
