/* utf8 - one code point of UTF-8, read or written (RFC 3629).
 *
 * For:   the strict form: nothing overlong, no surrogates, nothing over U+10FFFF.
 * Never: memory, JSON, what a code point means.
 */
#ifndef VAULT_UTF8_H
#define VAULT_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Length in bytes (1..4) of the sequence at `at`, which lies before `end`; 0: malformed. */
size_t vault_utf8_length(const char *at, const char *end);

/* Write `point` (a code point, not a surrogate) and return its length in bytes (1..4). */
size_t vault_utf8_encode(uint32_t point, char bytes[4]);

#endif
