/* atomic_file - a small file, replaced whole.
 *
 * For:   a file that holds the old bytes or the new ones whenever the process or the machine stops,
 *        and that only its owner can read.
 * Never: what the bytes mean; who may write at the same time (the caller has a lock).
 */
#ifndef VAULT_ATOMIC_FILE_H
#define VAULT_ATOMIC_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "message.h"
#include "status.h"

/* Put `length` bytes in the place of the file at `path`, with mode 0600: into "<path>.new" first,
 * which is on the disk before it is renamed; the folder is on the disk before this returns.
 *
 * path  its folder is made, with mode 0700, where only the last part of it is missing. What stands
 *       there must be a regular file, and no symbolic link: that would be replaced itself
 * why   receives "cannot <do what> <path>: <reason>"; never a byte of the file
 *
 * VAULT_OK; the file is as it was after VAULT_NOT_FOUND (no folder to make it in),
 * VAULT_ACCESS_DENIED (a read-only disk included), VAULT_BAD_CONFIG (not a folder, not a regular
 * file, a symbolic link, a name that is none), VAULT_NO_MEMORY, VAULT_INTERNAL (disk full or
 * broken, or another process writes it). Only where the folder itself could not be brought to the
 * disk, which is VAULT_INTERNAL too, the file has the new bytes. Blocks for the disk. */
VAULT_MUST_CHECK enum vault_status vault_atomic_file_replace(const char *path, const char *bytes,
                                                             size_t length,
                                                             struct vault_message *why);

/* Whether this process may make files in the folder of `path`, or make that folder where only it is
 * missing: then a replacement is not denied. Nothing is changed. False without memory, too. */
bool vault_atomic_file_may(const char *path);

#endif
