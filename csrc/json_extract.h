/* json_extract - members of one JSON object, found without building a tree.
 *
 * For:   strict RFC 8259 in one pass: the whole text is checked, the wanted members are returned as
 *        slices of it, and a string slice is unescaped into a buffer. The rules, one by one, are in
 *        docs/json.md.
 * Never: AWS words, clock, sockets; numbers are checked, never converted, except where asked.
 */
#ifndef VAULT_JSON_EXTRACT_H
#define VAULT_JSON_EXTRACT_H

#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "json_string.h" /* vault_json_unescape, vault_json_quote */

#define VAULT_JSON_DEPTH_MAX 64

enum vault_json_type {
    VAULT_JSON_ABSENT, /* the object has no such member */
    VAULT_JSON_STRING,
    VAULT_JSON_NUMBER,
    VAULT_JSON_TRUE,
    VAULT_JSON_FALSE,
    VAULT_JSON_NULL,
    VAULT_JSON_OBJECT,
    VAULT_JSON_ARRAY
};

struct vault_json_member {
    const char *key; /* wanted; raw bytes (UTF-8), compared with each key unescaped */
    size_t key_length;
    enum vault_json_type type; /* found */
    const char *text;          /* found: slice of the input; a string's lies between its quotes,
                                  escapes and all; an object's or array's includes its brackets */
    size_t length;
};

/* Find `count` members of the object that is `text`, and check every byte of it.
 *
 * offset  NULL, or receives the byte offset at which an error was found (of NOT_AN_OBJECT, where
 *         the value starts)
 *
 * VAULT_OK (members not in the object are VAULT_JSON_ABSENT), VAULT_NOT_AN_OBJECT (another JSON
 * value), VAULT_JSON_SYNTAX, _ESCAPE, _SURROGATE, _UTF8, _DEPTH (over VAULT_JSON_DEPTH_MAX),
 * _DUPLICATE (a wanted key twice), _TRAILING. Members are unspecified unless VAULT_OK. */
VAULT_MUST_CHECK enum vault_status vault_json_members(const char *text, size_t length,
                                                      struct vault_json_member *members,
                                                      size_t count, size_t *offset);

/* Append the string that is member `key` of the object `text` to `out`.
 *
 * type    NULL, or receives the member's type (VAULT_NOT_A_STRING says what it is instead)
 * offset  as above (NOT_A_STRING: where the value starts; unchanged by KEY_NOT_FOUND, NO_MEMORY and
 *         TOO_LARGE)
 *
 * All of the above, VAULT_KEY_NOT_FOUND, VAULT_NOT_A_STRING. `out` is unchanged unless VAULT_OK. */
VAULT_MUST_CHECK enum vault_status vault_json_extract(const char *text, size_t length,
                                                      const char *key, size_t key_length,
                                                      struct vault_buffer *out,
                                                      enum vault_json_type *type, size_t *offset);

/* The type of the value whose first byte is `byte`; VAULT_JSON_ABSENT where no value begins so. */
enum vault_json_type vault_json_type_of(int byte);

/* "a string", "a number", "true", ...: for messages. */
const char *vault_json_type_name(enum vault_json_type type);

#endif
