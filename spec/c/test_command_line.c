/* test_command_line - a command taken apart into words.
 *
 * For:   what command_line.h promises, one row each.
 * Never: running any.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "command_line.h"

#define OF(text) text, sizeof text /* words, each ended by NUL */

static void test_words(void **state)
{
    static const struct {
        const char *text, *words;
        size_t length;
    } rows[] = {
        {"one", OF("one")},
        {"one two", OF("one\0two")},
        {"  one \t two  ", OF("one\0two")},
        {"/usr/bin/x --profile y", OF("/usr/bin/x\0--profile\0y")},
        /* single quotes keep all */
        {"x 'a b'", OF("x\0a b")},
        {"x 'a\tb'", OF("x\0a\tb")},
        {"x 'a\\b' 'c\\'", OF("x\0a\\b\0c\\")},
        {"x '\"'", OF("x\0\"")},
        {"'/a folder/x' y", OF("/a folder/x\0y")},
        /* double quotes keep blanks and single quotes, and two escapes */
        {"x \"a b\"", OF("x\0a b")},
        {"x \"it's\"", OF("x\0it's")},
        {"x \"a\\\"b\\\\c\"", OF("x\0a\"b\\c")},
        {"x \"a\\nb\\$c\\'d\"", OF("x\0a\\nb\\$c\\'d")},
        {"x \"\\\\\"", OF("x\0\\")},
        /* a backslash keeps the next byte */
        {"x a\\ b", OF("x\0a b")},
        {"x \\\"a\\' \\\\", OF("x\0\"a'\0\\")},
        {"\\x\\\ty", OF("x\ty")},
        /* pieces stand together */
        {"x a\"b c\"d'e f'g\\ h", OF("x\0ab cde fg h")},
        {"x ''", OF("x\0")},
        {"x \"\" y", OF("x\0\0y")},
        {"x a''b", OF("x\0ab")},
        /* no shell, no home */
        {"x $HOME ~/y *.z a|b >c;d &e `f` $(g) #h",
         OF("x\0$HOME\0~/y\0*.z\0a|b\0>c;d\0&e\0`f`\0$(g)\0#h")},
        {"x \xc3\xa4\xff", OF("x\0\xc3\xa4\xff")},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vault_message why = {0};
        struct vault_buffer words;

        vault_buffer_init(&words, 1024);
        assert_int_equal(vault_command_line_split(rows[i].text, &words, &why), VAULT_OK);
        assert_int_equal(words.length, rows[i].length);
        assert_memory_equal(words.data, rows[i].words, rows[i].length);
        assert_int_equal(words.data[words.length], 0);
        assert_int_equal(why.length, 0);
        vault_buffer_free(&words);
    }
}

static void test_appends(void **state)
{
    struct vault_message why = {0};
    struct vault_buffer words;

    (void)state;
    vault_buffer_init(&words, 1024);
    assert_int_equal(vault_command_line_split("a b", &words, &why), VAULT_OK);
    assert_int_equal(vault_command_line_split("c 'd", &words, &why), VAULT_BAD_CONFIG);
    assert_int_equal(words.length, 4);
    assert_memory_equal(words.data, "a\0b\0", 5);
    assert_int_equal(vault_command_line_split("c", &words, &why), VAULT_OK);
    assert_int_equal(words.length, 6);
    assert_memory_equal(words.data, "a\0b\0c\0", 7);
    vault_buffer_free(&words);
}

static void test_refuses(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "there is no word"},
        {" \t ", "there is no word"},
        {"''", "the first word is empty"},
        {"\"\" x", "the first word is empty"},
        {"x 'CANARY", "no end of the quote at byte 3"},
        {"\"CANARY'", "no end of the quote at byte 1"},
        {"x \"CANARY\\\"", "no end of the quote at byte 3"},
        {"x '\\''", "no end of the quote at byte 6"},
        {"CANARY\\", "nothing follows the backslash at byte 7"},
        {"x\ny", "a control byte at byte 2"},
        {"x '\r'", "a control byte at byte 4"},
        {"x \"\x1b\"", "a control byte at byte 4"},
        {"\x7f", "a control byte at byte 1"},
        {"x \\\n", "a control byte at byte 4"},
        {"x \\\x7f", "a control byte at byte 4"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vault_message why = {0};
        struct vault_buffer words;

        vault_buffer_init(&words, 1024);
        assert_int_equal(vault_command_line_split(rows[i].text, &words, &why), VAULT_BAD_CONFIG);
        assert_string_equal(why.text, rows[i].says);
        assert_int_equal(words.length, 0);
        assert_string_equal(words.data, "");
        vault_buffer_free(&words);
    }
}

/* `count` words of one byte. */
static enum vault_status split_many(size_t count, struct vault_message *why)
{
    char text[2 * VAULT_COMMAND_WORDS_MAX + 8];
    struct vault_buffer words;
    enum vault_status status;

    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < count; i++)
        text[2 * i + 1] = ' ';
    text[2 * count] = '\0';
    vault_buffer_init(&words, sizeof text);
    status = vault_command_line_split(text, &words, why);
    assert_int_equal(words.length, status == VAULT_OK ? 2 * count : 0);
    vault_buffer_free(&words);
    return status;
}

static void test_limits(void **state)
{
    struct vault_message why = {0};
    struct vault_buffer words;

    (void)state;
    assert_int_equal(split_many(VAULT_COMMAND_WORDS_MAX, &why), VAULT_OK);
    assert_int_equal(split_many(VAULT_COMMAND_WORDS_MAX + 1, &why), VAULT_BAD_CONFIG);
    assert_string_equal(why.text, "more than 64 words");

    vault_buffer_init(&words, 4);
    assert_int_equal(vault_command_line_split("abc", &words, &why), VAULT_OK);
    vault_buffer_clear(&words);
    assert_int_equal(vault_command_line_split("abcd", &words, &why), VAULT_TOO_LARGE);
    assert_int_equal(words.length, 0);
    vault_buffer_free(&words);
}

static void test_no_memory(void **state)
{
    struct vault_message why = {0};
    struct vault_buffer words;
    enum vault_status status = VAULT_NO_MEMORY;
    unsigned long nth;

    (void)state;
    vault_buffer_init(&words, 1024);
    for (nth = 1; status == VAULT_NO_MEMORY; nth++) {
        assert_int_equal(words.length, 0);
        (void)vault_alloc_fail(nth);
        status = vault_command_line_split("a 'b c'", &words, &why);
    }
    (void)vault_alloc_fail(0);
    assert_int_equal(status, VAULT_OK);
    assert_true(nth > 2);
    assert_int_equal(words.length, 6);
    vault_buffer_free(&words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),     cmocka_unit_test(test_appends),
        cmocka_unit_test(test_refuses),   cmocka_unit_test(test_limits),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
