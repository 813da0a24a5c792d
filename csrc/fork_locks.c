/* fork_locks - locks that a child made by fork() finds free, and what they guard whole.
 *
 * For:   what fork_locks.h promises.
 * Never: what the locks guard.
 */
#include "fork_locks.h"

#include <stdbool.h>

static pthread_mutex_t *locks[VAULT_FORK_LOCKS];
static bool registered;

static void take_all(void)
{
    for (int i = 0; i < VAULT_FORK_LOCKS; i++)
        if (locks[i])
            pthread_mutex_lock(locks[i]);
}

static void give_all(void)
{
    for (int i = VAULT_FORK_LOCKS - 1; i >= 0; i--)
        if (locks[i])
            pthread_mutex_unlock(locks[i]);
}

void vault_fork_locks_add(enum vault_fork_lock which, pthread_mutex_t *lock)
{
    locks[which] = lock;
    /* Without memory for it a child may wait for ever, as it would without us. */
    if (!registered)
        registered = pthread_atfork(take_all, give_all, give_all) == 0;
}
