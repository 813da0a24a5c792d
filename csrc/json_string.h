/* json_string - the strings of JSON text: checked, compared, unescaped, quoted.
 *
 * For:   RFC 8259 section 7 and strict UTF-8 (RFC 3629), one string at a time. The rules are in
 *        docs/json.md.
 * Never: objects, arrays, numbers; which member is wanted.
 */
#ifndef VAULT_JSON_STRING_H
#define VAULT_JSON_STRING_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

/* Check the string whose opening quote lies before *at, reading nothing from `end` on.
 *
 * at       VAULT_OK: moved to the closing quote; else to the byte at fault (of an escape, its
 *          backslash)
 * escaped  set to true where the string holds an escape, else unchanged
 *
 * VAULT_OK, VAULT_JSON_SYNTAX (control character, no closing quote), _ESCAPE, _SURROGATE, _UTF8. */
VAULT_MUST_CHECK enum vault_status vault_json_scan_string(const char **at, const char *end,
                                                          bool *escaped);

/* Whether a checked string slice stands for exactly the `key_length` bytes of `key`. */
bool vault_json_same(const char *text, size_t length, const char *key, size_t key_length);

/* Append the bytes that a checked string slice stands for (from vault_json_scan_string, or a member
 * of vault_json_members). VAULT_OK, VAULT_NO_MEMORY, VAULT_TOO_LARGE; a slice that was never
 * checked may give VAULT_JSON_ESCAPE or _SURROGATE. `out` is unchanged unless VAULT_OK. */
VAULT_MUST_CHECK enum vault_status vault_json_unescape(const char *text, size_t length,
                                                       struct vault_buffer *out);

/* Append `bytes` (must be UTF-8) as a JSON string with its quotes. VAULT_OK, VAULT_NO_MEMORY,
 * VAULT_TOO_LARGE, VAULT_JSON_UTF8. `out` is unchanged unless VAULT_OK. */
VAULT_MUST_CHECK enum vault_status vault_json_quote(const char *bytes, size_t length,
                                                    struct vault_buffer *out);

#endif
