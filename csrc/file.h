/* file - a small file, read whole.
 *
 * For:   credential, configuration and token files: bounded, wiped, each outcome named.
 * Never: what the file means; where it lies by default.
 */
#ifndef VAULT_FILE_H
#define VAULT_FILE_H

#include "buffer.h"
#include "message.h"

/* Append the file at `path` to `out`, which is unchanged unless VAULT_OK.
 *
 * why  receives "cannot open <path>: <reason>"; never a byte of the file
 *
 * VAULT_OK, VAULT_NOT_FOUND (no such file), VAULT_ACCESS_DENIED, VAULT_TOO_LARGE (over out->limit),
 * VAULT_INTERNAL (the system has no descriptor or memory left for it), VAULT_BAD_CONFIG (not a
 * regular file, or another error of the system), VAULT_NO_MEMORY. Blocks for the disk; never for a
 * FIFO or a device. */
VAULT_MUST_CHECK enum vault_status vault_file_read(const char *path, struct vault_buffer *out,
                                                   struct vault_message *why);

/* 1 where this process may read the regular file at `path` now, found by opening it: what a mode or
 * an access list does not tell, a mount or a security module may. 0 for all else. */
int vault_file_readable(const char *path);

/* 1 where something stands at `path`; 0 where nothing does, and as well where this process may not
 * look into the folder. */
int vault_file_stands(const char *path);

#endif
