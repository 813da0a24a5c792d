/* sigv4_uri - path and query as they are signed.
 *
 * For:   what sigv4_uri.h promises.
 * Never: headers, keys, hashing.
 */
#include "sigv4_uri.h"

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

static void put_encoded(struct vault_sigv4_writer *to, char c)
{
    static const char digits[] = "0123456789ABCDEF";
    const unsigned byte = (unsigned char)c;
    const char escape[3] = {'%', digits[byte >> 4], digits[byte & 15]};

    if (is_unreserved(c))
        vault_sigv4_put_byte(to, c);
    else
        vault_sigv4_put(to, escape, sizeof escape);
}

/* ---- path ---- */

static void drop_segment(struct vault_sigv4_writer *to, const char *start)
{
    while (to->at > start && *--to->at != '/')
        ;
}

void vault_sigv4_put_path(struct vault_sigv4_writer *to, const char *path, size_t length)
{
    const char *start = to->at, *stop;
    const char *at = length ? path : "", *end = at + length;

    for (; at < end; at = stop) {
        size_t size;

        at++; /* the slash */
        stop = memchr(at, '/', (size_t)(end - at));
        if (!stop)
            stop = end;
        size = (size_t)(stop - at);
        if (size == 0 || (size == 1 && at[0] == '.'))
            continue;
        if (size == 2 && at[0] == '.' && at[1] == '.') {
            drop_segment(to, start);
            continue;
        }
        vault_sigv4_put_byte(to, '/');
        while (at < stop)
            put_encoded(to, *at++);
    }
    if (to->at == start || end[-1] == '/')
        vault_sigv4_put_byte(to, '/');
}

/* ---- fields ---- */

int vault_sigv4_compare(const char *left, size_t left_length, const char *right,
                        size_t right_length)
{
    size_t least = left_length < right_length ? left_length : right_length;
    int order = least ? (unsigned char)*left - (unsigned char)*right : 0;

    if (least && order == 0)
        order = memcmp(left, right, least);

    return order ? order : (left_length > right_length) - (left_length < right_length);
}

static bool comes_after(const struct vault_sigv4_field *left, const struct vault_sigv4_field *right,
                        bool by_value)
{
    int order = vault_sigv4_compare(left->name, left->name_length, right->name, right->name_length);

    if (order == 0 && by_value)
        order =
            vault_sigv4_compare(left->value, left->value_length, right->value, right->value_length);
    return order > 0;
}

void vault_sigv4_insert(struct vault_sigv4_fields *fields, bool by_value)
{
    size_t at = fields->count++;
    const struct vault_sigv4_field *field = &fields->all[at];

    for (; at > 0 && comes_after(fields->at[at - 1], field, by_value); at--)
        fields->at[at] = fields->at[at - 1];
    fields->at[at] = field;
}

/* ---- query ---- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decode and encode, so that both spellings of a byte come out the same. */
static void put_recoded(struct vault_sigv4_writer *to, const char *at, const char *end)
{
    while (at < end) {
        if (*at == '%' && end - at > 2 && hex_value(at[1]) >= 0 && hex_value(at[2]) >= 0) {
            put_encoded(to, (char)(hex_value(at[1]) << 4 | hex_value(at[2])));
            at += 3;
        } else {
            put_encoded(to, *at++);
        }
    }
}

enum vault_status vault_sigv4_read_query(struct vault_sigv4_fields *fields,
                                         struct vault_sigv4_writer *to, const char *query,
                                         size_t length)
{
    const char *at = length ? query : "", *end = at + length, *stop, *equals;

    for (; at < end; at = stop < end ? stop + 1 : end) {
        struct vault_sigv4_field *field = &fields->all[fields->count];

        stop = memchr(at, '&', (size_t)(end - at));
        if (!stop)
            stop = end;
        if (stop == at)
            continue;
        if (fields->count == VAULT_SIGV4_PARAMETERS_MAX)
            return VAULT_TOO_LARGE;
        equals = memchr(at, '=', (size_t)(stop - at));
        field->name = to->at;
        put_recoded(to, at, equals ? equals : stop);
        field->name_length = (size_t)(to->at - field->name);
        field->value = to->at;
        if (equals)
            put_recoded(to, equals + 1, stop);
        field->value_length = (size_t)(to->at - field->value);
        vault_sigv4_insert(fields, true);
    }
    return VAULT_OK;
}

void vault_sigv4_put_query(struct vault_sigv4_writer *to, const struct vault_sigv4_fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (i)
            vault_sigv4_put_byte(to, '&');
        vault_sigv4_put(to, fields->at[i]->name, fields->at[i]->name_length);
        vault_sigv4_put_byte(to, '=');
        vault_sigv4_put(to, fields->at[i]->value, fields->at[i]->value_length);
    }
}
