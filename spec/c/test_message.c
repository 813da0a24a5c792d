/* test_message - one bounded line of text.
 *
 * For:   escaping of every byte, truncation to the byte.
 * Never: what messages say.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "message.h"

#define FULL (VAULT_MESSAGE_MAX - 1)

/* A message with guards on both sides, filled with `length` bytes. */
struct guarded {
    char before[16];
    struct vault_message message;
    char after[16];
};

static void fill(struct guarded *guarded, size_t length)
{
    memset(guarded, '#', sizeof *guarded);
    vault_message_clear(&guarded->message);
    assert_string_equal(guarded->message.text, "");
    for (size_t i = 0; i < length; i++)
        vault_message_add(&guarded->message, "%c", 'x');
    assert_int_equal(guarded->message.length, length);
}

static void check_guards(const struct guarded *guarded)
{
    for (size_t i = 0; i < sizeof guarded->before; i++) {
        assert_int_equal(guarded->before[i], '#');
        assert_int_equal(guarded->after[i], '#');
    }
    assert_true(guarded->message.length <= FULL);
    assert_int_equal(strlen(guarded->message.text), guarded->message.length);
}

static void test_add(void **state)
{
    struct vault_message message = {0};

    (void)state;
    vault_message_add(&message, "%s %d", "HTTP", 200);
    vault_message_add(&message, "%s", "");
    vault_message_add(&message, ": %zu%%", (size_t)7);
    assert_string_equal(message.text, "HTTP 200: 7%");
    assert_int_equal(message.length, 12);
    vault_message_clear(&message);
    assert_string_equal(message.text, "");
    assert_int_equal(message.length, 0);
}

static void test_quote_escapes_every_byte(void **state)
{
    (void)state;
    for (int i = 0; i < 256; i++) {
        struct vault_message message = {0};
        char byte = (char)i, wanted[8];

        if (i == '\\')
            snprintf(wanted, sizeof wanted, "\\\\");
        else if (i >= 0x20 && i <= 0x7e)
            snprintf(wanted, sizeof wanted, "%c", byte);
        else
            snprintf(wanted, sizeof wanted, "\\x%02X", (unsigned)i);
        vault_message_quote(&message, &byte, 1, 1);
        assert_string_equal(message.text, wanted);
    }
}

static void test_quote_counts_bytes_of_the_source(void **state)
{
    static const struct {
        const char *bytes;
        size_t length, most;
        const char *text;
    } rows[] = {
        {"abc", 3, 3, "abc"},
        {"abc", 3, 4, "abc"},
        {"abc", 3, 2, "ab..."},
        {"abc", 3, 0, "..."},
        {"", 0, 0, ""},
        {NULL, 0, 5, ""},
        {"a\0b", 3, 3, "a\\x00b"},
        {"\n\n\n", 3, 1, "\\x0A..."},
        {"%s%n", 4, 4, "%s%n"},
        {"\xc3\xa9", 2, 2, "\\xC3\\xA9"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vault_message message = {0};

        vault_message_quote(&message, rows[i].bytes, rows[i].length, rows[i].most);
        assert_string_equal(message.text, rows[i].text);
        assert_int_equal(message.length, strlen(rows[i].text));
    }
}

static void test_exact_fit(void **state)
{
    struct guarded guarded;

    (void)state;
    fill(&guarded, FULL - 3);
    vault_message_add(&guarded.message, "%s", "abc");
    check_guards(&guarded);
    assert_int_equal(guarded.message.length, FULL);
    assert_string_equal(guarded.message.text + FULL - 4, "xabc");
    vault_message_add(&guarded.message, "%s", "d");
    vault_message_quote(&guarded.message, "\n", 1, 1);
    check_guards(&guarded);
    assert_string_equal(guarded.message.text + FULL - 4, "xabc");
}

static void test_what_does_not_fit_is_cut_off(void **state)
{
    char long_text[VAULT_MESSAGE_MAX * 2];

    (void)state;
    memset(long_text, 'y', sizeof long_text);
    long_text[sizeof long_text - 1] = '\0';
    for (size_t left = 0; left < 8; left++) {
        struct guarded guarded;

        fill(&guarded, FULL - left);
        vault_message_add(&guarded.message, "%s", long_text);
        check_guards(&guarded);
        assert_int_equal(guarded.message.length, FULL);

        fill(&guarded, FULL - left);
        vault_message_quote(&guarded.message, "\x01\xff\n\\", 4, 3);
        check_guards(&guarded);
        assert_int_equal(guarded.message.length, FULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add),
        cmocka_unit_test(test_quote_escapes_every_byte),
        cmocka_unit_test(test_quote_counts_bytes_of_the_source),
        cmocka_unit_test(test_exact_fit),
        cmocka_unit_test(test_what_does_not_fit_is_cut_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
