/* program_exec - this process becomes another program.
 *
 * For:   the command line, whose last act that is: words, an environment, execve.
 * Never: a shell, another process; what the environment holds.
 */
#ifndef VAULT_PROGRAM_EXEC_H
#define VAULT_PROGRAM_EXEC_H

#include "buffer.h"
#include "environment.h"
#include "message.h"

/* Become the program that the first of `words`, each ended by NUL, names, with all of them as its
 * arguments and `environment` as its own. It is found as vault_program_image_make finds it. It
 * keeps the descriptors that were there before us: all of ours are closed on exec.
 *
 * Returns only where that fails, with an outcome of vault_program_image_make. Where it does not,
 * the system clears this process's memory. */
VAULT_MUST_CHECK enum vault_status vault_program_exec(const struct vault_buffer *words,
                                                      const struct vault_environment *environment,
                                                      struct vault_message *why);

#endif
