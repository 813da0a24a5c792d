/* test_utf8 - every code point there and back; what is refused.
 *
 * For:   vault_utf8_length, vault_utf8_encode.
 * Never: JSON.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "utf8.h"

static size_t length_of(uint32_t point)
{
    return point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
}

static void test_every_code_point(void **state)
{
    (void)state;
    for (uint32_t point = 0; point <= 0x10FFFF; point++) {
        char bytes[4];
        int surrogate = point >= 0xD800 && point <= 0xDFFF;
        size_t length = vault_utf8_encode(point, bytes);

        if (length != length_of(point) ||
            vault_utf8_length(bytes, bytes + length) != (surrogate ? 0 : length))
            fail_msg("U+%04X", point);
        for (size_t cut = 1; cut < length; cut++) {
            if (vault_utf8_length(bytes, bytes + cut) != 0)
                fail_msg("U+%04X cut to %zu", point, cut);
        }
    }
}

/* A two-byte sequence is good for exactly the leads C2..DF and the continuations 80..BF. */
static void test_every_pair(void **state)
{
    (void)state;
    for (unsigned pair = 0x8000; pair <= 0xFFFF; pair++) {
        const char bytes[2] = {(char)(pair >> 8), (char)(pair & 0xFF)};
        unsigned lead = pair >> 8;
        unsigned second = pair & 0xFF;
        int good = lead >= 0xC2 && lead <= 0xDF && second >= 0x80 && second <= 0xBF;

        if (vault_utf8_length(bytes, bytes + 2) != (good ? 2u : 0u))
            fail_msg("%04X", pair);
    }
}

static void test_malformed(void **state)
{
    static const char *const rows[] = {
        "\xE0\x80\x80",     "\xE0\x9F\xBF",     "\xED\xA0\x80",     "\xED\xBF\xBF",
        "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80",
        "\xFF\xBF\xBF\xBF", "\xE2\x82\x28",     "\xF0\x9F\x98\x28", "\xF0\x28\x98\x80",
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (vault_utf8_length(rows[i], rows[i] + 4) != 0)
            fail_msg("row %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_every_pair),
        cmocka_unit_test(test_malformed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
