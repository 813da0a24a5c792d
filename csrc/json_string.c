/* json_string - the strings of JSON text: checked, compared, unescaped, quoted.
 *
 * For:   RFC 8259 section 7 and strict UTF-8 (RFC 3629), one string at a time, eight bytes at a
 *        step where nothing needs a closer look.
 * Never: objects, arrays, numbers; memory other than the output buffer.
 */
#include "json_string.h"

#include <stdint.h>
#include <string.h>

#include "utf8.h"

#define EACH_BYTE(byte) (0x0101010101010101u * (byte))

/* Bit 7 of each byte that a string's body cannot hold as it is, or that needs checking: control
 * character, quote, backslash, non-ASCII. Borrows can set bits above the first such byte, never
 * below it: the lowest bit is exact. */
static uint64_t special_bytes(uint64_t word)
{
    uint64_t control = word - EACH_BYTE(0x20u);
    uint64_t quote = (word ^ EACH_BYTE(0x22u)) - EACH_BYTE(1u);
    uint64_t backslash = (word ^ EACH_BYTE(0x5Cu)) - EACH_BYTE(1u);

    return (word | control | quote | backslash) & EACH_BYTE(0x80u);
}

static uint64_t load_little_endian(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static const char *skip_plain(const char *at, const char *end)
{
    while (end - at >= 8) {
        uint64_t special = special_bytes(load_little_endian(at));

        if (special != 0)
            return at + (__builtin_ctzll(special) >> 3);
        at += 8;
    }
    while (at < end && special_bytes(EACH_BYTE((uint64_t)(unsigned char)*at)) == 0)
        at++;
    return at;
}

static bool read_hex4(const char *at, const char *end, uint32_t *value)
{
    uint32_t sum = 0;

    if (end - at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        unsigned char byte = (unsigned char)at[i];
        unsigned char lower = (unsigned char)(byte | 0x20u);

        if (byte >= '0' && byte <= '9')
            sum = sum * 16u + (uint32_t)(byte - '0');
        else if (lower >= 'a' && lower <= 'f')
            sum = sum * 16u + (uint32_t)(lower - 'a') + 10u;
        else
            return false;
    }
    *value = sum;
    return true;
}

/* The second half of a surrogate pair, at *at. */
static enum vault_status read_low_surrogate(const char **at, const char *end, uint32_t *point)
{
    uint32_t low;

    if (end - *at < 2 || (*at)[0] != '\\' || (*at)[1] != 'u')
        return VAULT_JSON_SURROGATE;
    if (!read_hex4(*at + 2, end, &low))
        return VAULT_JSON_ESCAPE;
    if (low < 0xDC00u || low > 0xDFFFu)
        return VAULT_JSON_SURROGATE;
    *point = 0x10000u + ((*point - 0xD800u) << 10) + (low - 0xDC00u);
    *at += 6;
    return VAULT_OK;
}

/* *at is behind "\u". */
static enum vault_status read_code_unit(const char **at, const char *end, uint32_t *point)
{
    if (!read_hex4(*at, end, point))
        return VAULT_JSON_ESCAPE;
    *at += 4;
    if (*point < 0xD800u || *point > 0xDFFFu)
        return VAULT_OK;
    if (*point >= 0xDC00u)
        return VAULT_JSON_SURROGATE;
    return read_low_surrogate(at, end, point);
}

/* The byte that a two-byte escape stands for, or -1. */
static int short_escape(char letter)
{
    switch (letter) {
    case '"':
    case '\\':
    case '/':
        return letter;
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return -1;
    }
}

/* Read the escape whose backslash is at *at: moved behind it on VAULT_OK, else unchanged. */
static enum vault_status read_escape(const char **at, const char *end, uint32_t *point)
{
    const char *next = *at + 2;
    enum vault_status status = VAULT_OK;

    if (end - *at < 2)
        return VAULT_JSON_ESCAPE;
    if ((*at)[1] == 'u') {
        status = read_code_unit(&next, end, point);
    } else {
        int byte = short_escape((*at)[1]);

        if (byte < 0)
            return VAULT_JSON_ESCAPE;
        *point = (uint32_t)byte;
    }
    if (status == VAULT_OK)
        *at = next;
    return status;
}

/* Check what skip_plain stopped at: an escape, non-ASCII text or a control character. */
static enum vault_status scan_special(const char **at, const char *end, bool *escaped)
{
    uint32_t point;

    if (**at == '\\') {
        *escaped = true;
        return read_escape(at, end, &point);
    }
    if ((unsigned char)**at < 0x20u)
        return VAULT_JSON_SYNTAX;
    do {
        size_t length = vault_utf8_length(*at, end);

        if (length == 0)
            return VAULT_JSON_UTF8;
        *at += length;
    } while (*at < end && (unsigned char)**at >= 0x80u);
    return VAULT_OK;
}

enum vault_status vault_json_scan_string(const char **at, const char *end, bool *escaped)
{
    enum vault_status status = VAULT_OK;

    for (;;) {
        *at = skip_plain(*at, end);
        if (*at == end)
            return VAULT_JSON_SYNTAX;
        if (**at == '"')
            return VAULT_OK;
        status = scan_special(at, end, escaped);
        if (status != VAULT_OK)
            return status;
    }
}

bool vault_json_same(const char *text, size_t length, const char *key, size_t key_length)
{
    const char *end = text + length;
    size_t same = 0;

    while (text < end) {
        char bytes[4] = {*text};
        size_t size = 1;
        uint32_t point;

        if (*text != '\\')
            text++;
        else if (read_escape(&text, end, &point) == VAULT_OK)
            size = vault_utf8_encode(point, bytes);
        else
            return false;
        if (key_length - same < size || memcmp(key + same, bytes, size) != 0)
            return false;
        same += size;
    }
    return same == key_length;
}

/* The run of bytes before the next backslash. */
static size_t run_length(const char *text, const char *end)
{
    const char *backslash = memchr(text, '\\', (size_t)(end - text));

    return (size_t)((backslash != NULL ? backslash : end) - text);
}

static enum vault_status measure_unescaped(const char *text, const char *end, size_t *size)
{
    *size = 0;
    while (text < end) {
        size_t run = run_length(text, end);

        *size += run;
        text += run;
        if (text < end) {
            char bytes[4];
            uint32_t point;
            enum vault_status status = read_escape(&text, end, &point);

            if (status != VAULT_OK)
                return status;
            *size += vault_utf8_encode(point, bytes);
        }
    }
    return VAULT_OK;
}

static void write_unescaped(const char *text, const char *end, char *to)
{
    while (text < end) {
        size_t run = run_length(text, end);
        uint32_t point;

        memcpy(to, text, run);
        to += run;
        text += run;
        if (text == end || read_escape(&text, end, &point) != VAULT_OK)
            return;

        char bytes[4];
        size_t size = vault_utf8_encode(point, bytes);
        memcpy(to, bytes, size);
        to += size;
    }
}

enum vault_status vault_json_unescape(const char *text, size_t length, struct vault_buffer *out)
{
    const char *end = text + length;
    enum vault_status status = VAULT_OK;
    size_t size;

    if (length == 0 || run_length(text, end) == length)
        return vault_buffer_append(out, text, length);
    status = measure_unescaped(text, end, &size);
    if (status != VAULT_OK)
        return status;

    char *to = vault_buffer_reserve(out, size, &status);
    if (to == NULL)
        return status;
    write_unescaped(text, end, to);
    out->length += size;
    out->data[out->length] = '\0';
    return VAULT_OK;
}

/* The letter of a two-byte escape for `byte`, or 0. */
static char escape_letter(char byte)
{
    switch (byte) {
    case '"':
    case '\\':
        return byte;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return 0;
    }
}

static enum vault_status measure_quoted(const char *bytes, const char *end, size_t *size)
{
    *size = 2;
    while (bytes < end) {
        size_t length = vault_utf8_length(bytes, end);

        if (length == 0)
            return VAULT_JSON_UTF8;
        if (escape_letter(*bytes) != 0)
            *size += 2;
        else
            *size += (unsigned char)*bytes < 0x20u ? 6 : length;
        bytes += length;
    }
    return VAULT_OK;
}

static void write_quoted(const char *bytes, const char *end, char *to)
{
    static const char digits[] = "0123456789abcdef";

    *to++ = '"';
    for (; bytes < end; bytes++) {
        char letter = escape_letter(*bytes);

        if (letter != 0) {
            *to++ = '\\';
            *to++ = letter;
        } else if ((unsigned char)*bytes < 0x20u) {
            memcpy(to, "\\u00", 4);
            to[4] = digits[(unsigned char)*bytes >> 4];
            to[5] = digits[(unsigned char)*bytes & 0x0Fu];
            to += 6;
        } else {
            *to++ = *bytes;
        }
    }
    *to = '"';
}

enum vault_status vault_json_quote(const char *bytes, size_t length, struct vault_buffer *out)
{
    size_t size;
    enum vault_status status = measure_quoted(bytes, bytes + length, &size);

    if (status != VAULT_OK)
        return status;

    char *to = vault_buffer_reserve(out, size, &status);
    if (to == NULL)
        return status;
    write_quoted(bytes, bytes + length, to);
    out->length += size;
    out->data[out->length] = '\0';
    return VAULT_OK;
}
