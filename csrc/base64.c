/* base64 - RFC 4648 section 4, strict.
 *
 * For:   what base64.h promises.
 * Never: URL-safe or lenient forms.
 */
#include "base64.h"

#define NOT_BASE64 64u

static unsigned value_of(char letter)
{
    if (letter >= 'A' && letter <= 'Z')
        return (unsigned)(letter - 'A');
    if (letter >= 'a' && letter <= 'z')
        return (unsigned)(letter - 'a') + 26;
    if (letter >= '0' && letter <= '9')
        return (unsigned)(letter - '0') + 52;
    if (letter == '+')
        return 62;
    return letter == '/' ? 63 : NOT_BASE64;
}

static size_t padding_of(const char *text, size_t length)
{
    if (!length || text[length - 1] != '=')
        return 0;
    return text[length - 2] == '=' ? 2 : 1;
}

/* Four letters, of which the last `padding` are not read, to 3 - padding bytes. 0: not base64. */
static int decode_group(const char *letters, size_t padding, char *bytes)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < 4; i++) {
        unsigned value = i < 4 - padding ? value_of(letters[i]) : 0;

        if (value == NOT_BASE64)
            return 0;
        bits = bits << 6 | value;
    }
    /* one text per value: the bits that padding leaves over must be zero */
    if (bits & ((1u << 8 * padding) - 1))
        return 0;
    for (size_t i = 0; i < 3 - padding; i++)
        bytes[i] = (char)(bits >> (16 - 8 * i) & 0xff);
    return 1;
}

enum vault_status vault_base64_decode(const char *text, size_t length, struct vault_buffer *out)
{
    size_t padding = 0, size = 0;
    enum vault_status status;
    char *bytes;

    if (length % 4)
        return VAULT_BAD_BASE64;
    if (length == 0)
        return VAULT_OK;
    padding = padding_of(text, length);
    size = length / 4 * 3 - padding;
    bytes = vault_buffer_reserve(out, size, &status);
    if (!bytes)
        return status;
    for (size_t at = 0; at < length; at += 4) {
        if (!decode_group(text + at, at + 4 == length ? padding : 0, bytes + at / 4 * 3)) {
            vault_wipe(bytes, size);
            bytes[0] = '\0';
            return VAULT_BAD_BASE64;
        }
    }
    out->length += size;
    out->data[out->length] = '\0';
    return VAULT_OK;
}
