/* hash - a number for any bytes.
 *
 * For:   finding them again in a table of this process.
 * Never: anything that an attacker must not foresee, or that leaves the process (digest).
 */
#ifndef VAULT_HASH_H
#define VAULT_HASH_H

#include <stddef.h>
#include <stdint.h>

/* FNV-1a, 64 bits. Any thread. */
uint64_t vault_hash(const char *bytes, size_t size);

#endif
