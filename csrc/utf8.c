/* utf8 - one code point of UTF-8, read or written (RFC 3629).
 *
 * For:   the strict form, decided byte by byte: the table of RFC 3629 section 4.
 * Never: memory, JSON, what a code point means.
 */
#include "utf8.h"

#include <stdbool.h>

static bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xC0u) == 0x80u;
}

size_t vault_utf8_length(const char *at, const char *end)
{
    unsigned char lead = (unsigned char)at[0];
    size_t length = lead < 0x80u ? 1u : lead < 0xE0u ? 2u : lead < 0xF0u ? 3u : 4u;

    if (length == 1)
        return 1;
    if (lead < 0xC2u || lead > 0xF4u || (size_t)(end - at) < length)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if (!is_continuation(at[i]))
            return 0;
    }
    /* RFC 3629: overlong forms, surrogates and what is over U+10FFFF show in the second byte */
    unsigned char second = (unsigned char)at[1];
    if ((lead == 0xE0u && second < 0xA0u) || (lead == 0xEDu && second > 0x9Fu) ||
        (lead == 0xF0u && second < 0x90u) || (lead == 0xF4u && second > 0x8Fu))
        return 0;
    return length;
}

size_t vault_utf8_encode(uint32_t point, char bytes[4])
{
    if (point < 0x80u) {
        bytes[0] = (char)point;
        return 1;
    }
    if (point < 0x800u) {
        bytes[0] = (char)(0xC0u | (point >> 6));
        bytes[1] = (char)(0x80u | (point & 0x3Fu));
        return 2;
    }
    if (point < 0x10000u) {
        bytes[0] = (char)(0xE0u | (point >> 12));
        bytes[1] = (char)(0x80u | ((point >> 6) & 0x3Fu));
        bytes[2] = (char)(0x80u | (point & 0x3Fu));
        return 3;
    }
    bytes[0] = (char)(0xF0u | (point >> 18));
    bytes[1] = (char)(0x80u | ((point >> 12) & 0x3Fu));
    bytes[2] = (char)(0x80u | ((point >> 6) & 0x3Fu));
    bytes[3] = (char)(0x80u | (point & 0x3Fu));
    return 4;
}
