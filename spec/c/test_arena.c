/* test_arena - memory that stays out of core files.
 *
 * For:   the arena itself, which the other test programs do without: sizes, wiping, what serves
 *        again, what Linux says of its pages, threads.
 * Never: who asks for memory.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "child.h"

#define VAULT_ARENA_REAL
#include "arena.c"

static const char zeros[4096];

static int is_zero(const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return 0;
    return 1;
}

/* Whether the mapping around `address` is kept out of core files; -1 where there is none. */
static int is_hidden(const void *address)
{
    FILE *file = fopen("/proc/self/smaps", "r");
    unsigned long start, end;
    char line[512];
    int inside = 0, hidden = -1;

    assert_non_null(file);
    while (hidden < 0 && fgets(line, sizeof line, file)) {
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
            inside = (uintptr_t)address >= start && (uintptr_t)address < end;
        else if (inside && strncmp(line, "VmFlags:", 8) == 0)
            hidden = strstr(line, " dd") != NULL;
    }
    fclose(file);
    return hidden;
}

/* Around each size of block, and beyond the largest. */
static void test_blocks_are_whole_zeroed_and_hidden(void **state)
{
    char *blocks[4 * SIZES];
    size_t sizes[4 * SIZES];
    size_t count = 0;

    (void)state;
    for (unsigned i = 0; i < SIZES; i++)
        for (size_t more = 0; more < 4; more++)
            sizes[count++] = ((size_t)SMALLEST << i) + LITTLE - 1 + more;
    for (size_t i = 0; i < count; i++) {
        blocks[i] = vault_arena_take(sizes[i]);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
        assert_true(is_zero(blocks[i], sizes[i]));
        assert_int_equal(is_hidden(blocks[i]), 1);
        assert_int_equal(is_hidden(blocks[i] + sizes[i] - 1), 1);
        memset(blocks[i], (int)i + 1, sizes[i]);
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t at = 0; at < sizes[i]; at++)
            assert_int_equal(blocks[i][at], (char)(i + 1));
        vault_arena_give(blocks[i]);
    }
    vault_arena_give(NULL);
}

static void test_nothing_is_a_block_too(void **state)
{
    char *first = vault_arena_take(0), *second = vault_arena_take(0);

    (void)state;
    assert_non_null(first);
    assert_ptr_not_equal(first, second);
    vault_arena_give(first);
    vault_arena_give(second);
}

static void test_what_is_given_back_is_wiped_and_serves_again(void **state)
{
    (void)state;
    for (size_t size = 1; size <= sizeof zeros; size = size * 2 + 1) {
        char *block = vault_arena_take(size), *again;

        memset(block, 0xa5, size);
        vault_arena_give(block);
        assert_memory_equal(block, zeros, size);
        again = vault_arena_take(size);
        assert_ptr_equal(again, block);
        assert_memory_equal(again, zeros, size);
        vault_arena_give(again);
    }
}

/* Wherever something was written to a large block. */
static void test_large_blocks_are_wiped_in_pieces(void **state)
{
    static const size_t sizes[] = {LARGE, LARGE + 1, LARGE + PIECE - 1, 16384, 16391};
    static char zeroed[16391];

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t at = 0; at < sizes[i]; at += 1 + at / 7) {
            char *block = vault_arena_take(sizes[i]);

            memset(block + at, 'x', sizes[i] - at < 100 ? sizes[i] - at : 100);
            block[sizes[i] - 1 - at] = 'x';
            vault_arena_give(block);
            assert_memory_equal(block, zeroed, sizes[i]);
        }
}

static void test_large_blocks_go_back_to_the_system(void **state)
{
    char *block = vault_arena_take(LARGEST + 1);

    (void)state;
    assert_int_equal(is_hidden(block), 1);
    block[LARGEST] = 'x';
    vault_arena_give(block);
    assert_int_equal(is_hidden(block), -1);
}

static void test_resize(void **state)
{
    char *block = vault_arena_resize(NULL, 3), *larger, *smaller;

    (void)state;
    memcpy(block, "abc", 3);
    larger = vault_arena_resize(block, 1000);
    assert_memory_equal(larger, "abc", 3);
    assert_true(is_zero(larger + 3, 997));
    assert_memory_equal(block, zeros, 3);
    assert_ptr_equal(vault_arena_resize(larger, 1010), larger); /* there is room in it */
    assert_memory_equal(larger, "abc", 3);
    assert_true(is_zero(larger + 3, 1007));
    smaller = vault_arena_resize(larger, 2);
    assert_memory_equal(smaller, "ab", 2);
    assert_true(is_zero(larger, 1000));
    assert_null(vault_arena_resize(smaller, SIZE_MAX));
    assert_memory_equal(smaller, "ab", 2);
    vault_arena_give(smaller);
}

/* Nothing of what is cut off stays behind. */
static void test_less_of_a_block(void **state)
{
    char *block = vault_arena_take(1000), *less;

    (void)state;
    memset(block, 0xa5, 1000);
    less = vault_arena_resize(block, 900);
    assert_non_null(less);
    assert_int_equal((unsigned char)less[899], 0xa5);
    vault_arena_give(less);
    assert_true(is_zero(block, 1000));
}

static void test_sizes_that_cannot_be(void **state)
{
    /* Unknown to the compiler, which would warn. */
    volatile size_t most = SIZE_MAX;

    (void)state;
    assert_null(vault_arena_take(most));
    assert_null(vault_arena_take(most - sizeof(struct block)));
    assert_null(vault_arena_take(most / 2));
}

/* The pages of others: a block of malloc's of some pages. */
static void test_hide(void **state)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = 256 * page;
    char *other = malloc(size);

    (void)state;
    assert_int_equal(is_hidden(other + size / 2), 0);
    vault_arena_hide(other + size / 2, 1);
    assert_int_equal(is_hidden(other + size / 2), 1);
    assert_int_equal(is_hidden(other + size / 2 + 2 * page), 0);
    vault_arena_hide(NULL, 0);
    free(other);
}

/* No new mapping can be had; what was given back can. */
static int without_memory(void *unused)
{
    struct rlimit none = {0, RLIM_INFINITY};
    char *kept = vault_arena_take(100), *left;
    int blocks = 0;

    (void)unused;
    CHECK(getrlimit(RLIMIT_AS, &none) == 0);
    none.rlim_cur = 0;
    CHECK(setrlimit(RLIMIT_AS, &none) == 0);
    CHECK(vault_arena_take(LARGEST + 1) == NULL);
    while ((left = vault_arena_take(LARGEST)))
        blocks++;
    CHECK(blocks <= 8); /* what is left, and what other tests gave back */
    memcpy(kept, "abc", 3);
    CHECK(vault_arena_resize(kept, LARGEST) == NULL);
    CHECK(memcmp(kept, "abc", 3) == 0);
    vault_arena_give(kept);
    CHECK(vault_arena_take(100) == kept);
    return 0;
}

static void *take_and_give(void *stop)
{
    while (!atomic_load((atomic_bool *)stop))
        vault_arena_give(vault_arena_take(100));
    return NULL;
}

/* Whatever the other threads were doing, a child has memory. */
static void test_a_child_made_by_fork_has_memory(void **state)
{
    atomic_bool stop = false;
    pthread_t threads[2];

    (void)state;
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, &stop), 0);
    for (int i = 0; i < 300; i++) {
        pid_t child = fork();
        int result = 0;

        assert_true(child >= 0);
        if (child == 0) {
            alarm(10);
            vault_arena_give(vault_arena_take(100));
            _exit(0);
        }
        assert_int_equal(waitpid(child, &result, 0), child);
        assert_int_equal(result, 0);
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void test_no_memory(void **state)
{
    (void)state;
    assert_int_equal(in_child(without_memory, NULL), 0);
}

#define ROUNDS 2000
#define HELD   16

static void *use(void *seed)
{
    unsigned char *held[HELD] = {0}, mark = (unsigned char)(uintptr_t)seed;
    size_t sizes[HELD] = {0}, wrong = 0;
    unsigned random = mark;

    if (mark % 2)
        vault_arena_stay();
    for (int i = 0; i < ROUNDS; i++) {
        size_t at;

        random = random * 1103515245 + 12345;
        at = random >> 8 & (HELD - 1);
        for (size_t byte = 0; held[at] && byte < sizes[at]; byte++)
            wrong += held[at][byte] != mark;
        vault_arena_give(held[at]);
        sizes[at] = random >> 16 & 1023;
        held[at] = vault_arena_take(sizes[at]);
        if (held[at])
            memset(held[at], mark, sizes[at]);
    }
    for (size_t i = 0; i < HELD; i++)
        vault_arena_give(held[i]);
    vault_arena_leave();
    return (void *)wrong;
}

static void test_threads_have_blocks_of_their_own(void **state)
{
    pthread_t threads[4];

    (void)state;
    for (uintptr_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use, (void *)(i + 1)), 0);
    for (size_t i = 0; i < 4; i++) {
        void *wrong;

        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
}

static unsigned count_of(const struct list *list)
{
    unsigned count = 0;

    for (const struct block *block = list->first; block; block = block->next)
        count++;
    assert_int_equal(count, list->count);
    return count;
}

/* What a thread that stays gives back is its own, within bounds; when it leaves, everybody's. */
static void test_a_thread_that_stays(void **state)
{
    enum { MANY = 200 };
    const unsigned index = index_of(1000);
    const unsigned most = OWN_BYTES / bytes_of(index);
    unsigned before = count_of(&shared[index]);
    char *held[MANY];

    (void)state;
    vault_arena_stay();
    for (size_t i = 0; i < MANY; i++) {
        held[i] = vault_arena_take(1000);
        memset(held[i], 0xa5, 1000);
    }
    assert_in_range(count_of(&own[index]), 0, REFILL);
    for (size_t i = 0; i < MANY; i++) {
        vault_arena_give(held[i]);
        assert_true(count_of(&own[index]) <= most);
    }
    assert_in_range(count_of(&own[index]), most / 2, most);
    for (size_t i = 0; i < MANY; i++) {
        held[i] = vault_arena_take(1000);
        assert_true(is_zero(held[i], 1000));
    }
    for (size_t i = 0; i < MANY; i++)
        vault_arena_give(held[i]);
    vault_arena_leave();
    assert_int_equal(count_of(&own[index]), 0);
    assert_true(count_of(&shared[index]) >= before + MANY - most);
    vault_arena_give(vault_arena_take(1000));
    assert_int_equal(count_of(&own[index]), 0);
}

/* Two of the largest are more than its bound of bytes. */
static void test_a_thread_that_stays_keeps_two_of_the_largest(void **state)
{
    char *held[3];

    (void)state;
    vault_arena_stay();
    for (size_t i = 0; i < 3; i++)
        held[i] = vault_arena_take(LARGEST);
    for (size_t i = 0; i < 3; i++)
        vault_arena_give(held[i]);
    assert_in_range(count_of(&own[SIZES - 1]), 1, 2);
    vault_arena_leave();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_are_whole_zeroed_and_hidden),
        cmocka_unit_test(test_nothing_is_a_block_too),
        cmocka_unit_test(test_what_is_given_back_is_wiped_and_serves_again),
        cmocka_unit_test(test_large_blocks_are_wiped_in_pieces),
        cmocka_unit_test(test_large_blocks_go_back_to_the_system),
        cmocka_unit_test(test_resize),
        cmocka_unit_test(test_less_of_a_block),
        cmocka_unit_test(test_sizes_that_cannot_be),
        cmocka_unit_test(test_hide),
        cmocka_unit_test(test_a_child_made_by_fork_has_memory),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_threads_have_blocks_of_their_own),
        cmocka_unit_test(test_a_thread_that_stays),
        cmocka_unit_test(test_a_thread_that_stays_keeps_two_of_the_largest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
