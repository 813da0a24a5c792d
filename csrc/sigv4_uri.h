/* sigv4_uri - path and query as they are signed.
 *
 * For:   normalising and encoding a path, sorting and encoding a query; and what that shares with
 *        the headers: a writer over reserved room, and names with values in order.
 * Never: headers, keys, hashing.
 */
#ifndef VAULT_SIGV4_URI_H
#define VAULT_SIGV4_URI_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "status.h"

#define VAULT_SIGV4_HEADERS_MAX    64
#define VAULT_SIGV4_PARAMETERS_MAX 64
#define VAULT_SIGV4_FIELDS_MAX     (VAULT_SIGV4_HEADERS_MAX + 2) /* the signer's own two */

/* Room reserved beforehand, large enough for all that will be written. */
struct vault_sigv4_writer {
    char *at;
    const char *end;
    bool full; /* it was not: what did not fit is left out */
};

static inline void vault_sigv4_put(struct vault_sigv4_writer *to, const char *bytes, size_t length)
{
    if (length > (size_t)(to->end - to->at)) {
        to->full = true;
        return;
    }
    if (length)
        memcpy(to->at, bytes, length);
    to->at += length;
}

static inline void vault_sigv4_put_byte(struct vault_sigv4_writer *to, char byte)
{
    if (to->at < to->end)
        *to->at++ = byte;
    else
        to->full = true;
}

/* A query parameter, encoded, or a header, its name in lower case and its value trimmed. */
struct vault_sigv4_field {
    const char *name;
    size_t name_length;
    const char *value;
    size_t value_length;
    bool plain; /* of a header's value: neither white space nor control bytes */
};

struct vault_sigv4_fields {
    struct vault_sigv4_field all[VAULT_SIGV4_FIELDS_MAX]; /* as they came */
    const struct vault_sigv4_field *at[VAULT_SIGV4_FIELDS_MAX];
    size_t count;
};

/* As memcmp; a text sorts before its continuations. */
int vault_sigv4_compare(const char *left, size_t left_length, const char *right,
                        size_t right_length);

/* Take up the field that was filled in at all[count], in order of names; those of one name in order
 * of values where by_value, else in order of arrival. */
void vault_sigv4_insert(struct vault_sigv4_fields *fields, bool by_value);

/* Write `path`, which is "" or starts with '/': empty and "." segments dropped, ".." taken up,
 * every byte but A-Z a-z 0-9 - . _ ~ / as %XX. At most 3 * length + 1 bytes. */
void vault_sigv4_put_path(struct vault_sigv4_writer *to, const char *path, size_t length);

/* Take `query` apart into `fields`, decoded and encoded again; a '%' that starts no escape stands
 * for itself, '+' is no space. The encoded texts, at most 3 * length bytes, go to `to` and must
 * outlive `fields`. VAULT_TOO_LARGE: over VAULT_SIGV4_PARAMETERS_MAX. */
VAULT_MUST_CHECK enum vault_status vault_sigv4_read_query(struct vault_sigv4_fields *fields,
                                                          struct vault_sigv4_writer *to,
                                                          const char *query, size_t length);

/* Write "name=value" of each, '&' between. */
void vault_sigv4_put_query(struct vault_sigv4_writer *to, const struct vault_sigv4_fields *fields);

#endif
