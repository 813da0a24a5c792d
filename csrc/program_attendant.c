/* program_attendant - the process of ours that stands between us and a program.
 *
 * For:   what program_attendant.h promises.
 * Never: what is not safe in a signal's handler.
 */
#include "program_attendant.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436 /* on every architecture; Linux 5.9 */
#endif

#define LINE 3 /* where the attendant has it */

/* There in coverage builds alone, which would lose what _exit and execve end. */
extern int __llvm_profile_write_file(void) __attribute__((weak));

static void save_coverage(void)
{
    if (__llvm_profile_write_file)
        (void)__llvm_profile_write_file();
}

static _Noreturn void leave(int code)
{
    save_coverage();
    _exit(code);
}

static void tell(enum vault_program_kind kind, int value)
{
    struct vault_program_news news;

    memset(&news, 0, sizeof news);
    news.kind = kind;
    news.value = value;
    while (send(LINE, &news, sizeof news, MSG_NOSIGNAL) < 0 && errno == EINTR)
        ;
}

static _Noreturn void give_up(int error)
{
    tell(VAULT_PROGRAM_FAILED, error);
    leave(0);
}

/* ---- signals ---- */

static void on_child(int number)
{
    (void)number; /* to end a ppoll is enough */
}

/* Whatever the host has made of them: nginx's own handler would reap the program. */
static void reset_signals(void)
{
    struct sigaction usual, child;
    sigset_t held;

    memset(&usual, 0, sizeof usual);
    usual.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; number++)
        (void)sigaction(number, &usual, NULL);
    memset(&child, 0, sizeof child);
    child.sa_handler = on_child;
    (void)sigaction(SIGCHLD, &child, NULL);
    sigemptyset(&held);
    sigaddset(&held, SIGCHLD);
    (void)sigprocmask(SIG_SETMASK, &held, NULL);
}

/* ---- descriptors ---- */

/* What the kernel writes for each entry of a folder, before its name. */
struct entry_head {
    uint64_t inode;
    int64_t offset;
    uint16_t length; /* of the whole entry */
    uint8_t type;
};
#define ENTRY_NAME 19 /* its offset: no padding */

/* -1 for "." and "..". */
static int number_in(const char *name)
{
    int number = 0;

    if (*name < '0' || *name > '9')
        return -1;
    for (; *name >= '0' && *name <= '9'; name++)
        number = number * 10 + (*name - '0');
    return number;
}

static void close_entries(const char *entries, long size, int from, int except)
{
    struct entry_head head;

    for (long at = 0; at < size; at += head.length) {
        int number = number_in(entries + at + ENTRY_NAME);

        memcpy(&head, entries + at, sizeof head);
        if (number >= from && number != except)
            close(number);
    }
}

/* A limit can be a thousand million: that is no number to count to. */
static bool close_listed(int from)
{
    char entries[2048];
    long size;
    int folder = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (folder < 0)
        return false;
    while ((size = syscall(SYS_getdents64, folder, entries, sizeof entries)) > 0)
        close_entries(entries, size, from, folder);
    close(folder);
    return size == 0;
}

static void close_from(int from, int limit)
{
    if (syscall(SYS_close_range, from, ~0U, 0) == 0 || close_listed(from))
        return;
    for (int number = from; number < limit; number++)
        close(number);
}

static void keep_four(const struct vault_program_start *start)
{
    bool kept = dup3(start->line, LINE, O_CLOEXEC) == LINE;

    if (!kept)
        leave(0);
    if (dup2(start->input, 0) != 0 || dup2(start->output, 1) != 1 || dup2(start->errors, 2) != 2)
        give_up(errno);
    close(start->line); /* makes room to open what lists the others */
    close_from(LINE + 1, start->descriptor_limit);
}

/* ---- the two processes ---- */

static _Noreturn void become(const struct vault_program_image *image)
{
    sigset_t none;

    (void)setpgid(0, 0);
    tell(VAULT_PROGRAM_RUNS, getpid()); /* known before anything of the program runs */
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    save_coverage();
    execve(image->path, image->arguments, image->environment);
    tell(VAULT_PROGRAM_FAILED, errno);
    leave(127);
}

static bool has_ended(pid_t program, int *exit_status)
{
    siginfo_t end;

    end.si_pid = 0;
    if (waitid(P_PID, (id_t)program, &end, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        end.si_pid != program)
        return false;
    *exit_status = end.si_code == CLD_EXITED ? end.si_status : 128 + end.si_status;
    return true;
}

/* Nobody ever sends anything to us: what comes is the end. */
static bool is_dismissed(const sigset_t *signals)
{
    struct pollfd line = {.fd = LINE, .events = POLLIN};

    return ppoll(&line, 1, NULL, signals) >= 0 || errno != EINTR;
}

static void wait_for(pid_t program)
{
    sigset_t none;
    int exit_status;

    sigemptyset(&none);
    while (!has_ended(program, &exit_status)) {
        if (!is_dismissed(&none))
            continue;
        kill(-program, SIGKILL);
        return;
    }
    tell(VAULT_PROGRAM_ENDED, exit_status);
    while (!is_dismissed(NULL))
        ;
    (void)waitpid(program, NULL, 0);
}

_Noreturn void vault_program_attend(const struct vault_program_start *start)
{
    pid_t program;

    reset_signals();
    (void)setpgid(0, 0); /* or a terminal's signals, and a `kill 0`, would be for us too */
    keep_four(start);
    program = fork();
    if (program == 0)
        become(&start->image);
    if (program < 0)
        give_up(errno);
    (void)setpgid(program, program); /* here too: whoever is the first */
    close(0);
    close(1);
    close(2);
    wait_for(program);
    leave(0);
}
