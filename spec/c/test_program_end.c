/* test_program_end - the end of programs, with real ones.
 *
 * For:   what program.h promises of it: time that is over, processes left in the background, a host
 *        that reaps every child or has no descriptors left.
 * Never: what a program says (test_program); what runs between us and it (test_program_attendant).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "child.h"
#include "program_run.h"

/* The program and what it started, by the numbers that it writes. */
static void check_killed(void (*end)(struct run *))
{
    int program = 0, child = 0;
    struct run run;

    run_open_shell(&run, "trap '' TERM HUP INT; sleep 10 & echo $$ $!; wait");
    assert_int_equal(run_start(&run), VAULT_OK);
    assert_true(run_on(&run, true));
    assert_int_equal(sscanf(run_answer(&run), "%d %d", &program, &child), 2);
    assert_int_equal(getpgid(child), program);
    assert_int_not_equal(getpgid(program), getpgrp());
    end(&run);
    assert_true(goes(program));
    assert_true(goes(child));
    run_close(&run);
    assert_true(has_no_child());
}

static void end_by_time(struct run *run)
{
    int64_t start = test_clock_ms();

    assert_int_equal(run_finish(run, VAULT_TIMEOUT), VAULT_TIMEOUT);
    assert_string_equal(run->exchange.why.text,
                        "it had not ended when its time was over, and was killed");
    assert_int_equal(run->exchange.answer.length, 0);
    assert_true(test_clock_ms() - start < 5000);
}

static void end_by_leaving(struct run *run)
{
    assert_int_equal(run_finish(run, VAULT_CANCELLED), VAULT_CANCELLED);
    assert_string_equal(run->exchange.why.text, "the worker is leaving");
}

static void end_by_freeing(struct run *run)
{
    vault_program_free(run->program);
    run->program = NULL;
}

static void test_is_killed(void **state)
{
    (void)state;
    check_killed(end_by_time);
    check_killed(end_by_leaving);
    check_killed(end_by_freeing);
}

/* Ended before anything was read, or when all was over and nobody had looked. */
static void test_ends_at_any_time(void **state)
{
    struct run run;

    (void)state;
    vault_program_free(NULL);
    for (int ms = 0; ms < 20; ms++) {
        run_open_shell(&run, "echo output");
        assert_int_equal(run_start(&run), VAULT_OK);
        rest_ms(ms);
        assert_int_equal(run_finish(&run, VAULT_TIMEOUT), VAULT_TIMEOUT);
        assert_int_equal(run.exchange.answer.length, 0);
        run_close(&run);
        assert_true(has_no_child());
    }
}

/* What is left in the background neither delays the end nor is ended. */
static void test_background(void **state)
{
    int64_t start = test_clock_ms();
    struct run run;
    int left = 0;

    (void)state;
    assert_int_equal(run_shell(&run, "sleep 9 & echo $!; echo said >&2; exit 4"), VAULT_OK);
    assert_true(test_clock_ms() - start < 5000);
    assert_int_equal(run.exchange.status, 4);
    assert_string_equal(run.exchange.why.text, "said");
    assert_int_equal(sscanf(run_answer(&run), "%d", &left), 1);
    assert_false(is_gone(left));
    assert_int_equal(kill(left, SIGKILL), 0);
    run_close(&run);
}

/* nginx's handler, which takes every child that has ended. */
static volatile sig_atomic_t reaped;

static void reap_all(int number)
{
    int error = errno;

    (void)number;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        reaped++;
    errno = error;
}

static int host_that_reaps(void *at)
{
    struct sigaction action = {.sa_handler = reap_all};
    struct run run;

    (void)at;
    CHECK(sigaction(SIGCHLD, &action, NULL) == 0);
    for (int i = 0; i < 20; i++) {
        CHECK(run_shell(&run, "echo output; echo said >&2; exit 7") == VAULT_OK);
        CHECK(run.exchange.status == 7);
        CHECK(strcmp(run_answer(&run), "output\n") == 0);
        CHECK(strcmp(run.exchange.why.text, "said") == 0);
        run_close(&run);
        run_open_shell(&run, "sleep 10");
        CHECK(run_start(&run) == VAULT_OK);
        CHECK(run_finish(&run, VAULT_TIMEOUT) == VAULT_TIMEOUT);
        run_close(&run);
    }
    CHECK(has_no_child());
    CHECK(reaped > 0);
    CHECK(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
    CHECK(run_shell(&run, "exit 7") == VAULT_OK);
    CHECK(run.exchange.status == 7);
    run_close(&run);
    return 0;
}

static void test_host_that_reaps(void **state)
{
    (void)state;
    assert_int_equal(in_child(host_that_reaps, NULL), 0);
}

static int without_descriptors(void *at)
{
    int before = entries_in("/proc/self/fd"), highest = dup(0), refused = 0;
    struct rlimit limit;
    char said[128];
    struct run run;

    (void)at;
    close(highest);
    for (int more = 0;; more++) {
        limit.rlim_cur = limit.rlim_max = (rlim_t)(highest + 16 - more);
        CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        run_open_shell(&run, "exit 7");
        if (run_start(&run) == VAULT_OK) {
            CHECK(run_on(&run, false));
            CHECK(run_finish(&run, VAULT_OK) == VAULT_OK);
            CHECK(run.exchange.status == 7);
            run_close(&run);
            continue;
        }
        CHECK(run.program == NULL);
        snprintf(said, sizeof said, "no program can be started: %s", strerror(EMFILE));
        CHECK(strcmp(run.exchange.why.text, said) == 0);
        run_close(&run);
        refused++;
        if (more == 15)
            break;
    }
    CHECK(refused >= 7);
    CHECK(entries_in("/proc/self/fd") == before); /* one is left for that */
    CHECK(has_no_child());
    return 0;
}

static void test_without_descriptors(void **state)
{
    (void)state;
    assert_int_equal(in_child(without_descriptors, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROGRAM_TEST(test_is_killed),           PROGRAM_TEST(test_ends_at_any_time),
        PROGRAM_TEST(test_background),          PROGRAM_TEST(test_host_that_reaps),
        PROGRAM_TEST(test_without_descriptors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
