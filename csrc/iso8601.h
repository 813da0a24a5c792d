/* iso8601 - a moment as AWS and its tools write it.
 *
 * For:   "2026-11-22T15:00:00Z" to seconds since 1970.
 *        (RFC 3339, section 5.6)
 * Never: clock, the machine's time zone, the other forms of ISO 8601.
 */
#ifndef VAULT_ISO8601_H
#define VAULT_ISO8601_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

/* Read the whole of `text`: date and time of the years 1970 .. 9999 with a 'T' between, a fraction
 * of a second or none (it is dropped), then 'Z' or an offset (+hh:mm). No leap seconds: POSIX time
 * has none. `seconds` is 0 .. 253402300799, and unchanged where the answer is false: not of this
 * shape, no such day, or before 1970. */
VAULT_MUST_CHECK bool vault_iso8601_read(const char *text, size_t length, int64_t *seconds);

#endif
