/* wake - a Unix socket over which one thread wakes a reader in the same process.
 *
 * For:   making a socket that nginx's cosocket can connect to and that no one else can: in a
 *        private folder, opened, removed at once, reached as /proc/self/fd/N.
 * Never: what the reader does when woken; locks.
 */
#ifndef VAULT_WAKE_H
#define VAULT_WAKE_H

#include <stddef.h>

#include "status.h"

#define VAULT_WAKE_PATH_MAX 32

struct vault_wake {
    int listener; /* -1: none */
    int door;     /* O_PATH descriptor of the socket's inode; -1: none */
    int stream;   /* the accepted connection; -1: none */
};

void vault_wake_init(struct vault_wake *wake);

/* Make the socket under the first of `folders` (NULL-ended) where that works, and write
 * "/proc/self/fd/N" to `path`, of VAULT_WAKE_PATH_MAX bytes. VAULT_OK; VAULT_BAD_CONFIG: no folder
 * will do, or there is no /proc. */
VAULT_MUST_CHECK enum vault_status vault_wake_listen(struct vault_wake *wake,
                                                     const char *const *folders, char *path);

/* Take the connection that this process just made, and close the way in. VAULT_OK, VAULT_INTERNAL.
 */
VAULT_MUST_CHECK enum vault_status vault_wake_accept(struct vault_wake *wake);

/* Send one byte to the reader, if there is one. Never blocks. */
void vault_wake_ring(const struct vault_wake *wake);

/* Close all of it: the reader sees the end. */
void vault_wake_close(struct vault_wake *wake);

#endif
