/* thread - a thread inside somebody else's program.
 *
 * For:   what thread.h promises.
 * Never: what the thread does.
 */
#include "thread.h"

#include "arena.h"

#include <sched.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>

#define STACK_BYTES (512 * 1024)

int vault_thread_start(pthread_t *thread, void *(*run)(void *), void *at)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);

    if (error)
        return error;
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    /* nginx's signals are for nginx's own thread. */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    error = pthread_create(thread, &attributes, run, at);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}

void vault_thread_enter(void)
{
    cpu_set_t every;

    /* It inherits the worker's pin to one processor; it must not compete with the worker there. */
    memset(&every, 0xff, sizeof every);
    (void)!sched_setaffinity(0, sizeof every, &every);
    vault_arena_stay();
}

void vault_thread_leave(void)
{
    vault_arena_leave();
}

static bool pipe_waits(void)
{
    sigset_t waiting;

    return sigpending(&waiting) == 0 && sigismember(&waiting, SIGPIPE) == 1;
}

static void pipe_alone(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGPIPE);
}

void vault_thread_deafen(struct vault_thread_deaf *deaf)
{
    sigset_t set;

    pipe_alone(&set);
    deaf->waited = pipe_waits();
    pthread_sigmask(SIG_BLOCK, &set, &deaf->mask);
}

void vault_thread_hear(const struct vault_thread_deaf *deaf)
{
    const struct timespec at_once = {0};
    sigset_t set;

    pipe_alone(&set);
    while (!deaf->waited && pipe_waits())
        (void)sigtimedwait(&set, NULL, &at_once);
    pthread_sigmask(SIG_SETMASK, &deaf->mask, NULL);
    ERR_clear_error();
}
