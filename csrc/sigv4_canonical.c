/* sigv4_canonical - the canonical request of Signature Version 4.
 *
 * For:   what sigv4_canonical.h promises. Room for the longest text is reserved at once, so that
 *        the writing itself cannot fail and moves no byte twice.
 * Never: keys, hashing, the clock.
 */
#include "sigv4_canonical.h"

#include <limits.h>
#include <string.h>

#include "sigv4_uri.h"

#define WORD     sizeof(uint64_t)
#define ONES     (UINT64_MAX / 255) /* 0x01 in each byte */
#define PART_MAX (64 * 1024)        /* path, query, all headers: each */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

#define NAME(text)                                                                                 \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

static bool named(const struct vault_sigv4_field *field, const char *name, size_t length)
{
    return field->name_length == length && memcmp(field->name, name, length) == 0;
}

enum meaning {
    ORDINARY,
    HOST,     /* must be there */
    UNSIGNED, /* proxies and clients change or add it on the way */
    REFUSED,  /* a second Authorization would contradict ours */
};

/* `text` is as long as the name or a prefix of it. */
static bool is(const struct vault_sigv4_field *field, const char *text)
{
    return memcmp(field->name, text, strlen(text)) == 0;
}

/* By length: almost every name is done with one jump. */
static enum meaning meaning_of(const struct vault_sigv4_field *field)
{
    switch (field->name_length) {
    case 4:
        return is(field, "host") ? HOST : ORDINARY;
    case 6:
        return is(field, "expect") ? UNSIGNED : ORDINARY;
    case 7:
        return is(field, "upgrade") ? UNSIGNED : ORDINARY;
    case 10:
        return is(field, "connection") || is(field, "user-agent") ? UNSIGNED : ORDINARY;
    case 13:
        return is(field, "authorization") ? REFUSED : ORDINARY;
    case 15:
        if (is(field, "x-amzn-trace-id"))
            return UNSIGNED;
        break;
    case 17:
        if (is(field, "transfer-encoding"))
            return UNSIGNED;
        break;
    default:
        break;
    }
    return field->name_length >= 14 && is(field, "sec-websocket-") ? UNSIGNED : ORDINARY;
}

/* The letter of an RFC 9110 token in lower case, or 0. */
static char lower_token(char c)
{
    static const char lower[UCHAR_MAX + 1] = {
        ['!'] = '!', ['#'] = '#', ['$'] = '$', ['%'] = '%', ['&'] = '&', ['\''] = '\'',
        ['*'] = '*', ['+'] = '+', ['-'] = '-', ['.'] = '.', ['^'] = '^', ['_'] = '_',
        ['`'] = '`', ['|'] = '|', ['~'] = '~', ['0'] = '0', ['1'] = '1', ['2'] = '2',
        ['3'] = '3', ['4'] = '4', ['5'] = '5', ['6'] = '6', ['7'] = '7', ['8'] = '8',
        ['9'] = '9', ['a'] = 'a', ['b'] = 'b', ['c'] = 'c', ['d'] = 'd', ['e'] = 'e',
        ['f'] = 'f', ['g'] = 'g', ['h'] = 'h', ['i'] = 'i', ['j'] = 'j', ['k'] = 'k',
        ['l'] = 'l', ['m'] = 'm', ['n'] = 'n', ['o'] = 'o', ['p'] = 'p', ['q'] = 'q',
        ['r'] = 'r', ['s'] = 's', ['t'] = 't', ['u'] = 'u', ['v'] = 'v', ['w'] = 'w',
        ['x'] = 'x', ['y'] = 'y', ['z'] = 'z', ['A'] = 'a', ['B'] = 'b', ['C'] = 'c',
        ['D'] = 'd', ['E'] = 'e', ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i',
        ['J'] = 'j', ['K'] = 'k', ['L'] = 'l', ['M'] = 'm', ['N'] = 'n', ['O'] = 'o',
        ['P'] = 'p', ['Q'] = 'q', ['R'] = 'r', ['S'] = 's', ['T'] = 't', ['U'] = 'u',
        ['V'] = 'v', ['W'] = 'w', ['X'] = 'x', ['Y'] = 'y', ['Z'] = 'z'};

    return lower[(unsigned char)c];
}

static bool put_lower(struct vault_sigv4_writer *to, const char *name, size_t length)
{
    char *at = to->at;

    vault_sigv4_put(to, name, length);
    if (to->full || !length)
        return false;
    for (size_t i = 0; i < length; i++) {
        at[i] = lower_token(name[i]);
        if (!at[i])
            return false;
    }
    return true;
}

/* The top bit of each byte of `word` that is a space or below is set; other bits mean nothing. */
static uint64_t low_bytes(const char *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof word);
    return (word - ONES * (' ' + 1)) & ~word;
}

/* Eight bytes at a time and four times over: a session token has a thousand and more. The last
 * eight may overlap those before. */
bool vault_sigv4_is_plain(const char *bytes, size_t length)
{
    size_t at = 0;
    uint64_t low = 0;

    if (length < WORD) {
        for (; at < length; at++) {
            if ((unsigned char)bytes[at] <= ' ')
                return false;
        }
        return true;
    }
    for (; length - at >= 4 * WORD; at += 4 * WORD)
        low |= low_bytes(bytes + at) | low_bytes(bytes + at + WORD) |
               low_bytes(bytes + at + 2 * WORD) | low_bytes(bytes + at + 3 * WORD);
    for (; length - at >= WORD; at += WORD)
        low |= low_bytes(bytes + at);
    low |= low_bytes(bytes + length - WORD);
    return !(low & ONES * 0x80);
}

static bool breaks_line(const char *bytes, size_t length)
{
    return memchr(bytes, '\r', length) || memchr(bytes, '\n', length) ||
           memchr(bytes, '\0', length);
}

static void trim(struct vault_sigv4_field *field)
{
    while (field->value_length && is_blank(field->value[0])) {
        field->value++;
        field->value_length--;
    }
    while (field->value_length && is_blank(field->value[field->value_length - 1]))
        field->value_length--;
}

/* Runs of blanks become one space. */
static void put_value(struct vault_sigv4_writer *to, const struct vault_sigv4_field *field)
{
    if (field->plain) {
        vault_sigv4_put(to, field->value, field->value_length);
        return;
    }
    for (size_t i = 0; i < field->value_length; i++) {
        if (!is_blank(field->value[i]))
            vault_sigv4_put_byte(to, field->value[i]);
        else if (!is_blank(field->value[i - 1])) /* trimmed: the first byte is none */
            vault_sigv4_put_byte(to, ' ');
    }
}

/* Trim the value; false: it breaks the line. */
static bool read_value(struct vault_sigv4_field *field)
{
    trim(field);
    field->plain = vault_sigv4_is_plain(field->value, field->value_length);
    return field->plain || !breaks_line(field->value, field->value_length);
}

static enum vault_status add_header(struct vault_sigv4_fields *fields,
                                    struct vault_sigv4_writer *names,
                                    const struct vault_sigv4_header *header, bool *has_host)
{
    struct vault_sigv4_field *field = &fields->all[fields->count];

    field->name = names->at;
    field->name_length = header->name_length;
    field->value = header->value;
    field->value_length = header->value_length;
    if (!put_lower(names, header->name, header->name_length) || !read_value(field))
        return VAULT_BAD_CONFIG;
    switch (meaning_of(field)) {
    case REFUSED:
        return VAULT_BAD_CONFIG;
    case UNSIGNED:
        return VAULT_OK;
    case HOST:
        *has_host = true;
        break;
    case ORDINARY:
        break;
    }
    vault_sigv4_insert(fields, false);
    return VAULT_OK;
}

/* Add the signer's own header, or see that the request's says the same. */
static enum vault_status add_own(struct vault_sigv4_fields *fields,
                                 const struct vault_sigv4_header *header, bool *has)
{
    struct vault_sigv4_field *own = &fields->all[fields->count];

    for (size_t i = 0; i < fields->count; i++) {
        const struct vault_sigv4_field *field = &fields->all[i];

        if (!named(field, header->name, header->name_length))
            continue;
        if (field->value_length != header->value_length ||
            memcmp(field->value, header->value, header->value_length) != 0)
            return VAULT_BAD_CONFIG;
        *has = true;
    }
    if (*has)
        return VAULT_OK;
    own->name = header->name;
    own->name_length = header->name_length;
    own->value = header->value;
    own->value_length = header->value_length;
    if (!read_value(own))
        return VAULT_BAD_CONFIG;
    vault_sigv4_insert(fields, false);
    return VAULT_OK;
}

static enum vault_status read_headers(struct vault_sigv4_fields *fields,
                                      struct vault_sigv4_writer *names,
                                      struct vault_sigv4_canonical *canonical)
{
    const struct vault_sigv4_request *request = canonical->request;
    const struct vault_sigv4_header date = {"x-amz-date", 10, canonical->stamp, VAULT_SIGV4_STAMP};
    const struct vault_sigv4_header token = {"x-amz-security-token", 20, canonical->token,
                                             canonical->token_length};
    enum vault_status status = VAULT_OK;
    bool has_host = false;

    for (size_t i = 0; i < request->header_count && status == VAULT_OK; i++)
        status = add_header(fields, names, &request->headers[i], &has_host);
    if (status == VAULT_OK && !has_host)
        status = VAULT_BAD_CONFIG;
    if (status == VAULT_OK)
        status = add_own(fields, &date, &canonical->has_date);
    if (status == VAULT_OK && canonical->token)
        status = add_own(fields, &token, &canonical->has_token);
    return status;
}

static bool repeats(const struct vault_sigv4_fields *fields, size_t at)
{
    return named(fields->at[at], fields->at[at - 1]->name, fields->at[at - 1]->name_length);
}

static void put_headers(struct vault_sigv4_writer *out, const struct vault_sigv4_fields *fields,
                        struct vault_sigv4_canonical *canonical)
{
    struct vault_sigv4_writer to = *out; /* in registers */

    for (size_t i = 0; i < fields->count; i++) {
        if (i && repeats(fields, i)) {
            vault_sigv4_put_byte(&to, ',');
        } else {
            if (i)
                vault_sigv4_put_byte(&to, '\n');
            vault_sigv4_put(&to, fields->at[i]->name, fields->at[i]->name_length);
            vault_sigv4_put_byte(&to, ':');
        }
        if (fields->at[i]->value == canonical->stamp)
            canonical->stamp_at = to.at;
        put_value(&to, fields->at[i]);
    }
    vault_sigv4_put_byte(&to, '\n');
    *out = to;
}

static void put_names(struct vault_sigv4_writer *out, const struct vault_sigv4_fields *fields)
{
    struct vault_sigv4_writer to = *out; /* in registers */

    for (size_t i = 0; i < fields->count; i++) {
        if (i && repeats(fields, i))
            continue;
        if (i)
            vault_sigv4_put_byte(&to, ';');
        vault_sigv4_put(&to, fields->at[i]->name, fields->at[i]->name_length);
    }
    *out = to;
}

/* ---- the whole ---- */

static enum vault_status check_request(const struct vault_sigv4_request *request)
{
    if (request->header_count > VAULT_SIGV4_HEADERS_MAX || request->path_length > PART_MAX ||
        request->query_length > PART_MAX || request->method_length > PART_MAX)
        return VAULT_TOO_LARGE;
    if (request->path_length && request->path[0] != '/')
        return VAULT_BAD_CONFIG;
    if (!request->method_length)
        return VAULT_BAD_CONFIG;
    for (size_t i = 0; i < request->method_length; i++) {
        if (!lower_token(request->method[i]))
            return VAULT_BAD_CONFIG;
    }
    return VAULT_OK;
}

/* The bytes that the longest form can take, all working copies included; 0: too many. */
static size_t room_for(const struct vault_sigv4_canonical *canonical)
{
    const struct vault_sigv4_request *request = canonical->request;
    size_t headers = canonical->token_length;

    if (headers > PART_MAX)
        return 0;
    for (size_t i = 0; i < request->header_count; i++) {
        const struct vault_sigv4_header *header = &request->headers[i];

        if (header->name_length > PART_MAX || header->value_length > PART_MAX)
            return 0;
        headers += 3 * header->name_length + header->value_length + 3; /* copy, line, list */
    }
    if (headers > PART_MAX)
        return 0;
    /* each query byte three for one, twice, and '=' and '&' for each of its parameters */
    return 512 + request->method_length + 3 * request->path_length + 6 * request->query_length +
           2 * VAULT_SIGV4_PARAMETERS_MAX + headers;
}

static void put_all(struct vault_sigv4_writer *to, struct vault_sigv4_canonical *canonical,
                    const struct vault_sigv4_fields *query,
                    const struct vault_sigv4_fields *headers)
{
    const struct vault_sigv4_request *request = canonical->request;

    canonical->text = to->at;
    vault_sigv4_put(to, request->method, request->method_length);
    vault_sigv4_put_byte(to, '\n');
    vault_sigv4_put_path(to, request->path, request->path_length);
    vault_sigv4_put_byte(to, '\n');
    vault_sigv4_put_query(to, query);
    vault_sigv4_put_byte(to, '\n');
    put_headers(to, headers, canonical);
    vault_sigv4_put_byte(to, '\n');
    canonical->signed_names = to->at;
    put_names(to, headers);
    canonical->signed_length = (size_t)(to->at - canonical->signed_names);
    vault_sigv4_put_byte(to, '\n');
    vault_sigv4_put(to, canonical->body_hash, 64);
    canonical->length = (size_t)(to->at - canonical->text);
}

enum vault_status vault_sigv4_canonicalise(struct vault_sigv4_canonical *canonical,
                                           struct vault_buffer *out)
{
    const struct vault_sigv4_request *request = canonical->request;
    enum vault_status status = check_request(request);
    size_t room = status == VAULT_OK ? room_for(canonical) : 0;
    struct vault_sigv4_fields query, headers;
    struct vault_sigv4_writer to = {0};

    vault_buffer_clear(out);
    if (!room)
        return status == VAULT_OK ? VAULT_TOO_LARGE : status;
    query.count = headers.count = 0;
    canonical->has_date = canonical->has_token = false;
    canonical->stamp_at = NULL;
    to.at = vault_buffer_reserve(out, room, &status);
    if (!to.at)
        return status;
    to.end = to.at + room;
    status = read_headers(&headers, &to, canonical);
    if (status == VAULT_OK)
        status = vault_sigv4_read_query(&query, &to, request->query, request->query_length);
    if (status == VAULT_OK)
        put_all(&to, canonical, &query, &headers);
    /* what is cleared later is wiped up to here */
    out->length = (size_t)(to.at - out->data);
    out->data[out->length] = '\0';
    if (status == VAULT_OK && to.full)
        status = VAULT_INTERNAL;
    return status;
}
