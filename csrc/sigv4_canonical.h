/* sigv4_canonical - the canonical request of Signature Version 4.
 *
 * For:   one request as the text that both sides hash: path normalised and encoded, query sorted,
 *        headers lower-cased, merged, trimmed and sorted. What a header may hold is decided here.
 * Never: keys, hashing, the clock.
 */
#ifndef VAULT_SIGV4_CANONICAL_H
#define VAULT_SIGV4_CANONICAL_H

#include <stdbool.h>

#include "sigv4.h"
#include "sigv4_stamp.h"

struct vault_sigv4_canonical {
    /* in: borrowed for the call */
    const struct vault_sigv4_request *request;
    const char *stamp; /* VAULT_SIGV4_STAMP bytes */
    const char *token; /* session token, NULL for none */
    size_t token_length;
    const char *body_hash; /* 64 hex digits */

    /* out: slices borrowed from the buffer, and which of the two headers the request brought */
    char *text;
    size_t length;
    char *stamp_at; /* where in it the stamp is; NULL where the request brought the header */
    const char *signed_names; /* "host;x-amz-date" */
    size_t signed_length;
    bool has_date;
    bool has_token;
};

/* Whether no byte is white space or a control byte (a space or below). */
bool vault_sigv4_is_plain(const char *bytes, size_t length);

/* Write to `out`, which is emptied first and may hold further bytes beside the text.
 * VAULT_NO_MEMORY; VAULT_TOO_LARGE, VAULT_BAD_CONFIG for the reasons vault_sigv4_sign names. */
VAULT_MUST_CHECK enum vault_status vault_sigv4_canonicalise(struct vault_sigv4_canonical *canonical,
                                                            struct vault_buffer *out);

#endif
