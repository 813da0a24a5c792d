/* test_fork_locks - a child made by fork finds a lock free that another thread held.
 *
 * For:   what fork_locks.h promises, for a lock of its own.
 * Never: what the process's own locks guard (test_arena).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <stdbool.h>

#include "child.h"
#include "fork_locks.h"

static pthread_mutex_t outer = PTHREAD_MUTEX_INITIALIZER, inner = PTHREAD_MUTEX_INITIALIZER;
static unsigned left, right; /* both locks guard that they are the same */
static atomic_bool stop;

/* The outer one first, as everybody does. */
static void *change(void *unused)
{
    while (!atomic_load(&stop)) {
        pthread_mutex_lock(&outer);
        left++;
        pthread_mutex_lock(&inner);
        right++;
        pthread_mutex_unlock(&inner);
        pthread_mutex_unlock(&outer);
    }
    return unused;
}

static bool is_whole(void)
{
    bool same;

    pthread_mutex_lock(&outer);
    pthread_mutex_lock(&inner);
    same = left == right;
    pthread_mutex_unlock(&inner);
    pthread_mutex_unlock(&outer);
    return same;
}

static void test_a_child_finds_them_free_and_all_whole(void **state)
{
    pthread_t thread;

    (void)state;
    vault_fork_locks_add(VAULT_FORK_CREDENTIALS, &inner);
    vault_fork_locks_add(VAULT_FORK_REGION, &outer);
    assert_int_equal(pthread_create(&thread, NULL, change, NULL), 0);
    for (int i = 0; i < 200; i++) {
        pid_t child = fork();
        int result = 0;

        assert_true(child >= 0);
        if (child == 0) {
            alarm(10);
            _exit(is_whole() ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &result, 0), child);
        assert_int_equal(result, 0);
    }
    assert_true(is_whole());
    atomic_store(&stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_child_finds_them_free_and_all_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
