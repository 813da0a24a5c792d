/* thread - a thread inside somebody else's program.
 *
 * For:   starting one so that nginx does not notice: its signals, its pin to a processor; memory
 *        that it need not ask all others for.
 * Never: what the thread does.
 */
#ifndef VAULT_THREAD_H
#define VAULT_THREAD_H

#include <pthread.h>

/* Start a thread that gets no signals, with a small stack. 0, or an errno. `run` begins with
 * vault_thread_enter and ends with vault_thread_leave. */
int vault_thread_start(pthread_t *thread, void *(*run)(void *), void *at);

/* The calling thread may run wherever the machine or the container lets it. */
void vault_thread_enter(void);
void vault_thread_leave(void);

#endif
