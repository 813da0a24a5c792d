/* percent - text as it stands in a query or a form.
 *
 * For:   percent-encoding (RFC 3986, section 2.1).
 * Never: decoding, paths (sigv4_uri), what the text is.
 */
#ifndef VAULT_PERCENT_H
#define VAULT_PERCENT_H

#include "buffer.h"

/* Append `length` bytes of `value`, every byte but A-Z a-z 0-9 - . _ ~ as %XX. `into` is unchanged
 * unless VAULT_OK. VAULT_NO_MEMORY, VAULT_TOO_LARGE. */
VAULT_MUST_CHECK enum vault_status vault_percent_encode(struct vault_buffer *into,
                                                        const char *value, size_t length);

#endif
