/* port - one Lua VM's mouth to the engine.
 *
 * For:   the finished fetches of a VM until it takes them, its wake-up, its numbers; what becomes
 *        of a port that fork brought.
 * Never: lua_State, the engine's thread (io_thread), curl.
 *
 * A port belongs to its VM's thread, but for vault_port_deliver, which is for the engine's. It
 * outlives its VM for as long as fetches of its are under way. In a forked child an inherited port
 * begins anew, without fetches and without a wake-up.
 */
#ifndef VAULT_PORT_H
#define VAULT_PORT_H

#include <sys/types.h>

#include "queue.h"
#include "wake.h"

struct vault_port;

/* For whoever drives fetches (io_thread): ----------------------------------------------------- */

VAULT_MUST_CHECK enum vault_status vault_port_make(struct vault_port **made);

/* Make `port` this process's, whose number is returned. */
pid_t vault_port_adopt(struct vault_port *port);

/* A fetch of `port`, adopted, is about to be under way: its number. */
uint64_t vault_port_expect(struct vault_port *port);

/* Give `jobs` to the port of the first of them, up to the first of another port, which is returned.
 * They come as one: a wake-up costs both sides more than the rest of it. */
struct vault_job *vault_port_deliver(struct vault_job *jobs, size_t *count);

/* Nobody takes any more, and nobody is woken. */
void vault_port_end(struct vault_port *port);

/* The VM's hold is gone: frees the port now, or when the last of its fetches is delivered. */
void vault_port_let_go(struct vault_port *port);

/* For the VM: --------------------------------------------------------------------------------- */

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

#endif
