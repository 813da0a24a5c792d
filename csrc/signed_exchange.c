/* signed_exchange - an exchange made ready for one service of AWS.
 *
 * For:   what signed_exchange.h promises.
 * Never: clock, sockets, what is asked.
 */
#include "signed_exchange.h"

#include <string.h>

#define HEADERS_MAX 16

/* In front, so that those behind it can go to libcurl in one piece (http_lines.c). */
static enum vault_status add_host(struct vault_buffer *headers, const struct vault_buffer *host)
{
    enum vault_status status = vault_buffer_prepend(headers, "\r\n", 2);

    if (status == VAULT_OK)
        status = vault_buffer_prepend(headers, host->data, host->length);
    if (status == VAULT_OK)
        status = vault_buffer_prepend(headers, "Host: ", 6);
    return status;
}

/* The header lines as slices; the number of them, or -1. */
static int headers_of(const struct vault_buffer *lines, struct vault_sigv4_header *headers)
{
    const char *at = lines->data, *end = lines->data + lines->length;
    int count = 0;

    while (at < end) {
        const char *stop = memchr(at, '\r', (size_t)(end - at));
        const char *colon = stop ? memchr(at, ':', (size_t)(stop - at)) : NULL;

        if (!colon || stop[1] != '\n' || count == HEADERS_MAX)
            return -1;
        headers[count].name = at;
        headers[count].name_length = (size_t)(colon - at);
        headers[count].value = colon + 1;
        headers[count++].value_length = (size_t)(stop - colon - 1);
        at = stop + 2;
    }
    return count;
}

enum vault_status vault_exchange_sign(struct vault_exchange *exchange,
                                      const struct vault_signing *signing, int64_t when)
{
    const struct vault_endpoint *endpoint = signing->endpoint;
    const struct vault_sigv4_key key = {
        .access_key_id = signing->credential->access_key_id,
        .secret_access_key = signing->credential->secret_access_key,
        .session_token = signing->credential->session_token,
        .region = signing->region,
        .service = signing->service,
    };
    struct vault_sigv4_header headers[HEADERS_MAX];
    struct vault_sigv4_request request = {
        .method = exchange->method,
        .method_length = strlen(exchange->method),
        .path = endpoint->path.data,
        .path_length = endpoint->path.length,
        .query = "",
        .headers = headers,
        .body = exchange->body.data,
        .body_length = exchange->body.length,
    };
    enum vault_status status;
    int count;

    vault_buffer_clear(&exchange->url);
    status = vault_buffer_append(&exchange->url, endpoint->url.data, endpoint->url.length);
    if (status == VAULT_OK)
        status = add_host(&exchange->headers, &endpoint->host);
    if (status != VAULT_OK)
        return status;
    count = headers_of(&exchange->headers, headers);
    if (count < 0)
        return VAULT_INTERNAL;
    request.header_count = (size_t)count;
    return vault_sigv4_sign(signing->signer, &request, &key, when, &exchange->headers, NULL);
}
