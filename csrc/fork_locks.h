/* fork_locks - locks that a child made by fork() finds free, and what they guard whole.
 *
 * For:   the process's own locks, which another thread may hold at the moment of a fork: Lua that
 *        forks by itself may allocate in the child, if only because garbage is collected.
 * Never: locks of an engine or a port, whose threads a child does not have: they adopt a child.
 */
#ifndef VAULT_FORK_LOCKS_H
#define VAULT_FORK_LOCKS_H

#include <pthread.h>

/* In the order in which they are taken: who holds one takes later ones only. */
enum vault_fork_lock {
    VAULT_FORK_REGION,
    VAULT_FORK_CREDENTIALS,
    VAULT_FORK_ARENA,
    VAULT_FORK_LOCKS /* how many */
};

/* From now on fork(2) takes `lock` first, and gives it back in parent and child. For a constructor:
 * no other thread may be there yet. */
void vault_fork_locks_add(enum vault_fork_lock which, pthread_mutex_t *lock);

#endif
