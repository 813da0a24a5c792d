/* process - which process this is, and whether another still lives.
 *
 * For:   what process.h promises, by kill(2) and /proc.
 * Never: starting, ending or waiting for processes (program); locks.
 */
#include "process.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "file.h"

#define NO_ADVICE     12345 /* for madvise(2) */
#define STAT_MAX      4096
#define FIELD_STATE   3
#define FIELD_STARTED 22

/* In a page that is empty again in a child made by fork, however that was made; NULL: this system
 * has no such pages. */
static _Atomic pid_t *kept;

static void map_kept(void)
{
#ifdef MADV_WIPEONFORK
    void *page =
        mmap(NULL, sizeof *kept, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return;
    /* An emulator that takes any advice follows none. */
    if (madvise(page, sizeof *kept, NO_ADVICE) != 0 &&
        madvise(page, sizeof *kept, MADV_WIPEONFORK) == 0)
        kept = page;
    else
        munmap(page, sizeof *kept);
#endif
}

pid_t vault_process_id(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pid_t process;

    pthread_once(&once, map_kept);
    process = kept ? *kept : 0;
    if (process == 0) {
        process = getpid();
        if (kept)
            *kept = process;
    }
    return process;
}

/* The decimal number that fills the word at `at`. */
static bool read_number(const char *at, const char *end, uint64_t *number)
{
    uint64_t value = 0;
    const char *start = at;

    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        if (value > (UINT64_MAX - 9) / 10)
            return false;
        value = value * 10 + (uint64_t)(*at - '0');
    }
    if (at == start || (at < end && *at != ' ' && *at != '\n'))
        return false;
    *number = value;
    return true;
}

/* The program's name, field 2, may hold blanks and brackets: it ends at the last one. */
bool vault_process_read_stat(const char *text, size_t length, char *state, uint64_t *started)
{
    const char *end = text + length;
    const char *at = length ? memrchr(text, ')', length) : NULL;
    const char *at_state;

    if (!at || end - at < 3 || at[1] != ' ')
        return false;
    at += 2;
    at_state = at;
    for (int field = FIELD_STATE; field < FIELD_STARTED; field++) {
        at = memchr(at, ' ', (size_t)(end - at));
        if (!at)
            return false;
        at++;
    }
    if (!read_number(at, end, started))
        return false;
    *state = *at_state;
    return true;
}

static bool ask(pid_t pid, char *state, uint64_t *started)
{
    struct vault_message ignored = {0};
    struct vault_buffer text;
    char path[32];
    bool known = false;

    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    vault_buffer_init(&text, STAT_MAX);
    if (vault_file_read(path, &text, &ignored) == VAULT_OK)
        known = vault_process_read_stat(text.data, text.length, state, started);
    vault_buffer_free(&text);
    return known;
}

uint64_t vault_process_started(pid_t pid)
{
    uint64_t started = 0;
    char state = 0;

    return ask(pid, &state, &started) ? started : 0;
}

bool vault_process_alive(pid_t pid, uint64_t started)
{
    uint64_t began = 0;
    char state = 0;

    if (pid <= 0 || (kill(pid, 0) != 0 && errno == ESRCH))
        return false;
    if (!ask(pid, &state, &began))
        return true;
    if (state == 'Z' || state == 'X')
        return false;
    return started == 0 || started == began;
}
