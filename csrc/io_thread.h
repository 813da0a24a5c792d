/* io_thread - fetches performed: on one thread per process, or on the calling thread.
 *
 * For:   the loop that drives fetches over one libcurl multi handle; the thread that runs it;
 *        queues in and out, wake-up, start after fork, end at exit.
 * Never: lua_State, curl, AWS words, what a fetch does next (fetch decides).
 *
 * A port is one Lua VM's mouth to the engine: it submits under numbers and takes finished fetches
 * back. All ports of a process are one thread's. The thread starts at the first submit in a
 * process and is stopped and joined when the last port of the process that started it is closed; in
 * a forked child nothing of it is touched: an inherited port begins anew there, without fetches and
 * without a wake-up.
 */
#ifndef VAULT_IO_THREAD_H
#define VAULT_IO_THREAD_H

#include "fetch.h"
#include "wake.h"

#define VAULT_JOBS_MAX 4096 /* in flight per process; more is VAULT_TOO_LARGE */

struct vault_port;

/* How the process's fetches reach AWS; copied at the first start and then fixed for its life. */
struct vault_engine_settings {
    const char *ca_file; /* NULL: the system's trust store */
};

VAULT_MUST_CHECK enum vault_status vault_port_new(struct vault_port **made);

/* Forget what was not taken, free; after the last one cancel what is in flight and join the thread.
 * With another port open what is in flight goes on, unheard. */
void vault_port_close(struct vault_port *port);

/* Start a fetch; its number, never 0, goes to *job. VAULT_OK, VAULT_NO_MEMORY, VAULT_TOO_LARGE,
 * VAULT_UNSUPPORTED, VAULT_INTERNAL (no thread), and what vault_fetch_new says. */
VAULT_MUST_CHECK enum vault_status vault_port_submit(struct vault_port *port,
                                                     const struct vault_fetch_request *request,
                                                     const struct vault_engine_settings *settings,
                                                     uint64_t *job, struct vault_message *why);

/* The next finished fetch, or NULL; it is the caller's, to be given to vault_fetch_free. */
struct vault_fetch *vault_port_take(struct vault_port *port, uint64_t *job);

/* Submitted and not yet taken. */
size_t vault_port_pending(const struct vault_port *port);

/* The wake-up: one byte comes over it whenever finished fetches begin to wait (wake.h). `hang_up`
 * ends it, so that its reader sees the end; take goes on working. */
VAULT_MUST_CHECK enum vault_status vault_port_listen(struct vault_port *port,
                                                     const char *const *folders, char *path);
VAULT_MUST_CHECK enum vault_status vault_port_accept(struct vault_port *port);
void vault_port_hang_up(struct vault_port *port);

/* Perform one fetch on the calling thread; blocks until it is done. `*made` goes to
 * vault_fetch_free. Opens nothing that outlives the call. */
VAULT_MUST_CHECK enum vault_status vault_engine_run(const struct vault_fetch_request *request,
                                                    const struct vault_engine_settings *settings,
                                                    struct vault_fetch **made,
                                                    struct vault_message *why);

#endif
