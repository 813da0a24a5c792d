/* test_percent - which bytes of a text are encoded, and how.
 *
 * For:   what percent.h promises.
 * Never: what the text is.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "percent.h"

static void test_texts(void **state)
{
    static const struct {
        const char *text;
        size_t length;
        const char *encoded;
    } rows[] = {
        {"", 0, "a="},
        {"AZaz09-._~", 10, "a=AZaz09-._~"},
        {"a b+c", 5, "a=a%20b%2Bc"},
        {"&=/?#%", 6, "a=%26%3D%2F%3F%23%25"},
        {"\xc3\xbc\r\n", 4, "a=%C3%BC%0D%0A"},
        {"x\0\xff", 3, "a=x%00%FF"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vault_buffer into;

        vault_buffer_init(&into, 64);
        assert_int_equal(vault_buffer_text(&into, "a="), VAULT_OK);
        assert_int_equal(vault_percent_encode(&into, rows[i].text, rows[i].length), VAULT_OK);
        assert_string_equal(into.data, rows[i].encoded);
        assert_int_equal(into.length, strlen(rows[i].encoded));
        vault_buffer_free(&into);
    }
}

/* Every byte on its own: itself, or '%' and two digits. */
static void test_bytes(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        const char text = (char)byte;
        struct vault_buffer into;
        char wanted[8];
        int plain = byte && strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "0123456789-._~",
                                   byte) != NULL;

        snprintf(wanted, sizeof wanted, plain ? "%c" : "%%%02X", byte);
        vault_buffer_init(&into, 8);
        assert_int_equal(vault_percent_encode(&into, &text, 1), VAULT_OK);
        assert_string_equal(into.data, wanted);
        vault_buffer_free(&into);
    }
}

static void test_limit(void **state)
{
    struct vault_buffer into;

    (void)state;
    vault_buffer_init(&into, 4);
    assert_int_equal(vault_buffer_text(&into, "a"), VAULT_OK);
    assert_int_equal(vault_percent_encode(&into, "/x", 2), VAULT_TOO_LARGE);
    assert_string_equal(into.data, "a");
    assert_int_equal(vault_percent_encode(&into, "/", 1), VAULT_OK);
    assert_string_equal(into.data, "a%2F");
    vault_buffer_free(&into);
}

static void test_no_memory(void **state)
{
    struct vault_buffer into;

    (void)state;
    vault_buffer_init(&into, 8);
    vault_alloc_fail(1);
    assert_int_equal(vault_percent_encode(&into, "/", 1), VAULT_NO_MEMORY);
    assert_int_equal(vault_alloc_fail(0), 1);
    assert_int_equal(into.length, 0);
    vault_buffer_free(&into);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
