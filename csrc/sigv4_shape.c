/* sigv4_shape - what two requests have in common.
 *
 * For:   what sigv4_shape.h promises: every part with its length in front, so that no two different
 *        requests read the same.
 * Never: the body, the moment, signing.
 */
#include "sigv4_shape.h"

#include <string.h>

#define FIXED_PARTS 4

struct part {
    const char *bytes;
    size_t length;
};

static size_t count_parts(const struct vault_sigv4_request *request)
{
    return FIXED_PARTS + 2 * request->header_count;
}

static struct part part_at(const struct vault_sigv4_request *request, const struct part *token,
                           size_t at)
{
    const struct vault_sigv4_header *header;

    switch (at) {
    case 0:
        return *token;
    case 1:
        return (struct part){request->method, request->method_length};
    case 2:
        return (struct part){request->path, request->path_length};
    case 3:
        return (struct part){request->query, request->query_length};
    default:
        header = &request->headers[(at - FIXED_PARTS) / 2];
        return at % 2 ? (struct part){header->value, header->value_length}
                      : (struct part){header->name, header->name_length};
    }
}

enum vault_status vault_sigv4_shape_set(struct vault_buffer *shape,
                                        const struct vault_sigv4_request *request,
                                        const char *token, size_t token_length)
{
    const struct part token_part = {token, token_length};
    enum vault_status status = VAULT_OK;

    vault_buffer_clear(shape);
    for (size_t i = 0; i < count_parts(request) && status == VAULT_OK; i++) {
        struct part part = part_at(request, &token_part, i);

        status = vault_buffer_append(shape, &part.length, sizeof part.length);
        if (status == VAULT_OK)
            status = vault_buffer_append(shape, part.bytes, part.length);
    }
    if (status != VAULT_OK)
        vault_buffer_clear(shape);
    return status;
}

bool vault_sigv4_shape_is(const struct vault_buffer *shape,
                          const struct vault_sigv4_request *request, const char *token,
                          size_t token_length)
{
    const struct part token_part = {token, token_length};
    const char *at = shape->data;
    size_t left = shape->length;

    if (!left)
        return false;
    for (size_t i = 0; i < count_parts(request); i++) {
        struct part part = part_at(request, &token_part, i);
        size_t length;

        if (left < sizeof length)
            return false;
        memcpy(&length, at, sizeof length);
        at += sizeof length;
        left -= sizeof length;
        if (length != part.length || (length && memcmp(at, part.bytes, length) != 0))
            return false;
        at += length;
        left -= length;
    }
    return left == 0;
}
