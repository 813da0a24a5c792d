/* buffer - bounded bytes that wipe themselves, and the one allocator.
 *
 * For:   what buffer.h promises; the memory itself is arena's, which wipes it.
 * Never: realloc, which may leave a copy of a secret behind.
 */
#include "buffer.h"

#include <string.h>

#include <openssl/crypto.h>

#include "arena.h"
#include "registers.h"

#define BUFFER_FIRST_ROOM 256

#ifdef VAULT_TEST_ALLOC
#include <stdatomic.h>

static atomic_ulong calls;
static atomic_ulong failing;

unsigned long vault_alloc_fail(unsigned long nth)
{
    unsigned long made = atomic_exchange(&calls, 0);

    atomic_store(&failing, nth);
    return made;
}

static bool must_fail(void)
{
    unsigned long now = atomic_fetch_add(&calls, 1) + 1;

    return now == atomic_load(&failing);
}
#else
static bool must_fail(void)
{
    return false;
}
#endif

void *vault_alloc(size_t size)
{
    return must_fail() ? NULL : vault_arena_take(size);
}

void vault_free(void *memory)
{
    vault_arena_give(memory);
}

char *vault_copy(const char *bytes, size_t length)
{
    char *copy;

    if (length == SIZE_MAX)
        return NULL;
    copy = vault_alloc(length + 1);
    if (copy && length)
        memcpy(copy, bytes, length);
    vault_registers_clear();
    return copy;
}

void vault_wipe(void *memory, size_t size)
{
    if (memory)
        explicit_bzero(memory, size);
    vault_registers_clear();
}

int vault_equal(const void *left, const void *right, size_t size)
{
    return CRYPTO_memcmp(left, right, size) == 0;
}

void vault_buffer_init(struct vault_buffer *buffer, size_t limit)
{
    *buffer = (struct vault_buffer){.limit = limit};
}

static size_t room_for(const struct vault_buffer *buffer, size_t needed)
{
    size_t room = buffer->room ? buffer->room : BUFFER_FIRST_ROOM;

    while (room < needed)
        room = room > SIZE_MAX / 2 ? needed : room * 2;
    if (room > buffer->limit + 1)
        room = buffer->limit + 1;
    return room;
}

char *vault_buffer_reserve(struct vault_buffer *buffer, size_t length, enum vault_status *status)
{
    size_t room;
    char *data;

    *status = VAULT_TOO_LARGE;
    if (buffer->limit == SIZE_MAX || length > buffer->limit - buffer->length)
        return NULL;
    if (buffer->length + length + 1 > buffer->room) {
        room = room_for(buffer, buffer->length + length + 1);
        data = vault_alloc(room);
        if (!data) {
            *status = VAULT_NO_MEMORY;
            return NULL;
        }
        if (buffer->length)
            memcpy(data, buffer->data, buffer->length);
        vault_free(buffer->data);
        buffer->data = data;
        buffer->room = room;
    }
    *status = VAULT_OK;
    return buffer->data + buffer->length;
}

enum vault_status vault_buffer_append(struct vault_buffer *buffer, const void *bytes, size_t length)
{
    enum vault_status status;
    char *at = vault_buffer_reserve(buffer, length, &status);

    if (!at)
        return status;
    if (length)
        memcpy(at, bytes, length);
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
    return VAULT_OK;
}

enum vault_status vault_buffer_prepend(struct vault_buffer *buffer, const void *bytes,
                                       size_t length)
{
    enum vault_status status;

    if (!vault_buffer_reserve(buffer, length, &status))
        return status;
    if (length) {
        memmove(buffer->data + length, buffer->data, buffer->length);
        memcpy(buffer->data, bytes, length);
    }
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
    return VAULT_OK;
}

enum vault_status vault_buffer_text(struct vault_buffer *buffer, const char *text)
{
    return vault_buffer_append(buffer, text, strlen(text));
}

void vault_buffer_clear(struct vault_buffer *buffer)
{
    vault_wipe(buffer->data, buffer->length);
    buffer->length = 0;
}

void vault_buffer_free(struct vault_buffer *buffer)
{
    if (!buffer->data)
        return;
    vault_free(buffer->data);
    vault_buffer_init(buffer, buffer->limit);
}
