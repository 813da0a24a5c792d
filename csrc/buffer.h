/* buffer - bounded bytes that wipe themselves, and the one allocator.
 *
 * For:   all memory of csrc. What is freed or outgrown is wiped first, so that no caller can
 *        forget, and none of it is in core files (arena). Test builds (VAULT_TEST_ALLOC) can make
 *        the Nth allocation fail.
 * Never: what the bytes mean.
 */
#ifndef VAULT_BUFFER_H
#define VAULT_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

/* `size` zeroed bytes, or NULL. Free with vault_free. Any thread. */
void *vault_alloc(size_t size) __attribute__((malloc, warn_unused_result));

/* Wipe and free what vault_alloc gave; NULL does nothing. Any thread. */
void vault_free(void *memory);

/* A NUL-ended copy of `length` bytes, or NULL. Free with vault_free. */
char *vault_copy(const char *bytes, size_t length) __attribute__((warn_unused_result));

/* Set `size` bytes to zero in a way no compiler may leave out, and the registers that may hold some
 * of them. */
void vault_wipe(void *memory, size_t size);

/* 1 where the `size` bytes are equal, else 0, in a time that does not depend on them. */
int vault_equal(const void *left, const void *right, size_t size);

struct vault_buffer {
    char *data;    /* NULL while nothing was ever appended; else data[length] is NUL */
    size_t length; /* bytes in use */
    size_t limit;  /* bytes it may ever hold */
    size_t room;   /* bytes allocated */
};

/* Give `buffer` its limit in bytes. Allocates nothing. */
void vault_buffer_init(struct vault_buffer *buffer, size_t limit);

/* Append; unchanged unless VAULT_OK. VAULT_NO_MEMORY, VAULT_TOO_LARGE (over the limit). */
VAULT_MUST_CHECK enum vault_status vault_buffer_append(struct vault_buffer *buffer,
                                                       const void *bytes, size_t length);

/* The same in front of what is there. */
VAULT_MUST_CHECK enum vault_status vault_buffer_prepend(struct vault_buffer *buffer,
                                                        const void *bytes, size_t length);

/* Append a NUL-ended string. */
VAULT_MUST_CHECK enum vault_status vault_buffer_text(struct vault_buffer *buffer, const char *text);

/* Make room for `length` further bytes and return where they go, or NULL with *status set. The
 * caller writes up to `length` bytes there and adds what it wrote to buffer->length, then sets
 * data[length] to NUL (room is kept for it). */
VAULT_MUST_CHECK char *vault_buffer_reserve(struct vault_buffer *buffer, size_t length,
                                            enum vault_status *status);

/* Wipe the bytes and keep the room: length becomes 0. */
void vault_buffer_clear(struct vault_buffer *buffer);

/* Wipe and free; the buffer is as after vault_buffer_init with the same limit. */
void vault_buffer_free(struct vault_buffer *buffer);

#ifdef VAULT_TEST_ALLOC
/* The `nth` allocation from now on fails, once (1 is the next; 0 switches it off). Returns how
 * many allocations there were since the last call. */
unsigned long vault_alloc_fail(unsigned long nth);
#endif

#endif
