/* test_base64 - RFC 4648 strictly.
 *
 * For:   the RFC's vectors, every length against an encoder of the test's own, every wrong letter
 *        in every place, limits.
 * Never: lenient forms.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"

#define LONGEST 300

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The text lies in a block of its own, so that ASan sees a byte too many. */
static enum vault_status decode(const char *text, size_t length, struct vault_buffer *out)
{
    char *exact = malloc(length ? length : 1);
    enum vault_status status;

    assert_non_null(exact);
    memcpy(exact, text, length);
    status = vault_base64_decode(exact, length, out);
    free(exact);
    return status;
}

static size_t encode(const unsigned char *bytes, size_t length, char *text)
{
    size_t at = 0;

    for (size_t i = 0; i < length; i += 3) {
        unsigned left = (unsigned)(length - i);
        unsigned bits = (unsigned)bytes[i] << 16 | (left > 1 ? (unsigned)bytes[i + 1] << 8 : 0) |
                        (left > 2 ? bytes[i + 2] : 0);

        text[at++] = letters[bits >> 18 & 63];
        text[at++] = letters[bits >> 12 & 63];
        text[at++] = left > 1 ? letters[bits >> 6 & 63] : '=';
        text[at++] = left > 2 ? letters[bits & 63] : '=';
    }
    return at;
}

static void test_rfc_vectors(void **state)
{
    static const struct {
        const char *bytes;
        const char *text;
    } all[] = {{"", ""},
               {"f", "Zg=="},
               {"fo", "Zm8="},
               {"foo", "Zm9v"},
               {"foob", "Zm9vYg=="},
               {"fooba", "Zm9vYmE="},
               {"foobar", "Zm9vYmFy"}};
    struct vault_buffer out;

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        vault_buffer_init(&out, 100);
        assert_int_equal(vault_buffer_text(&out, "before"), VAULT_OK);
        assert_int_equal(decode(all[i].text, strlen(all[i].text), &out), VAULT_OK);
        assert_string_equal(out.data + 6, all[i].bytes);
        assert_int_equal(out.length, 6 + strlen(all[i].bytes));
        vault_buffer_free(&out);
    }
    vault_buffer_init(&out, 0);
    assert_int_equal(vault_base64_decode(NULL, 0, &out), VAULT_OK);
    vault_buffer_free(&out);
}

static void test_every_length(void **state)
{
    unsigned char bytes[LONGEST];
    char text[LONGEST * 2];

    (void)state;
    for (size_t i = 0; i < LONGEST; i++)
        bytes[i] = (unsigned char)(i * 167 + (i >> 3));
    for (size_t length = 0; length <= LONGEST; length++) {
        size_t size = encode(bytes, length, text);
        struct vault_buffer out;

        vault_buffer_init(&out, length);
        assert_int_equal(decode(text, size, &out), VAULT_OK);
        assert_int_equal(out.length, length);
        if (length)
            assert_memory_equal(out.data, bytes, length);
        /* one letter short or one too many is no whole group */
        for (size_t wrong = 1; wrong < 4 && wrong <= size; wrong++)
            assert_int_equal(decode(text, size - wrong, &out), VAULT_BAD_BASE64);
        assert_int_equal(out.length, length);
        vault_buffer_free(&out);
        vault_buffer_init(&out, length - 1);
        if (length)
            assert_int_equal(decode(text, size, &out), VAULT_TOO_LARGE);
        vault_buffer_free(&out);
    }
}

static void refuse(const char *text, size_t length)
{
    struct vault_buffer out;

    vault_buffer_init(&out, 100);
    assert_int_equal(vault_buffer_text(&out, "before"), VAULT_OK);
    if (decode(text, length, &out) != VAULT_BAD_BASE64)
        fail_msg("\"%.*s\" is taken", (int)length, text);
    assert_int_equal(out.length, 6);
    assert_string_equal(out.data, "before");
    vault_buffer_free(&out);
}

/* Every byte that is no letter, in every place of every group. */
static void test_wrong_letters(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        if (byte && strchr(letters, byte))
            continue;
        for (size_t at = 0; at < 12; at++) {
            char text[] = "QUFBQUFBQUFB";

            text[at] = (char)byte;
            if (byte == '=' && at == 11)
                continue; /* padding, and the bits before it decide: see below */
            refuse(text, 12);
        }
    }
}

static void test_strictness(void **state)
{
    static const char *const bad[] = {
        "=",        "==",     "===",   "====",         "A===",     "A=AA",      "=AAA",
        "AA=A",     "Zg=",    "Zg",    "Zg==Zg==",     "Zm8=Zm8=", "Zm9vZg==A", "Zm9v\n",
        "Zm9v\r\n", "Zm\n9v", " Zm9v", "Zm9 v   ",     "Zm-_",     "Zh==",      "Zn==",
        "Zv==",     "Zm9=",   "Zm+=",  "QUFBQUFBQUF=", "Zm9v====", "Zg== ",     "AA==AAAA"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refuse(bad[i], strlen(bad[i]));
    refuse("Zm9\0", 4);
    refuse("Zg=\0", 4);
}

/* One text per value: of the letters before the padding only those with no bits left over. */
static void test_left_over_bits(void **state)
{
    (void)state;
    for (size_t i = 0; i < 64; i++) {
        char one[] = {'A', letters[i], '=', '='}, two[] = {'A', 'A', letters[i], '='};
        struct vault_buffer out;

        vault_buffer_init(&out, 10);
        assert_int_equal(decode(one, 4, &out), i % 16 ? VAULT_BAD_BASE64 : VAULT_OK);
        assert_int_equal(decode(two, 4, &out), i % 4 ? VAULT_BAD_BASE64 : VAULT_OK);
        vault_buffer_free(&out);
    }
}

/* What was decoded before the bad letter does not stay behind. */
static void test_refused_bytes_are_wiped(void **state)
{
    struct vault_buffer out;

    (void)state;
    vault_buffer_init(&out, 100);
    assert_int_equal(vault_buffer_text(&out, "x"), VAULT_OK);
    assert_int_equal(decode("c2VjcmV0c2VjcmV0!AAA", 20, &out), VAULT_BAD_BASE64);
    for (size_t i = out.length; i < out.room; i++)
        assert_int_equal(out.data[i], 0);
    vault_buffer_free(&out);
}

static void test_decode_without_allocation(void **state)
{
    enum vault_status status;
    unsigned long nth = 0;

    (void)state;
    do {
        struct vault_buffer out;

        vault_buffer_init(&out, 100);
        vault_alloc_fail(++nth);
        status = vault_base64_decode("Zm9v", 4, &out);
        vault_alloc_fail(0);
        if (status != VAULT_OK) {
            assert_int_equal(status, VAULT_NO_MEMORY);
            assert_int_equal(out.length, 0);
            assert_null(out.data);
        }
        vault_buffer_free(&out);
    } while (status != VAULT_OK);
    assert_int_equal(nth, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc_vectors),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_wrong_letters),
        cmocka_unit_test(test_strictness),
        cmocka_unit_test(test_left_over_bits),
        cmocka_unit_test(test_refused_bytes_are_wiped),
        cmocka_unit_test(test_decode_without_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
