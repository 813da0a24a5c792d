/* sigv4_shape - what two requests have in common.
 *
 * For:   telling whether a request differs from the one before in its body and its moment alone, so
 *        that its canonical request need not be written again.
 * Never: the body, the moment, signing.
 */
#ifndef VAULT_SIGV4_SHAPE_H
#define VAULT_SIGV4_SHAPE_H

#include <stdbool.h>

#include "sigv4.h"

/* Put method, path, query, headers and the session token (NULL: none) into `shape`, in place of
 * what it held, which is wiped. VAULT_NO_MEMORY, VAULT_TOO_LARGE: `shape` is empty. */
VAULT_MUST_CHECK enum vault_status vault_sigv4_shape_set(struct vault_buffer *shape,
                                                         const struct vault_sigv4_request *request,
                                                         const char *token, size_t token_length);

/* Whether `shape` holds exactly these; an empty one holds none. */
bool vault_sigv4_shape_is(const struct vault_buffer *shape,
                          const struct vault_sigv4_request *request, const char *token,
                          size_t token_length);

#endif
