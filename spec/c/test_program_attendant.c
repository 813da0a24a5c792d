/* test_program_attendant - what stands between us and a program, and what a program is given.
 *
 * For:   what program_attendant.h promises, seen from the program and from the host: descriptors,
 *        signals, groups, and each of the three processes gone before its time.
 * Never: output and exit status (test_program).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "child.h"
#include "program_run.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* The descriptors of the program, and in brackets those of the attendant once it has let go of the
 * program's own. */
#define LIST_DESCRIPTORS                                                                           \
    "n=0; while [ -e /proc/$PPID/fd/0 ] || [ -e /proc/$PPID/fd/2 ]; do sleep 0.01; done;"          \
    " while [ $n -lt 600 ]; do [ -e /proc/$$/fd/$n ] && printf '%d ' $n;"                          \
    " [ -e /proc/$PPID/fd/$n ] && printf '(%d) ' $n; n=$((n + 1)); done"

/* Whether this is what the program has written; 1 and a word on it where it is not. */
static int check_answer(struct run *run, const char *wanted)
{
    int code = strcmp(run_answer(run), wanted) != 0 || run->exchange.status != 0;

    if (code)
        fprintf(stderr, "exit status %d, \"%s\", not \"%s\"\n", run->exchange.status,
                run_answer(run), wanted);
    run_close(run);
    return code;
}

static int check_descriptors(void)
{
    struct run run;

    CHECK(run_shell(&run, LIST_DESCRIPTORS "; exit 0") == VAULT_OK);
    return check_answer(&run, "0 1 2 (3) ");
}

/* Some that would be inherited, far and near. */
static int open_some(void)
{
    for (int i = 0; i < 5; i++)
        CHECK(open("/dev/zero", O_RDONLY) >= 0);
    CHECK(dup2(0, 100) == 100 && dup2(0, 599) == 599);
    return 0;
}

static int many_descriptors(void *at)
{
    (void)at;
    CHECK(open_some() == 0);
    return check_descriptors();
}

/* Make system calls fail with ENOSYS, as on a kernel that has them not. */
static int forbid(unsigned first, unsigned second)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, first, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, second, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int old_kernel(void *at)
{
    (void)at;
    CHECK(open_some() == 0);
    CHECK(forbid(SYS_close_range, SYS_close_range));
    return check_descriptors();
}

/* Nothing that lists the descriptors: they are counted up to the limit. */
static int old_kernel_without_proc(void *at)
{
    struct rlimit limit = {.rlim_cur = 1024, .rlim_max = 1024};

    (void)at;
    CHECK(open_some() == 0);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK(forbid(SYS_close_range, SYS_getdents64));
    return check_descriptors();
}

/* A host that has closed its own standard descriptors, one after another. */
static int closed_descriptors(void *at)
{
    int errors = fcntl(2, F_DUPFD_CLOEXEC, 50), code = 0;

    (void)at;
    for (int i = 0; i < 3 && code == 0; i++) {
        close(i);
        code = check_descriptors();
        for (int k = 3; k < 6 && code == 0; k++) {
            close(k);
            code = check_descriptors();
        }
    }
    CHECK(dup2(errors, 2) == 2);
    return code;
}

static void test_descriptors(void **state)
{
    (void)state;
    assert_int_equal(in_child(many_descriptors, NULL), 0);
    assert_int_equal(in_child(closed_descriptors, NULL), 0);
}

static void test_descriptors_on_old_kernels(void **state)
{
    (void)state;
    if (prctl(PR_GET_SECCOMP) != 0)
        skip();
    assert_int_equal(in_child(old_kernel, NULL), 0);
    assert_int_equal(in_child(old_kernel_without_proc, NULL), 0);
}

static void never(int number)
{
    (void)number;
    _exit(99);
}

/* A program begins with no signal blocked or ignored, whatever the host does; 32 and 33 are the C
 * library's own, and some that starts programs ignores them there. */
static int odd_signals(void *at)
{
    static const char *const words[] = {"grep", "-E", "^Sig(Pnd|Blk|Ign):", "/proc/self/status",
                                        NULL};
    unsigned long long pending = 1, blocked = 1, ignored = 1;
    struct run run;
    sigset_t all;

    (void)at;
    for (int number = 1; number < NSIG; number++)
        if (number != SIGALRM)
            (void)signal(number, number % 2 ? SIG_IGN : never);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    raise(SIGUSR1);
    CHECK(run_all(&run, words) == VAULT_OK);
    CHECK(sscanf(run_answer(&run), "SigPnd: %llx SigBlk: %llx SigIgn: %llx", &pending, &blocked,
                 &ignored) == 3);
    CHECK(pending == 0 && blocked == 0 && (ignored & ~0x180000000ULL) == 0);
    run_close(&run);
    return 0;
}

static void test_signals(void **state)
{
    (void)state;
    assert_int_equal(in_child(odd_signals, NULL), 0);
}

/* The mask of the calling thread is as it was. */
static void test_keeps_mask(void **state)
{
    sigset_t before, after;
    struct run run;

    (void)state;
    sigprocmask(SIG_SETMASK, NULL, &before);
    assert_int_equal(run_shell(&run, "exit 0"), VAULT_OK);
    run_close(&run);
    sigprocmask(SIG_SETMASK, NULL, &after);
    for (int number = 1; number < NSIG; number++)
        assert_int_equal(sigismember(&before, number), sigismember(&after, number));
}

/* A group of its own, in which neither we nor the attendant are. */
static void test_group(void **state)
{
    struct run run;

    (void)state;
    assert_int_equal(run_shell(&run, "trap '' INT; kill -INT 0; trap 'exit 6' TERM; kill 0; "
                                     "exit 5"),
                     VAULT_OK);
    assert_int_equal(run.exchange.status, 6);
    run_close(&run);
    assert_int_equal(run_shell(&run, "kill -KILL 0"), VAULT_OK);
    assert_int_equal(run.exchange.status, 128 + SIGKILL);
    run_close(&run);
}

static void test_attendant_killed(void **state)
{
    int program = 0, attendant = 0;
    struct run run;

    (void)state;
    run_open_shell(&run, "echo $$ $PPID; sleep 10");
    assert_int_equal(run_start(&run), VAULT_OK);
    assert_true(run_on(&run, true));
    assert_int_equal(sscanf(run_answer(&run), "%d %d", &program, &attendant), 2);
    assert_int_equal(kill(attendant, SIGKILL), 0);
    assert_true(run_on(&run, false));
    assert_int_equal(run_finish(&run, VAULT_OK), VAULT_INTERNAL);
    assert_string_equal(run.exchange.why.text,
                        "the process that waited for the program was killed");
    assert_int_equal(run.exchange.answer.length, 0);
    assert_true(goes(program));
    run_close(&run);
}

/* One that does not move is not waited for. */
static void test_attendant_stopped(void **state)
{
    int program = 0, attendant = 0;
    struct run run;

    (void)state;
    run_open_shell(&run, "echo $$ $PPID; sleep 10");
    assert_int_equal(run_start(&run), VAULT_OK);
    assert_true(run_on(&run, true));
    assert_int_equal(sscanf(run_answer(&run), "%d %d", &program, &attendant), 2);
    assert_int_equal(kill(attendant, SIGSTOP), 0);
    assert_int_equal(run_finish(&run, VAULT_TIMEOUT), VAULT_TIMEOUT);
    assert_true(goes(program));
    assert_true(is_gone(attendant));
    run_close(&run);
}

/* The host ends without a word; its pipe outlives it and tells what it had running. */
static int host_that_dies(void *at)
{
    const int *tell = at;
    struct run run;

    run_open_shell(&run, "echo $$; sleep 10");
    CHECK(run_start(&run) == VAULT_OK);
    CHECK(run_on(&run, true));
    CHECK(write(*tell, run_answer(&run), strlen(run_answer(&run))) > 0);
    kill(getpid(), SIGKILL);
    return 0;
}

static void test_host_dies(void **state)
{
    char text[32] = "";
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(in_child(host_that_dies, &ends[1]), 128 + SIGKILL);
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    assert_true(goes(atoi(text)));
    close(ends[0]);
    close(ends[1]);
}

/* No process for the attendant, then one for it but none for the program. A sanitizer's thread
 * counts as well. */
static int without_processes(void *at)
{
    static const char none[] = "no program can be started: Resource temporarily unavailable";
    struct rlimit limit = {.rlim_cur = 1, .rlim_max = 9};
    struct run run;
    bool was_refused;

    (void)at;
    /* A user who has no other process. */
    CHECK(setgid(10000) == 0 && setuid(10000 + (uid_t)getpid() % 50000) == 0);
    do {
        CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
        CHECK(run_shell(&run, "exit 0") == VAULT_INTERNAL);
        was_refused = strcmp(run.exchange.why.text, none) == 0;
        CHECK(was_refused ||
              strcmp(run.exchange.why.text,
                     "cannot execute /bin/sh: Resource temporarily unavailable") == 0);
        run_close(&run);
    } while (was_refused && limit.rlim_cur++ < 9);
    CHECK(limit.rlim_cur > 1 && !was_refused);
    CHECK(has_no_child());
    return 0;
}

static void test_without_processes(void **state)
{
    (void)state;
    if (getuid() != 0)
        skip();
    assert_int_equal(in_child(without_processes, NULL), 0);
}

/* Threads that hold the locks of malloc and stdio most of the time. */
static atomic_bool is_over;

static void *keep_busy(void *at)
{
    FILE *nothing = fopen("/dev/null", "we");

    (void)at;
    while (nothing && !atomic_load(&is_over)) {
        void *memory = malloc(100000);

        fprintf(nothing, "%p", memory);
        free(memory);
        fflush(NULL);
    }
    if (nothing)
        fclose(nothing);
    return NULL;
}

static void test_among_threads(void **state)
{
    pthread_t threads[3];
    struct run run;

    (void)state;
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, keep_busy, NULL), 0);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(run_shell(&run, "echo $0"), VAULT_OK);
        assert_string_equal(run_answer(&run), "/bin/sh\n");
        run_close(&run);
    }
    atomic_store(&is_over, true);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROGRAM_TEST(test_descriptors),
        PROGRAM_TEST(test_descriptors_on_old_kernels),
        PROGRAM_TEST(test_signals),
        PROGRAM_TEST(test_keeps_mask),
        PROGRAM_TEST(test_group),
        PROGRAM_TEST(test_attendant_killed),
        PROGRAM_TEST(test_attendant_stopped),
        PROGRAM_TEST(test_host_dies),
        PROGRAM_TEST(test_without_processes),
        PROGRAM_TEST(test_among_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
