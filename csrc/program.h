/* program - one program run for its output, beside everything else.
 *
 * For:   an exchange that names a program: started without a shell, its output collected, its end
 *        learned, all of it killed where it takes too long; only that end is waited for.
 * Never: what the output means, the clock (the loop's), curl, Lua.
 *
 * The program gets the words of exchange->program as its arguments, the environment of the
 * library's copy, /dev/null for its input, and no descriptor above 2. It leads a process group of
 * its own. A process of ours stands between (program_attendant): it waits for the program and tells
 * its exit status, because nginx reaps the children of a worker, whosever they are, before anybody
 * can ask; and it ends the program where this process ends first.
 */
#ifndef VAULT_PROGRAM_H
#define VAULT_PROGRAM_H

#include "environment.h"
#include "exchange.h"

#define VAULT_PROGRAM_ANSWER_MAX (64 * 1024)

struct vault_program;

/* Start exchange->program. A first word without '/' is looked for in the PATH of `environment`.
 * `exchange` is borrowed until vault_program_finish or vault_program_free.
 *
 * VAULT_OK, VAULT_NOT_FOUND (no such program, or it may not be executed; exchange->why says which),
 * VAULT_NO_MEMORY, VAULT_INTERNAL (no descriptors, no process). On failure nothing was started. */
VAULT_MUST_CHECK enum vault_status vault_program_new(struct vault_exchange *exchange,
                                                     const struct vault_environment *environment,
                                                     struct vault_program **made);

/* Readable (POLLIN) when vault_program_advance has something to do. */
int vault_program_fd(const struct vault_program *program);

/* Read what is there. True: it came to its end, or over its limit; call vault_program_finish. */
bool vault_program_advance(struct vault_program *program);

/* It is over: VAULT_OK where advance said so, else why it is ended (VAULT_TIMEOUT): then its
 * process group is killed. Writes outcome, status and why into the exchange, and frees the
 * program.
 *
 * why  for an exit status other than 0 the first line of its standard error that is not blank,
 *      escaped, at most 256 bytes; never its standard output
 *
 * What the program has left behind in the background lives on where the program ended by itself;
 * its output is not waited for.
 *
 * The outcome: VAULT_OK; what was given; VAULT_TOO_LARGE (its output); VAULT_INTERNAL (it could
 * not be executed after all, or whoever waited for it was killed); VAULT_NO_MEMORY. `answer` is
 * empty where it is not VAULT_OK. Waits for the process between, a matter of microseconds: 1 s at
 * most. */
void vault_program_finish(struct vault_program *program, enum vault_status status);

/* Kill its process group and forget it. */
void vault_program_free(struct vault_program *program);

#endif
