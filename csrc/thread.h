/* thread - a thread inside somebody else's program.
 *
 * For:   starting one so that nginx does not notice: its signals, its pin to a processor; memory
 *        that it need not ask all others for; a caller's thread, given back as it was.
 * Never: what the thread does.
 */
#ifndef VAULT_THREAD_H
#define VAULT_THREAD_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

/* Start a thread that gets no signals, with a small stack. 0, or an errno. `run` begins with
 * vault_thread_enter and ends with vault_thread_leave. */
int vault_thread_start(pthread_t *thread, void *(*run)(void *), void *at);

/* The calling thread may run wherever the machine or the container lets it. */
void vault_thread_enter(void);
void vault_thread_leave(void);

/* What was before; the same for vault_thread_hear. */
struct vault_thread_deaf {
    sigset_t mask;
    bool waited; /* a SIGPIPE waited already, and is not ours */
};

/* Around what libcurl does on a thread that is not ours.
 *
 * Between these two no SIGPIPE reaches it, whatever its handler: libcurl before 7.87 has OpenSSL
 * write to connections that the other side has closed, and nginx does not ignore the signal yet
 * while it runs init_by_lua. Behind them OpenSSL's queue of errors is empty: what libcurl leaves
 * there nginx would report of its own next connection. */
void vault_thread_deafen(struct vault_thread_deaf *deaf);
void vault_thread_hear(const struct vault_thread_deaf *deaf);

#endif
