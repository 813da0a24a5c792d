/* base64 - RFC 4648 section 4, strict.
 *
 * For:   SecretBinary, and SecretString under base64_decode. Padding is required, line breaks and
 *        non-zero trailing bits are not accepted.
 * Never: URL-safe or lenient forms.
 */
#ifndef VAULT_BASE64_H
#define VAULT_BASE64_H

#include "buffer.h"

/* Append the decoded bytes to `out`, which is unchanged unless VAULT_OK. VAULT_BAD_BASE64,
 * VAULT_NO_MEMORY, VAULT_TOO_LARGE. */
VAULT_MUST_CHECK enum vault_status vault_base64_decode(const char *text, size_t length,
                                                       struct vault_buffer *out);

#endif
