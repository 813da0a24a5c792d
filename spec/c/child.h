/* child - commands and processes beside a test.
 *
 * For:   blocks that must run in a process of their own, commands that a test needs done, temporary
 * folders. Include after cmocka.h. Never: asserts in a child (cmocka would run on there): CHECK.
 */
#ifndef VAULT_TEST_CHILD_H
#define VAULT_TEST_CHILD_H

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* For functions that run in a child: a failure is said and becomes its exit code. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

/* Coverage runs: what _exit would lose. */
extern int __llvm_profile_write_file(void) __attribute__((weak));

/* Exit code of `body` in a forked child, which ends at once and flushes nothing; 128 and more where
 * a signal ended it, SIGALRM after 20 s. */
static inline int in_child(int (*body)(void *), void *at)
{
    int status = 0;
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child == 0) {
        alarm(20);
        status = body(at);
        fflush(stderr);
        if (__llvm_profile_write_file)
            __llvm_profile_write_file();
        _exit(status);
    }
    assert_true(child > 0);
    while (waitpid(child, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Exit code of a shell command. The sanitizer of this process is not the command's. */
__attribute__((format(printf, 1, 2))) static inline int run_command(const char *format, ...)
{
    char command[4096];
    va_list arguments;
    int length, status;

    va_start(arguments, format);
    length = vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    assert_true(length > 0 && (size_t)length < sizeof command);
    fflush(NULL);
    status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A new folder, which must be removed with remove_folder. */
static inline void make_folder(char *folder, size_t room)
{
    assert_true(snprintf(folder, room, "/tmp/vaults-test.XXXXXX") < (int)room);
    assert_non_null(mkdtemp(folder));
}

static inline void remove_folder(const char *folder)
{
    assert_int_equal(strncmp(folder, "/tmp/vaults-test.", 17), 0);
    assert_int_equal(run_command("rm -rf %s", folder), 0);
}

/* Entries of a folder, "." and ".." apart. */
static inline int entries_in(const char *folder)
{
    DIR *directory = opendir(folder);
    int count = 0;

    for (struct dirent *entry; directory && (entry = readdir(directory)) != NULL;)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    if (directory)
        closedir(directory);
    return count;
}

static inline int64_t test_clock_ms(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static inline void rest_ms(long milliseconds)
{
    struct timespec time = {.tv_sec = milliseconds / 1000,
                            .tv_nsec = milliseconds % 1000 * 1000000};

    nanosleep(&time, NULL);
}

#endif
