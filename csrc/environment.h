/* environment - the environment of the process, kept from before nginx empties it.
 *
 * For:   one copy of environ made when the module is first loaded, with a worker's own environ
 *        (`env NAME=value;`) laid over it at first use there. The only room that reads environ.
 * Never: what a variable means; defaults.
 */
#ifndef VAULT_ENVIRONMENT_H
#define VAULT_ENVIRONMENT_H

#include "status.h"

struct vault_environment; /* read-only once made: any thread may read it */

/* A copy of `entries` ("NAME=value", NULL-ended). On VAULT_OK *made is the caller's, to be given
 * to vault_environment_free. */
VAULT_MUST_CHECK enum vault_status vault_environment_new(const char *const *entries,
                                                         struct vault_environment **made);
void vault_environment_free(struct vault_environment *environment);

/* The value of `name`, which may be "", or NULL. Borrowed from `environment`. */
const char *vault_environment_get(const struct vault_environment *environment, const char *name);

/* The same where an empty value counts as not set, as AWS's tools have it: never "". */
const char *vault_environment_set(const struct vault_environment *environment, const char *name);

/* All of it, "NAME=value", NULL-ended, for a program that is started: never NULL. Borrowed from
 * `environment`. */
char *const *vault_environment_entries(const struct vault_environment *environment);

/* A copy of `environment` (NULL: of nothing) with `entries` in the place of those of the same
 * names, and without what is left that begins with `without` (NULL: nothing goes). As
 * vault_environment_new. */
VAULT_MUST_CHECK enum vault_status
vault_environment_change(const struct vault_environment *environment, const char *const *entries,
                         const char *without, struct vault_environment **made);

/* Copy the process's environ, once in its life, and keep the original out of core files; later
 * calls do nothing. Lua threads only. */
VAULT_MUST_CHECK enum vault_status vault_environment_capture(void);

/* The captured copy with this process's own environ over it; NULL before the capture or without
 * memory. Lua threads only; what it returns lives as long as the process. */
const struct vault_environment *vault_environment_process(void);

#endif
