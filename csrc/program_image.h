/* program_image - what a program is started from, all of it made before anybody forks.
 *
 * For:   words to arguments, the environment's copy to entries, the first word to a file that may
 *        be executed: between fork and exec no memory can be had.
 * Never: starting it; a shell, `~`, the working directory as a place for programs.
 */
#ifndef VAULT_PROGRAM_IMAGE_H
#define VAULT_PROGRAM_IMAGE_H

#include "buffer.h"
#include "environment.h"
#include "message.h"

struct vault_program_image {
    char *path;               /* of the file */
    char **arguments;         /* NULL-ended; they point into the words */
    char *const *environment; /* NULL-ended; the environment's own */
};

/* The outcome of the system's `error` where the file at `path` is to be executed: VAULT_NOT_FOUND
 * (no such file), VAULT_ACCESS_DENIED (it may not be), VAULT_TOO_LARGE (arguments and environment),
 * else VAULT_INTERNAL. `why` receives "cannot execute <path>: <reason>". */
VAULT_MUST_CHECK enum vault_status vault_program_image_unfit(const char *path, int error,
                                                             struct vault_message *why);

/* `words`, each ended by NUL, and `environment` are borrowed as long as the image is used.
 *
 * A first word without '/' is looked for in those folders of PATH that are absolute, as execvp does
 * it; /usr/local/bin, /usr/bin and /bin where PATH is not set.
 *
 * VAULT_OK; VAULT_NOT_FOUND (`why`: no word, no such program); of a file that is there, as
 * vault_program_image_unfit; VAULT_NO_MEMORY. `image` is unchanged unless VAULT_OK. */
VAULT_MUST_CHECK enum vault_status
vault_program_image_make(const struct vault_buffer *words,
                         const struct vault_environment *environment,
                         struct vault_program_image *image, struct vault_message *why);

/* Free what it holds; {0} afterwards. */
void vault_program_image_free(struct vault_program_image *image);

#endif
