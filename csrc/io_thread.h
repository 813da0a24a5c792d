/* io_thread - fetches performed: on one thread per process, or on the calling thread.
 *
 * For:   the thread that runs the loop of fetches; its start, after fork too, and end; what is
 *        submitted to it, what it delivers to the ports of Lua VMs.
 * Never: lua_State, curl, AWS words, what a fetch does next (fetch decides).
 *
 * All ports of a process are one thread's. The thread starts at the first submit in a process and
 * is stopped and joined when the last port of the process that started it is closed; in a forked
 * child nothing of it is touched.
 */
#ifndef VAULT_IO_THREAD_H
#define VAULT_IO_THREAD_H

#include "fetch.h"
#include "port.h"

#define VAULT_JOBS_MAX 4096 /* in flight per process; more is VAULT_TOO_LARGE */

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

/* Perform one fetch on the calling thread; blocks until it is done. `*made` goes to
 * vault_fetch_free. Opens nothing that outlives the call. */
VAULT_MUST_CHECK enum vault_status vault_engine_run(const struct vault_fetch_request *request,
                                                    const struct vault_engine_settings *settings,
                                                    struct vault_fetch **made,
                                                    struct vault_message *why);

#endif
