/* sigv4 - AWS Signature Version 4, header form.
 *
 * For:   turning one request, one credential and one moment into the headers that sign it. Pure:
 *        same input, same bytes.
 *        (docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html)
 * Never: clock, environment, sockets, default regions. Callers bring all four.
 */
#ifndef VAULT_SIGV4_H
#define VAULT_SIGV4_H

#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

/* The algorithms, fetched once; the signing keys of the day and the last canonical request, wiped
 * when they leave. For one thread at a time. */
struct vault_signer;

VAULT_MUST_CHECK enum vault_status vault_signer_new(struct vault_signer **made);
void vault_signer_free(struct vault_signer *signer);

struct vault_sigv4_header {
    const char *name; /* any case */
    size_t name_length;
    const char *value;
    size_t value_length;
};

struct vault_sigv4_request {
    const char *method;
    size_t method_length;
    const char *path; /* as it goes on the wire, "/..."; "" reads as "/" */
    size_t path_length;
    const char *query; /* without '?', percent-encoded or not, '+' no space; "" for none */
    size_t query_length;
    const struct vault_sigv4_header *headers; /* to be signed; must hold Host */
    size_t header_count;
    const char *body; /* hashed, not kept */
    size_t body_length;
};

struct vault_sigv4_key {
    const char *access_key_id; /* NUL-ended, borrowed for the call */
    const char *secret_access_key;
    const char *session_token; /* NULL or "" for none; else signed as x-amz-security-token */
    const char *region;
    const char *service;
};

/* The stages, for core.sign and the published vectors; buffers the caller has initialised. */
struct vault_sigv4_stages {
    struct vault_buffer canonical_request;
    struct vault_buffer string_to_sign;
    struct vault_buffer signature;     /* 64 hex digits */
    struct vault_buffer authorization; /* the header's value */
};

/* Append "X-Amz-Date: ..", "X-Amz-Security-Token: .." (with a token) and "Authorization: .." lines,
 * each ending in \r\n, to `headers`.
 *
 * when     seconds since 1970, UTC; 0 .. 253402300799
 * headers  caller's; unchanged unless VAULT_OK is returned. May be where request->headers stand,
 *          which are read before it is
 * stages   NULL, or buffers to which each stage is appended
 *
 * x-amz-date and x-amz-security-token are signed with the request's headers; where the request
 * already has one of them it must say the same and is not added again. Headers that are changed on
 * the way (Connection, Expect, Transfer-Encoding, Upgrade, User-Agent, X-Amzn-Trace-Id,
 * Sec-WebSocket-*) are left out of the signature.
 *
 * VAULT_OK, VAULT_NO_MEMORY, VAULT_TOO_LARGE (a limit, or over 64 headers or query parameters),
 * VAULT_BAD_CONFIG (empty key, region or service, '/' in region or service, CR or LF in one of
 * them, CR, LF or NUL in a header, a method or a header's name that is not an HTTP token, a path
 * without its slash, no Host, an Authorization header, a time out of range), VAULT_INTERNAL
 * (OpenSSL failed). */
VAULT_MUST_CHECK enum vault_status vault_sigv4_sign(struct vault_signer *signer,
                                                    const struct vault_sigv4_request *request,
                                                    const struct vault_sigv4_key *key, int64_t when,
                                                    struct vault_buffer *headers,
                                                    struct vault_sigv4_stages *stages);

#endif
