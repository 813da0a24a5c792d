/* test_json_string - one string at a time: scanned, compared, unescaped, quoted.
 *
 * For:   every byte at every place of the eight-byte steps; quoting there and back; lost memory.
 * Never: case folders (test_json_extract).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "json_string.h"

#define LARGE 65536

/* What one byte in the middle of plain ASCII text is to the scanner. */
static enum vault_status status_of(unsigned char byte)
{
    if (byte == '"')
        return VAULT_OK;
    if (byte == '\\')
        return VAULT_JSON_ESCAPE; /* "\x" */
    if (byte < 0x20)
        return VAULT_JSON_SYNTAX;
    return byte >= 0x80 ? VAULT_JSON_UTF8 : VAULT_JSON_SYNTAX; /* plain: no closing quote comes */
}

static void check_byte_at(unsigned char byte, size_t place, size_t length)
{
    char text[40];
    const char *at = text;
    bool escaped = false;
    int plain = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';

    memset(text, 'x', sizeof text);
    text[place] = (char)byte;
    enum vault_status status = vault_json_scan_string(&at, text + length, &escaped);
    size_t stop = plain ? length : place;
    /* a backslash that is the last byte has nothing behind it, and is an escape all the same */
    if (status != status_of(byte) || at != text + stop || escaped != (byte == '\\'))
        fail_msg("byte %02X at %zu of %zu", byte, place, length);
}

static void test_every_byte_at_every_place(void **state)
{
    (void)state;
    for (size_t length = 1; length <= 34; length++) {
        for (size_t place = 0; place < length; place++) {
            for (unsigned byte = 0; byte < 256; byte++)
                check_byte_at((unsigned char)byte, place, length);
        }
    }
}

static void test_scan(void **state)
{
    static const struct {
        const char *text;
        enum vault_status status;
        size_t stop;
        bool escaped;
    } rows[] = {
        {"\"", VAULT_OK, 0, false},
        {"abc\"def", VAULT_OK, 3, false},
        {"a\\\"b\"", VAULT_OK, 4, true},
        {"\\u00e9\"", VAULT_OK, 6, true},
        {"\xe2\x82\xac\xc3\xa9\"", VAULT_OK, 5, false},
        {"", VAULT_JSON_SYNTAX, 0, false},
        {"\xe2\x82\xac", VAULT_JSON_SYNTAX, 3, false},
        {"\\n", VAULT_JSON_SYNTAX, 2, true},
        {"ab\\ud800\\u0041\"", VAULT_JSON_SURROGATE, 2, true},
        {"ab\\u12\"", VAULT_JSON_ESCAPE, 2, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *at = rows[i].text;
        bool escaped = false;

        assert_int_equal(vault_json_scan_string(&at, rows[i].text + strlen(rows[i].text), &escaped),
                         rows[i].status);
        assert_int_equal(at - rows[i].text, rows[i].stop);
        assert_int_equal(escaped, rows[i].escaped);
    }
}

static void test_same(void **state)
{
    static const struct {
        const char *text;
        const char *key;
        bool same;
    } rows[] = {
        {"", "", true},
        {"a", "a", true},
        {"a", "", false},
        {"", "a", false},
        {"\\u0061", "a", true},
        {"\\u0061", "\\u0061", false},
        {"\\u0061b", "ab", true},
        {"\\u0061b", "a", false},
        {"\\u0061", "ab", false},
        {"\\ud83d\\ude00", "\xf0\x9f\x98\x80", true},
        {"\\ud83d\\ude00", "\xf0\x9f\x98", false},
        {"\\/\\n", "/\n", true},
        {"\\q", "q", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool same =
            vault_json_same(rows[i].text, strlen(rows[i].text), rows[i].key, strlen(rows[i].key));

        if (same != rows[i].same)
            fail_msg("%s, %s", rows[i].text, rows[i].key);
    }
    assert_true(vault_json_same("\\u0000", 6, "\0", 1));
    assert_false(vault_json_same("\\u0000", 6, "", 0));
}

static void test_unescape(void **state)
{
    static const struct {
        const char *text;
        const char *bytes;
        size_t length;
    } rows[] = {
        {"", "", 0},
        {"plain", "plain", 5},
        {"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t", 8},
        {"a\\u0000b", "a\0b", 3},
        {"\\u007f\\u0080\\u07ff", "\x7f\xc2\x80\xdf\xbf", 5},
        {"\\u0800\\uFFFF", "\xe0\xa0\x80\xef\xbf\xbf", 6},
        {"\\ud800\\udc00\\udbff\\udfff", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8},
        {"\xc3\xa9\\u00e9", "\xc3\xa9\xc3\xa9", 4},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct vault_buffer out;

        vault_buffer_init(&out, rows[i].length);
        assert_int_equal(vault_json_unescape(rows[i].text, strlen(rows[i].text), &out), VAULT_OK);
        assert_int_equal(out.length, rows[i].length);
        assert_memory_equal(out.data, rows[i].bytes, rows[i].length);
        vault_buffer_free(&out);
        if (rows[i].length == 0)
            continue;
        vault_buffer_init(&out, rows[i].length - 1);
        assert_int_equal(vault_json_unescape(rows[i].text, strlen(rows[i].text), &out),
                         VAULT_TOO_LARGE);
        assert_null(out.data);
    }
}

static void test_unescape_of_what_was_never_checked(void **state)
{
    struct vault_buffer out;

    (void)state;
    vault_buffer_init(&out, LARGE);
    assert_int_equal(vault_json_unescape("ab\\", 3, &out), VAULT_JSON_ESCAPE);
    assert_int_equal(vault_json_unescape("\\ud800", 6, &out), VAULT_JSON_SURROGATE);
    assert_null(out.data);
}

static void test_quote(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *quoted;
    } rows[] = {
        {"", 0, "\"\""},
        {"plain /'<>&", 11, "\"plain /'<>&\""},
        {"\"\\", 2, "\"\\\"\\\\\""},
        {"\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\""},
        {"\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\x7f\""},
        {"\xc3\xa9\xf0\x9f\x98\x80", 6, "\"\xc3\xa9\xf0\x9f\x98\x80\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct vault_buffer out;

        vault_buffer_init(&out, strlen(rows[i].quoted));
        assert_int_equal(vault_json_quote(rows[i].bytes, rows[i].length, &out), VAULT_OK);
        assert_string_equal(out.data, rows[i].quoted);
        vault_buffer_free(&out);
        vault_buffer_init(&out, strlen(rows[i].quoted) - 1);
        assert_int_equal(vault_json_quote(rows[i].bytes, rows[i].length, &out), VAULT_TOO_LARGE);
        assert_null(out.data);
    }
}

static void test_quote_refuses_what_is_not_utf8(void **state)
{
    static const char *const rows[] = {"\xff", "a\xc3", "\xed\xa0\x80", "\xc0\x80"};
    struct vault_buffer out;

    (void)state;
    vault_buffer_init(&out, LARGE);
    assert_int_equal(vault_buffer_text(&out, "before"), VAULT_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(vault_json_quote(rows[i], strlen(rows[i]), &out), VAULT_JSON_UTF8);
    assert_string_equal(out.data, "before");
    vault_buffer_free(&out);
}

/* Each byte below 0x80 between two others: quoted, scanned, unescaped, the same. */
static void test_quote_there_and_back(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 0x80; byte++) {
        const char bytes[3] = {'<', (char)byte, '>'};
        struct vault_buffer quoted, back;
        bool escaped = false;

        vault_buffer_init(&quoted, LARGE);
        vault_buffer_init(&back, LARGE);
        assert_int_equal(vault_json_quote(bytes, 3, &quoted), VAULT_OK);
        const char *at = quoted.data + 1;
        assert_int_equal(vault_json_scan_string(&at, quoted.data + quoted.length, &escaped),
                         VAULT_OK);
        assert_ptr_equal(at, quoted.data + quoted.length - 1);
        assert_int_equal(vault_json_unescape(quoted.data + 1, quoted.length - 2, &back), VAULT_OK);
        assert_int_equal(back.length, 3);
        assert_memory_equal(back.data, bytes, 3);
        vault_buffer_free(&quoted);
        vault_buffer_free(&back);
    }
}

static void test_allocations(void **state)
{
    struct vault_buffer out;

    (void)state;
    vault_buffer_init(&out, LARGE);
    (void)vault_alloc_fail(1);
    assert_int_equal(vault_json_quote("a\n", 2, &out), VAULT_NO_MEMORY);
    assert_int_equal(vault_alloc_fail(1), 1);
    assert_int_equal(vault_json_unescape("a\\n", 3, &out), VAULT_NO_MEMORY);
    assert_int_equal(vault_alloc_fail(1), 1);
    assert_int_equal(vault_json_unescape("a", 1, &out), VAULT_NO_MEMORY);
    assert_int_equal(vault_alloc_fail(0), 1);
    assert_null(out.data);
    assert_int_equal(vault_json_quote("a\n", 2, &out), VAULT_OK);
    assert_int_equal(vault_alloc_fail(0), 1);
    vault_buffer_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte_at_every_place),
        cmocka_unit_test(test_scan),
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_unescape),
        cmocka_unit_test(test_unescape_of_what_was_never_checked),
        cmocka_unit_test(test_quote),
        cmocka_unit_test(test_quote_refuses_what_is_not_utf8),
        cmocka_unit_test(test_quote_there_and_back),
        cmocka_unit_test(test_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
