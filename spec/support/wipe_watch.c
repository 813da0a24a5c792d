/* wipe_watch - sees every block that reaches free(), and whether it was wiped.
 *
 * For:   spec/c/test_buffer.c, which builds it with csrc/buffer.c and -Wl,--wrap=free and without
 *        any sanitizer: those keep freed blocks for themselves. "plain" is the control.
 * Never: the contents of buffer.h's tests.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"

#define MARK 0xa5

static int freed, dirty;

void __real_free(void *memory);
void __wrap_free(void *memory);

/* The mark is in no allocator's own words. */
void __wrap_free(void *memory)
{
    const unsigned char *bytes = memory;
    size_t marks = 0;

    for (size_t i = 0; memory && i < malloc_usable_size(memory); i++)
        marks += bytes[i] == MARK;
    freed++;
    dirty += marks > 0;
    __real_free(memory);
}

static int expect(const char *what, int expected_freed)
{
    int wrong = freed != expected_freed || dirty != 0;

    if (wrong)
        fprintf(stderr, "%s: %d freed, %d of them not wiped\n", what, freed, dirty);
    freed = dirty = 0;
    return wrong;
}

static int watch_buffer(size_t size)
{
    struct vault_buffer buffer;
    char block[1000];
    int wrong = 0;

    memset(block, MARK, sizeof block);
    vault_buffer_init(&buffer, 100000);
    for (size_t i = 0; i < size; i++)
        wrong |= vault_buffer_append(&buffer, block, sizeof block) != VAULT_OK;
    wrong |= expect("growth", size > 8 ? 4 : 0);
    vault_buffer_free(&buffer);
    return wrong | expect("vault_buffer_free", 1);
}

/* Stores that no compiler may leave out before a free. */
static void fill(volatile unsigned char *memory, size_t size)
{
    for (size_t i = 0; i < size; i++)
        memory[i] = MARK;
}

static int watch_plain_free(void)
{
    unsigned char *memory = malloc(100);

    fill(memory, 100);
    free(memory);
    return expect("free", 1);
}

int main(int count, char **arguments)
{
    unsigned char *memory;
    int wrong = 0;

    if (count > 1 && strcmp(arguments[1], "plain") == 0)
        return watch_plain_free();
    memory = vault_alloc(1000);
    fill(memory, 1000);
    vault_free(memory);
    wrong |= expect("vault_free", 1);
    vault_free(vault_copy("\xa5\xa5", 2));
    wrong |= expect("vault_free of a copy", 1);
    wrong |= watch_buffer(1);
    wrong |= watch_buffer(16);
    return wrong;
}
