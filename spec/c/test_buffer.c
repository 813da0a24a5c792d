/* test_buffer - bounded bytes that wipe themselves, and the one allocator.
 *
 * For:   limits to the byte, growth, wiping (with support/wipe_watch.c, which sees what is freed),
 *        the switch that fails an allocation.
 * Never: what uses buffers.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "buffer.h"
#include "child.h"

static const char zeros[4096];

static void test_alloc_is_zeroed(void **state)
{
    (void)state;
    for (size_t size = 0; size <= sizeof zeros; size = size * 2 + 1) {
        char *memory = vault_alloc(size);

        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
        assert_memory_equal(memory, zeros, size);
        vault_free(memory);
    }
    vault_free(NULL);
}

static void test_alloc_refuses_what_overflows(void **state)
{
    /* Unknown to the compiler, which would warn. */
    volatile size_t most = SIZE_MAX;

    (void)state;
    assert_null(vault_alloc(most));
    assert_null(vault_alloc(most - 1));
    assert_null(vault_copy("", most));
}

static void test_copy(void **state)
{
    char *copy = vault_copy("abc\0def", 7);

    (void)state;
    assert_memory_equal(copy, "abc\0def", 8);
    vault_free(copy);
    copy = vault_copy("abcdef", 3);
    assert_string_equal(copy, "abc");
    vault_free(copy);
    copy = vault_copy(NULL, 0);
    assert_string_equal(copy, "");
    vault_free(copy);
}

static void test_wipe_and_equal(void **state)
{
    char bytes[8] = "abcdefg";

    (void)state;
    assert_int_equal(vault_equal("abc", "abd", 3), 0);
    assert_int_equal(vault_equal("abc", "abd", 2), 1);
    assert_int_equal(vault_equal("abc", "abc", 3), 1);
    assert_int_equal(vault_equal("a", "b", 0), 1);
    vault_wipe(bytes + 1, 5);
    assert_memory_equal(bytes, "a\0\0\0\0\0g", 8);
    vault_wipe(NULL, 5);
}

static void test_append(void **state)
{
    struct vault_buffer buffer;

    (void)state;
    vault_buffer_init(&buffer, 1000);
    assert_null(buffer.data);
    assert_int_equal(buffer.room, 0);
    assert_int_equal(vault_buffer_append(&buffer, "a\0b", 3), VAULT_OK);
    assert_int_equal(vault_buffer_text(&buffer, "cd"), VAULT_OK);
    assert_int_equal(buffer.length, 5);
    assert_memory_equal(buffer.data, "a\0bcd", 6);
    assert_int_equal(vault_buffer_append(&buffer, NULL, 0), VAULT_OK);
    assert_int_equal(buffer.length, 5);
    vault_buffer_clear(&buffer);
    assert_int_equal(buffer.length, 0);
    assert_memory_equal(buffer.data, zeros, 6);
    assert_int_equal(vault_buffer_text(&buffer, "x"), VAULT_OK);
    assert_string_equal(buffer.data, "x");
    vault_buffer_free(&buffer);
    assert_null(buffer.data);
    assert_int_equal(buffer.limit, 1000);
    vault_buffer_free(&buffer);
    vault_buffer_clear(&buffer);
}

static void test_prepend(void **state)
{
    struct vault_buffer buffer;
    char many[300];

    (void)state;
    memset(many, 'x', sizeof many);
    vault_buffer_init(&buffer, 305);
    assert_int_equal(vault_buffer_prepend(&buffer, NULL, 0), VAULT_OK);
    assert_string_equal(buffer.data, "");
    assert_int_equal(vault_buffer_prepend(&buffer, "cd", 2), VAULT_OK);
    assert_int_equal(vault_buffer_prepend(&buffer, "ab", 2), VAULT_OK);
    assert_int_equal(vault_buffer_prepend(&buffer, "", 0), VAULT_OK);
    assert_string_equal(buffer.data, "abcd");
    assert_int_equal(vault_buffer_prepend(&buffer, many, sizeof many), VAULT_OK); /* it moves */
    assert_int_equal(buffer.length, 304);
    assert_memory_equal(buffer.data, many, sizeof many);
    assert_string_equal(buffer.data + sizeof many, "abcd");
    assert_int_equal(vault_buffer_prepend(&buffer, "yz", 2), VAULT_TOO_LARGE);
    assert_int_equal(buffer.length, 304);
    vault_buffer_free(&buffer);
}

static void test_empty_text_ends_in_nul(void **state)
{
    struct vault_buffer buffer;

    (void)state;
    vault_buffer_init(&buffer, 0);
    assert_int_equal(vault_buffer_text(&buffer, ""), VAULT_OK);
    assert_string_equal(buffer.data, "");
    assert_int_equal(vault_buffer_text(&buffer, "x"), VAULT_TOO_LARGE);
    vault_buffer_free(&buffer);
}

/* Limits around the first room and its doubles. */
static void test_limit(void **state)
{
    static const size_t limits[] = {0, 1, 2, 254, 255, 256, 257, 511, 512, 513, 1023, 1024, 4000};
    static char bytes[4001];

    (void)state;
    memset(bytes, 'x', sizeof bytes);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct vault_buffer buffer;

        vault_buffer_init(&buffer, limits[i]);
        assert_int_equal(vault_buffer_append(&buffer, bytes, limits[i] + 1), VAULT_TOO_LARGE);
        assert_null(buffer.data);
        assert_int_equal(vault_buffer_append(&buffer, bytes, limits[i]), VAULT_OK);
        assert_int_equal(buffer.length, limits[i]);
        assert_true(buffer.room <= limits[i] + 1);
        assert_int_equal(buffer.data[limits[i]], '\0');
        assert_int_equal(vault_buffer_append(&buffer, bytes, 1), VAULT_TOO_LARGE);
        assert_int_equal(vault_buffer_append(&buffer, bytes, SIZE_MAX), VAULT_TOO_LARGE);
        assert_int_equal(buffer.length, limits[i]);
        vault_buffer_free(&buffer);
    }
}

static void test_limit_byte_by_byte(void **state)
{
    struct vault_buffer buffer;

    (void)state;
    vault_buffer_init(&buffer, 1000);
    for (size_t i = 0; i < 1000; i++) {
        char byte = (char)i;

        assert_int_equal(vault_buffer_append(&buffer, &byte, 1), VAULT_OK);
    }
    assert_int_equal(vault_buffer_append(&buffer, "x", 1), VAULT_TOO_LARGE);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(buffer.data[i], (char)i);
    assert_int_equal(buffer.data[1000], '\0');
    vault_buffer_free(&buffer);
}

static void test_limit_that_cannot_be(void **state)
{
    enum vault_status status = VAULT_OK;
    struct vault_buffer buffer;

    (void)state;
    vault_buffer_init(&buffer, SIZE_MAX);
    assert_int_equal(vault_buffer_append(&buffer, "x", 1), VAULT_TOO_LARGE);
    vault_buffer_init(&buffer, SIZE_MAX - 1);
    assert_null(vault_buffer_reserve(&buffer, SIZE_MAX - 1, &status));
    assert_int_equal(status, VAULT_NO_MEMORY);
    assert_null(buffer.data);
}

static void test_reserve(void **state)
{
    enum vault_status status = VAULT_INTERNAL;
    struct vault_buffer buffer;
    char *at;

    (void)state;
    vault_buffer_init(&buffer, 300);
    at = vault_buffer_reserve(&buffer, 300, &status);
    assert_non_null(at);
    assert_int_equal(status, VAULT_OK);
    assert_int_equal(buffer.length, 0);
    memcpy(at, "abc", 3);
    buffer.length = 3;
    buffer.data[3] = '\0';
    assert_ptr_equal(vault_buffer_reserve(&buffer, 297, &status), buffer.data + 3);
    assert_null(vault_buffer_reserve(&buffer, 298, &status));
    assert_int_equal(status, VAULT_TOO_LARGE);
    assert_string_equal(buffer.data, "abc");
    vault_buffer_free(&buffer);
}

/* Every block that reaches free() has been wiped: outgrown, freed, copied. */
static void test_what_is_freed_is_wiped(void **state)
{
    char folder[64];

    (void)state;
    make_folder(folder, sizeof folder);
    assert_int_equal(run_command("cc -std=c11 -D_GNU_SOURCE -DVAULT_TEST_ALLOC -O2 -Icsrc -pthread "
                                 "-Wl,--wrap=free -o %s/watch spec/support/wipe_watch.c "
                                 "csrc/buffer.c csrc/arena.c csrc/fork_locks.c "
                                 "csrc/registers.c -lcrypto",
                                 folder),
                     0);
    assert_int_equal(run_command("%s/watch plain 2>/dev/null", folder), 1);
    assert_int_equal(run_command("%s/watch", folder), 0);
    remove_folder(folder);
}

static void test_alloc_fail_counts(void **state)
{
    void *first, *second, *third;

    (void)state;
    (void)vault_alloc_fail(2);
    first = vault_alloc(1);
    second = vault_alloc(1);
    third = vault_alloc(1);
    assert_int_equal(vault_alloc_fail(0), 3);
    assert_non_null(first);
    assert_null(second);
    assert_non_null(third);
    vault_free(first);
    vault_free(third);
    assert_int_equal(vault_alloc_fail(0), 0);
}

static void test_no_memory(void **state)
{
    static char bytes[2000];
    struct vault_buffer buffer;

    (void)state;
    vault_buffer_init(&buffer, sizeof bytes);
    (void)vault_alloc_fail(1);
    assert_null(vault_copy("abc", 3));
    (void)vault_alloc_fail(1);
    assert_int_equal(vault_buffer_text(&buffer, "abc"), VAULT_NO_MEMORY);
    assert_null(buffer.data);
    (void)vault_alloc_fail(0);
    assert_int_equal(vault_buffer_text(&buffer, "abc"), VAULT_OK);
    (void)vault_alloc_fail(1);
    assert_int_equal(vault_buffer_append(&buffer, bytes, sizeof bytes - 3), VAULT_NO_MEMORY);
    assert_string_equal(buffer.data, "abc");
    assert_int_equal(buffer.length, 3);
    assert_int_equal(vault_buffer_append(&buffer, bytes, sizeof bytes - 3), VAULT_OK);
    (void)vault_alloc_fail(0);
    vault_buffer_free(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alloc_is_zeroed),
        cmocka_unit_test(test_alloc_refuses_what_overflows),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_wipe_and_equal),
        cmocka_unit_test(test_append),
        cmocka_unit_test(test_prepend),
        cmocka_unit_test(test_empty_text_ends_in_nul),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_limit_byte_by_byte),
        cmocka_unit_test(test_limit_that_cannot_be),
        cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_what_is_freed_is_wiped),
        cmocka_unit_test(test_alloc_fail_counts),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
