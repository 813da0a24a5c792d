/* fuzz_base64 - vault_base64_decode.
 *
 * For:   what is taken is exactly what an encoder would have written; what is refused leaves no
 *        trace. The limit of the buffer comes from the first byte.
 * Never: speed.
 */
#include <stdlib.h>
#include <string.h>

#include "base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int held)
{
    if (!held)
        abort();
}

static char letter(unsigned value)
{
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[value & 63];
}

static void same_text(const unsigned char *bytes, size_t length, const char *text, size_t size)
{
    must(size == (length + 2) / 3 * 4);
    for (size_t i = 0; i < length; i += 3, text += 4) {
        size_t left = length - i;
        unsigned bits = (unsigned)bytes[i] << 16;

        bits |= left > 1 ? (unsigned)bytes[i + 1] << 8 : 0;
        bits |= left > 2 ? bytes[i + 2] : 0;
        must(text[0] == letter(bits >> 18) && text[1] == letter(bits >> 12));
        must(text[2] == (left > 1 ? letter(bits >> 6) : '='));
        must(text[3] == (left > 2 ? letter(bits) : '='));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t limit = size ? (size_t)data[0] * 4 : 0;
    const char *text = size ? (const char *)data + 1 : NULL;
    const size_t length = size ? size - 1 : 0;
    struct vault_buffer out;
    enum vault_status status;

    vault_buffer_init(&out, limit + 3);
    must(vault_buffer_text(&out, "old") == VAULT_OK);
    status = vault_base64_decode(text, length, &out);
    must(memcmp(out.data, "old", 3) == 0 && out.data[out.length] == '\0');
    if (status == VAULT_OK)
        same_text((const unsigned char *)out.data + 3, out.length - 3, text, length);
    else
        must((status == VAULT_BAD_BASE64 || status == VAULT_TOO_LARGE) && out.length == 3);
    must(status != VAULT_TOO_LARGE || length / 4 * 3 > limit);
    vault_buffer_free(&out);
    return 0;
}
