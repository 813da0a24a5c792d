/* header - one header line of an HTTP answer.
 *
 * For:   the value of a header, where a line is that header's. (RFC 9110, 5.1 and 5.5)
 * Never: which headers matter, whole answers.
 */
#ifndef VAULT_HEADER_H
#define VAULT_HEADER_H

#include <stddef.h>

/* Where `line`, of any bytes but NUL, is one of the header `name`, whatever their case: its value
 * without the white space around it goes to `to`, which has room for `size` bytes with the NUL
 * behind it. One that is too long is left out, and `to` stays. */
void vault_header_keep(const char *line, size_t length, const char *name, char *to, size_t size);

#endif
