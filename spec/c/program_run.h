/* program_run - programs run as a loop runs them.
 *
 * For:   the tests of program.c and of its attendant: start, wait with a limit, end, look what is
 *        left. Nothing here asserts, so that a child can use it too. Include after cmocka.h and
 *        child.h.
 * Never: what is expected of a program.
 */
#ifndef VAULT_TEST_PROGRAM_RUN_H
#define VAULT_TEST_PROGRAM_RUN_H

#include <poll.h>

#include "program.h"

#define RUN_MS 15000 /* never reached by what goes well */

struct run {
    struct vault_exchange exchange;
    struct vault_environment *environment;
    struct vault_program *program; /* NULL: it did not start, or is over */
};

static const char *const usual_entries[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", NULL};

/* Of what stays the same: `words` and `entries` end in NULL. Needs run_close. */
static inline void run_open(struct run *run, const char *const *entries, const char *const *words)
{
    *run = (struct run){.program = NULL};
    vault_exchange_init(&run->exchange);
    if (vault_environment_new(entries, &run->environment) != VAULT_OK)
        abort();
    for (; *words; words++)
        if (vault_buffer_append(&run->exchange.program, *words, strlen(*words) + 1) != VAULT_OK)
            abort();
}

static inline enum vault_status run_start(struct run *run)
{
    return vault_program_new(&run->exchange, run->environment, &run->program);
}

static inline void run_close(struct run *run)
{
    vault_program_free(run->program);
    vault_exchange_free(&run->exchange);
    vault_environment_free(run->environment);
}

/* Advance until it is over, or until it has written a whole line. */
static inline bool run_on(struct run *run, bool to_line)
{
    struct vault_buffer *answer = &run->exchange.answer;
    int64_t deadline = test_clock_ms() + RUN_MS;
    struct pollfd ready = {.fd = vault_program_fd(run->program), .events = POLLIN};

    while (test_clock_ms() < deadline) {
        if (vault_program_advance(run->program))
            return !to_line;
        if (to_line && answer->length && memchr(answer->data, '\n', answer->length))
            return true;
        (void)poll(&ready, 1, 1000);
    }
    return false;
}

static inline enum vault_status run_finish(struct run *run, enum vault_status status)
{
    vault_program_finish(run->program, status);
    run->program = NULL;
    return run->exchange.outcome;
}

/* All of it; VAULT_TIMEOUT where it did not come to its end. */
static inline enum vault_status run_all(struct run *run, const char *const *words)
{
    enum vault_status status;

    run_open(run, usual_entries, words);
    status = run_start(run);
    if (status != VAULT_OK)
        return status;
    return run_finish(run, run_on(run, false) ? VAULT_OK : VAULT_TIMEOUT);
}

static inline enum vault_status run_shell(struct run *run, const char *script)
{
    const char *const words[] = {"/bin/sh", "-c", script, NULL};

    return run_all(run, words);
}

static inline void run_open_shell(struct run *run, const char *script)
{
    const char *const words[] = {"/bin/sh", "-c", script, NULL};

    run_open(run, usual_entries, words);
}

static inline const char *run_answer(const struct run *run)
{
    return run->exchange.answer.length ? run->exchange.answer.data : "";
}

/* Whether the process is no more, or only waits to be reaped by whoever took it over. */
static inline bool is_gone(pid_t pid)
{
    char path[64], state = '?';
    FILE *file;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "r");
    if (!file)
        return true;
    if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = 'X';
    fclose(file);
    return state == 'Z' || state == 'X';
}

static inline bool goes(pid_t pid)
{
    for (int i = 0; i < 2000 && !is_gone(pid); i++)
        rest_ms(1);
    return is_gone(pid);
}

/* Setup and teardown of a test: no child and no descriptor is left behind. */
static int descriptors_before;

static inline int look_before(void **state)
{
    (void)state;
    descriptors_before = entries_in("/proc/self/fd");
    return 0;
}

/* No child is left, not even one to be reaped. */
static inline bool has_no_child(void)
{
    return waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD;
}

static inline int look_after(void **state)
{
    (void)state;
    return has_no_child() && entries_in("/proc/self/fd") == descriptors_before ? 0 : -1;
}

#define PROGRAM_TEST(name) cmocka_unit_test_setup_teardown(name, look_before, look_after)

#endif
