/* arena - memory that stays out of core files.
 *
 * For:   what arena.h promises. Blocks are of few sizes, cut from large mappings; those that were
 *        given back wait in a list for each size, wiped: the process's, under a lock, or that of a
 *        thread which stays.
 * Never: joining blocks.
 */
#include "arena.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fork_locks.h"
#include "registers.h"

#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED
#endif

/* VAULT_ARENA_REAL: the arena itself, for its own tests. */
#if !defined(VAULT_ARENA_REAL) && (defined(VAULT_TEST_ALLOC) || defined(IS_SANITIZED))
#define IS_PLAIN true
#else
#define IS_PLAIN false
#endif

/* What is in front of each block. */
struct block {
    _Alignas(max_align_t) size_t size; /* bytes that were asked for */
    struct block *next;                /* the next free one */
};

/* Sizes are powers of two and a little more: buffers' are powers of two, libcurl's one more. */
#define SMALLEST   32
#define SIZES      12
#define LITTLE     16
#define LARGEST    (((size_t)SMALLEST << (SIZES - 1)) + LITTLE)
#define SLAB_BYTES ((size_t)256 * 1024)

/* Blocks from this size on are wiped in pieces, where there is anything to wipe. */
#define LARGE 4096
#define PIECE 256

/* What a thread keeps of each size: so many bytes, but two blocks at least; and how many it takes
 * from the process's at once. */
#define OWN_BYTES ((size_t)64 * 1024)
#define OWN_LEAST 2
#define REFILL    16

struct list {
    struct block *first;
    unsigned count;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list shared[SIZES];
static char *slab; /* what is left of the newest */
static size_t slab_left;

static _Thread_local bool stays;
static _Thread_local struct list own[SIZES];

__attribute__((constructor)) static void outlive_forks(void)
{
    vault_fork_locks_add(VAULT_FORK_ARENA, &lock);
}

/* The smallest of the sizes that holds `size` bytes, up to LARGEST. */
static unsigned index_of(size_t size)
{
    if (size <= SMALLEST + LITTLE)
        return 0;
    return 59 - (unsigned)__builtin_clzll((unsigned long long)size - LITTLE - 1);
}

static size_t bytes_of(unsigned index)
{
    return sizeof(struct block) + ((size_t)SMALLEST << index) + LITTLE;
}

static void *map(size_t size)
{
    void *made = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (made == MAP_FAILED)
        return NULL;
    (void)madvise(made, size, MADV_DONTDUMP);
    return made;
}

/* A block that was never used. What is left of the slab before it is lost. */
static struct block *cut(size_t bytes)
{
    struct block *block;

    if (slab_left < bytes) {
        char *made = map(SLAB_BYTES);

        if (!made)
            return NULL;
        slab = made;
        slab_left = SLAB_BYTES;
    }
    block = (struct block *)(void *)slab;
    slab += bytes;
    slab_left -= bytes;
    return block;
}

static struct block *pop(struct list *list)
{
    struct block *block = list->first;

    if (block) {
        list->first = block->next;
        list->count--;
    }
    return block;
}

static void push(struct list *list, struct block *block)
{
    block->next = list->first;
    list->first = block;
    list->count++;
}

static void move(struct list *from, struct list *to, unsigned count)
{
    struct block *block;

    while (count-- > 0 && (block = pop(from)))
        push(to, block);
}

static struct block *take_shared(unsigned index)
{
    struct block *block;

    pthread_mutex_lock(&lock);
    block = pop(&shared[index]);
    if (!block)
        block = cut(bytes_of(index));
    if (block && stays)
        move(&shared[index], &own[index], REFILL);
    pthread_mutex_unlock(&lock);
    return block;
}

static struct block *take(size_t size)
{
    unsigned index = index_of(size);
    struct block *block;

    if (IS_PLAIN)
        return calloc(1, sizeof *block + size);
    if (size > LARGEST)
        return map(sizeof *block + size);
    block = stays ? pop(&own[index]) : NULL;
    return block ? block : take_shared(index);
}

static void give_shared(unsigned index, struct list *from, unsigned count)
{
    pthread_mutex_lock(&lock);
    move(from, &shared[index], count);
    pthread_mutex_unlock(&lock);
}

static void give_own(unsigned index, struct block *block)
{
    size_t most = OWN_BYTES / bytes_of(index);

    push(&own[index], block);
    if (most < OWN_LEAST)
        most = OWN_LEAST;
    if (own[index].count > most)
        give_shared(index, &own[index], (unsigned)(most / 2));
}

static void give(struct block *block)
{
    unsigned index = index_of(block->size);

    if (IS_PLAIN) {
        free(block);
        return;
    }
    if (block->size > LARGEST) {
        (void)munmap(block, sizeof *block + block->size);
        return;
    }
    if (stays) {
        give_own(index, block);
        return;
    }
    pthread_mutex_lock(&lock);
    push(&shared[index], block);
    pthread_mutex_unlock(&lock);
}

void *vault_arena_take(size_t size)
{
    struct block *block;

    if (size > SIZE_MAX / 2)
        return NULL;
    block = take(size);
    if (!block)
        return NULL;
    block->size = size;
    return block + 1;
}

/* Of a large block often little was written to (libcurl takes 16 KB for each request): to read the
 * rest costs less than to write it. */
static void wipe(char *at, size_t size)
{
    static const char zeros[PIECE];

    if (size >= LARGE)
        for (; size >= PIECE; at += PIECE, size -= PIECE)
            if (memcmp(at, zeros, PIECE) != 0)
                explicit_bzero(at, PIECE);
    explicit_bzero(at, size);
}

void vault_arena_give(void *memory)
{
    struct block *block;

    if (!memory)
        return;
    block = (struct block *)memory - 1;
    wipe(memory, block->size);
    vault_registers_clear();
    give(block);
}

/* Bytes beyond those asked for are zero in every block. */
static bool has_room(struct block *block, size_t size)
{
    if (IS_PLAIN || size > LARGEST || block->size > LARGEST || size < block->size ||
        index_of(size) != index_of(block->size))
        return false;
    block->size = size;
    return true;
}

void *vault_arena_resize(void *memory, size_t size)
{
    void *made;

    if (memory && has_room((struct block *)memory - 1, size))
        return memory;
    made = vault_arena_take(size);
    if (made && memory) {
        size_t held = ((struct block *)memory - 1)->size;

        memcpy(made, memory, held < size ? held : size);
        vault_arena_give(memory);
    }
    return made;
}

void vault_arena_stay(void)
{
    stays = true;
}

void vault_arena_leave(void)
{
    stays = false;
    for (unsigned index = 0; index < SIZES; index++)
        give_shared(index, &own[index], own[index].count);
}

void vault_arena_hide(const void *bytes, size_t size)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = (uintptr_t)bytes & ~(page - 1);
    uintptr_t end = ((uintptr_t)bytes + size + page - 1) & ~(page - 1);

    /* Pages that are no mapping's, or are the system's own, stay as they are. */
    (void)madvise((void *)first, end - first, MADV_DONTDUMP);
}
