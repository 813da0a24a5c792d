/* process - which process this is, and whether another still lives.
 *
 * For:   locks that workers of one node hold: a number alone may be another's by now, a number and
 *        the moment it began may not.
 * Never: starting, ending or waiting for processes (program); locks.
 */
#ifndef VAULT_PROCESS_H
#define VAULT_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The number of this process, as getpid(2), but no system call each time. Any thread. */
pid_t vault_process_id(void);

/* When process `pid` began, in the system's ticks since it booted; 0 where that cannot be known (no
 * /proc, or no such process). Any thread. */
uint64_t vault_process_started(pid_t pid);

/* False where process `pid` is gone or only waits to be reaped, or where the one of that number
 * began at another moment than `started`; 0 for `started` leaves that open, and so does a system
 * that does not tell. Any thread. */
bool vault_process_alive(pid_t pid, uint64_t started);

/* Take the line of /proc/PID/stat apart: its state (field 3) and when it began (field 22). False,
 * and nothing changed, where the text is no such line. */
bool vault_process_read_stat(const char *text, size_t length, char *state, uint64_t *started);

#endif
