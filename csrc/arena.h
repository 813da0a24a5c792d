/* arena - memory that stays out of core files.
 *
 * For:   the blocks that buffer.c hands out, and those that libcurl asks for: secrets and
 *        credentials lie in them. What is given back is wiped, and serves again.
 * Never: what is in a block, failing on purpose (buffer.c); giving mappings back to the system, but
 *        for those of large blocks.
 *
 * All memory of one process is one arena, which any thread may use. A child after fork() may use it
 * where no other thread of its parent did at that moment.
 *
 * Where the system does not know how to leave memory out of core files (Linux does since 3.4), the
 * arena works all the same. Under a sanitizer, and in test builds (VAULT_TEST_ALLOC), each block is
 * one of malloc's, so that overflows and leaks are found.
 */
#ifndef VAULT_ARENA_H
#define VAULT_ARENA_H

#include <stddef.h>

/* `size` zeroed bytes, aligned for anything, or NULL. Free with vault_arena_give. */
void *vault_arena_take(size_t size) __attribute__((malloc, warn_unused_result));

/* Wipe and free what vault_arena_take gave; NULL does nothing. */
void vault_arena_give(void *memory);

/* As realloc: `memory` (NULL: nothing yet) with `size` bytes, new ones zeroed; where it moves, the
 * old place is wiped. NULL where there is no memory: the old block stands. */
void *vault_arena_resize(void *memory, size_t size) __attribute__((warn_unused_result));

/* From now on the calling thread keeps what it gives back for itself, within bounds, and needs no
 * lock to take it again; until it leaves, which it must before it ends. For a thread that takes and
 * gives much. */
void vault_arena_stay(void);
void vault_arena_leave(void);

/* Keep the pages on which these bytes lie, whoever's they are, out of core files. */
void vault_arena_hide(const void *bytes, size_t size);

#endif
