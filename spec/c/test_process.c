/* test_process - which process this is, whether another still lives.
 *
 * For:   what process.h promises, of real processes: alive, waiting to be reaped, gone, another of
 *        the same number; the line of /proc taken apart.
 * Never: locks.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/syscall.h>

#include "child.h"
#include "process.h"

#include "buffer.h"

#define NOBODY 65534
#define STAT(name)                                                                                 \
    name " S 1 5 5 0 -1 4194560 100 0 0 0 7 8 0 0 20 0 1 0 9876543 1000 2 18446744073709551615 "   \
         "0\n"

static void test_read_stat(void **state)
{
    static const char *const good[] = {STAT("5 (nginx)"), STAT("5 (a) Z 1 (b c)"), STAT("5 ())"),
                                       STAT("5 (\n)")};
    static const char *const bad[] = {
        "",
        ")",
        "5 (nginx)",
        "5 (nginx) ",
        "5 (nginx) S",
        STAT("5 nginx"),
        "5 (nginx) S 1 5 5 0 -1 4194560 100 0 0 0 7 8 0 0 20 0 1 0",
        "5 (nginx) S 1 5 5 0 -1 4194560 100 0 0 0 7 8 0 0 20 0 1 0 ",
        "5 (nginx) S 1 5 5 0 -1 4194560 100 0 0 0 7 8 0 0 20 0 1 0 -1 0",
        "5 (nginx) S 1 5 5 0 -1 4194560 100 0 0 0 7 8 0 0 20 0 1 0 12x 0",
        "5 (nginx) S 1 5 5 0 -1 4194560 100 0 0 0 7 8 0 0 20 0 1 0 99999999999999999999 0",
    };
    uint64_t started = 1;
    char letter = '?';

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(vault_process_read_stat(bad[i], strlen(bad[i]), &letter, &started));
        assert_int_equal(letter, '?');
        assert_int_equal(started, 1);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        letter = '?';
        assert_true(vault_process_read_stat(good[i], strlen(good[i]), &letter, &started));
        assert_int_equal(letter, 'S');
        assert_int_equal(started, 9876543);
    }
}

static int ask_in_grandchild(void *at)
{
    (void)at;
    CHECK(vault_process_id() == getpid());
    return 0;
}

static int ask_in_child(void *at)
{
    CHECK(vault_process_id() == getpid());
    CHECK(vault_process_id() == getpid()); /* and when it is known */
    CHECK(in_child(ask_in_grandchild, at) == 0);
    return 0;
}

static void test_id(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(vault_process_id(), getpid());
        assert_int_equal(in_child(ask_in_child, NULL), 0);
    }
}

/* A child that no handler of fork(3) knows of. */
static void test_id_in_a_child_of_the_system_call(void **state)
{
    int status = 0;
    pid_t child;

    (void)state;
    assert_int_equal(vault_process_id(), getpid());
    fflush(NULL);
    child = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (child == 0)
        _exit(vault_process_id() != (pid_t)syscall(SYS_getpid));
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void test_this_one(void **state)
{
    uint64_t started = vault_process_started(getpid());

    (void)state;
    assert_true(started > 0);
    assert_true(vault_process_started(getppid()) <= started);
    assert_int_equal(vault_process_started(getpid()), started);
    assert_true(vault_process_alive(getpid(), started));
    assert_true(vault_process_alive(getpid(), 0));
    assert_false(vault_process_alive(getpid(), started + 1));
    assert_false(vault_process_alive(getpid(), started - 1));
}

static void test_no_process(void **state)
{
    static const pid_t none[] = {0, -1, INT32_MAX, INT32_MIN};

    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        assert_false(vault_process_alive(none[i], 0));
        assert_int_equal(vault_process_started(none[i]), 0);
    }
}

/* Wait until `child` has ended, and leave it to be reaped. */
static void await_end(pid_t child)
{
    siginfo_t about;

    while (waitid(P_PID, (id_t)child, &about, WEXITED | WNOWAIT) != 0)
        assert_int_equal(errno, EINTR);
}

static void test_child(void **state)
{
    uint64_t started;
    int held[2];
    pid_t child;

    (void)state;
    assert_int_equal(pipe(held), 0);
    fflush(NULL);
    child = fork();
    if (child == 0) {
        char byte;

        close(held[1]);
        _exit(read(held[0], &byte, 1) != 0);
    }
    assert_true(child > 0);
    close(held[0]);
    started = vault_process_started(child);
    assert_true(started >= vault_process_started(getpid()));
    assert_true(vault_process_alive(child, started));

    close(held[1]); /* it ends */
    await_end(child);
    assert_int_equal(kill(child, 0), 0);
    assert_false(vault_process_alive(child, started));
    assert_false(vault_process_alive(child, 0));

    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_false(vault_process_alive(child, started));
    assert_false(vault_process_alive(child, 0));
}

static int ask_as_nobody(void *at)
{
    uint64_t *started = at;

    if (getuid() == 0)
        CHECK(setuid(NOBODY) == 0 && kill(getppid(), 0) != 0 && errno == EPERM);
    CHECK(vault_process_alive(getppid(), *started));
    CHECK(vault_process_alive(getppid(), 0));
    return 0;
}

static void test_of_another_user(void **state)
{
    uint64_t started = vault_process_started(getpid());

    (void)state;
    assert_int_equal(in_child(ask_as_nobody, &started), 0);
}

/* What cannot be known is not taken for dead. */
static void test_no_memory(void **state)
{
    uint64_t started = vault_process_started(getpid());

    (void)state;
    for (unsigned long nth = 1; nth <= 2; nth++) {
        (void)vault_alloc_fail(nth);
        assert_true(vault_process_alive(getpid(), started));
        (void)vault_alloc_fail(nth);
        assert_int_equal(vault_process_started(getpid()), 0);
    }
    (void)vault_alloc_fail(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_stat),
        cmocka_unit_test(test_id),
        cmocka_unit_test(test_id_in_a_child_of_the_system_call),
        cmocka_unit_test(test_this_one),
        cmocka_unit_test(test_no_process),
        cmocka_unit_test(test_child),
        cmocka_unit_test(test_of_another_user),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
