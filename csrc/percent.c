/* percent - text as it stands in a query or a form.
 *
 * For:   what percent.h promises.
 * Never: what the text is; it may be a token.
 */
#include "percent.h"

#include <stdbool.h>

/* (RFC 3986, section 2.3) */
static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

static size_t encoded_length(const char *value, size_t length)
{
    size_t sum = 0;

    for (size_t i = 0; i < length; i++)
        sum += is_unreserved(value[i]) ? 1 : 3;
    return sum;
}

/* Room is taken at once: growing by and by would leave more copies of a token to wipe. */
enum vault_status vault_percent_encode(struct vault_buffer *into, const char *value, size_t length)
{
    static const char digits[] = "0123456789ABCDEF";
    enum vault_status status;
    char *at = vault_buffer_reserve(into, encoded_length(value, length), &status);

    if (!at)
        return status;
    for (size_t i = 0; i < length; i++) {
        const unsigned byte = (unsigned char)value[i];

        if (is_unreserved(value[i])) {
            *at++ = value[i];
            continue;
        }
        *at++ = '%';
        *at++ = digits[byte >> 4];
        *at++ = digits[byte & 15];
    }
    *at = '\0';
    into->length = (size_t)(at - into->data);
    return VAULT_OK;
}
