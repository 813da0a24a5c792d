/* json_extract - members of one JSON object, found without building a tree.
 *
 * For:   one pass over the text: structure, nesting, numbers, words; the wanted members are noted
 * on the way. What is open is one bit per level, so nothing is allocated and nothing recurses.
 * Never: AWS words, clock, sockets; the inside of strings (json_string).
 */
#include "json_extract.h"

#include <string.h>

#include "utf8.h"

_Static_assert(VAULT_JSON_DEPTH_MAX <= 64, "the levels are bits of an uint64_t");

#define END (-1)

struct walk {
    const char *at;
    const char *end;
    uint64_t objects; /* a bit per open level, innermost lowest: 1 object, 0 array */
    unsigned depth;
    struct vault_json_member *members;
    size_t count;
    struct vault_json_member *wanted; /* the one whose value is read next or being read */
};

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

/* The first byte that is not white space, not yet taken; END where there is none. */
static int peek(struct walk *walk)
{
    while (walk->at < walk->end && is_space(*walk->at))
        walk->at++;
    return walk->at < walk->end ? (unsigned char)*walk->at : END;
}

static bool next_is(const struct walk *walk, char byte)
{
    return walk->at < walk->end && *walk->at == byte;
}

/* A number or a word ends here: without this "01" would be 0 and a trailing 1. */
static enum vault_status check_end_of_word(const struct walk *walk)
{
    if (walk->at == walk->end || is_space(*walk->at) || next_is(walk, ',') || next_is(walk, ']') ||
        next_is(walk, '}'))
        return VAULT_OK;
    return VAULT_JSON_SYNTAX;
}

static bool skip_digits(struct walk *walk)
{
    const char *start = walk->at;

    while (walk->at < walk->end && *walk->at >= '0' && *walk->at <= '9')
        walk->at++;
    return walk->at > start;
}

static enum vault_status read_number(struct walk *walk)
{
    if (next_is(walk, '-'))
        walk->at++;
    if (next_is(walk, '0'))
        walk->at++;
    else if (!skip_digits(walk))
        return VAULT_JSON_SYNTAX;
    if (next_is(walk, '.')) {
        walk->at++;
        if (!skip_digits(walk))
            return VAULT_JSON_SYNTAX;
    }
    if (next_is(walk, 'e') || next_is(walk, 'E')) {
        walk->at++;
        if (next_is(walk, '+') || next_is(walk, '-'))
            walk->at++;
        if (!skip_digits(walk))
            return VAULT_JSON_SYNTAX;
    }
    return check_end_of_word(walk);
}

static enum vault_status read_word(struct walk *walk, const char *word)
{
    for (; *word != '\0'; word++) {
        if (!next_is(walk, *word))
            return VAULT_JSON_SYNTAX;
        walk->at++;
    }
    return check_end_of_word(walk);
}

static bool same_key(const struct vault_json_member *member, const char *key, size_t length,
                     bool escaped)
{
    if (escaped)
        return vault_json_same(key, length, member->key, member->key_length);
    return length == member->key_length && (length == 0 || memcmp(key, member->key, length) == 0);
}

/* Set walk->wanted where the key just read is a wanted one. VAULT_JSON_DUPLICATE if it was before.
 */
static enum vault_status note_key(struct walk *walk, const char *key, size_t length, bool escaped)
{
    walk->wanted = NULL;
    for (size_t i = 0; i < walk->count; i++) {
        if (!same_key(&walk->members[i], key, length, escaped))
            continue;
        if (walk->members[i].type != VAULT_JSON_ABSENT)
            return VAULT_JSON_DUPLICATE;
        walk->wanted = &walk->members[i];
        return VAULT_OK;
    }
    return VAULT_OK;
}

/* A key and its colon. */
static enum vault_status read_key(struct walk *walk)
{
    enum vault_status status = VAULT_OK;
    bool escaped = false;

    if (peek(walk) != '"')
        return VAULT_JSON_SYNTAX;
    const char *key = ++walk->at;
    status = vault_json_scan_string(&walk->at, walk->end, &escaped);
    if (status != VAULT_OK)
        return status;
    if (walk->depth == 1)
        status = note_key(walk, key, (size_t)(walk->at - key), escaped);
    if (status != VAULT_OK) {
        walk->at = key - 1;
        return status;
    }
    walk->at++;
    if (peek(walk) != ':')
        return VAULT_JSON_SYNTAX;
    walk->at++;
    return VAULT_OK;
}

static void open_level(struct walk *walk, bool object)
{
    walk->objects = (walk->objects << 1) | (object ? 1u : 0u);
    walk->depth++;
    walk->at++;
}

static void close_level(struct walk *walk)
{
    walk->objects >>= 1;
    walk->depth--;
    walk->at++;
    if (walk->depth == 1 && walk->wanted != NULL) {
        walk->wanted->length = (size_t)(walk->at - walk->wanted->text);
        walk->wanted = NULL;
    }
}

static bool in_object(const struct walk *walk)
{
    return (walk->objects & 1u) != 0;
}

static char closing_bracket(const struct walk *walk)
{
    return in_object(walk) ? '}' : ']';
}

static enum vault_status read_string(struct walk *walk)
{
    bool escaped = false;

    walk->at++;
    enum vault_status status = vault_json_scan_string(&walk->at, walk->end, &escaped);
    if (status == VAULT_OK)
        walk->at++;
    return status;
}

static enum vault_status read_scalar(struct walk *walk, enum vault_json_type type)
{
    switch (type) {
    case VAULT_JSON_STRING:
        return read_string(walk);
    case VAULT_JSON_NUMBER:
        return read_number(walk);
    case VAULT_JSON_TRUE:
        return read_word(walk, "true");
    case VAULT_JSON_FALSE:
        return read_word(walk, "false");
    case VAULT_JSON_NULL:
        return read_word(walk, "null");
    case VAULT_JSON_OBJECT:
    case VAULT_JSON_ARRAY:
    case VAULT_JSON_ABSENT:
        break;
    }
    return VAULT_JSON_SYNTAX;
}

enum vault_json_type vault_json_type_of(int byte)
{
    switch (byte) {
    case '"':
        return VAULT_JSON_STRING;
    case '{':
        return VAULT_JSON_OBJECT;
    case '[':
        return VAULT_JSON_ARRAY;
    case 't':
        return VAULT_JSON_TRUE;
    case 'f':
        return VAULT_JSON_FALSE;
    case 'n':
        return VAULT_JSON_NULL;
    default:
        return byte == '-' || (byte >= '0' && byte <= '9') ? VAULT_JSON_NUMBER : VAULT_JSON_ABSENT;
    }
}

/* The value at hand, of a wanted member: note where it lies. */
static void note_value(struct walk *walk, enum vault_json_type type, const char *start)
{
    size_t quote = type == VAULT_JSON_STRING ? 1 : 0;

    walk->wanted->type = type;
    walk->wanted->text = start + quote;
    walk->wanted->length = (size_t)(walk->at - start) - 2 * quote;
    if (type != VAULT_JSON_OBJECT && type != VAULT_JSON_ARRAY)
        walk->wanted = NULL;
}

/* Enter an object or array. *complete: it is empty, and read to its end; else its first value (in
 * an object, behind its key) is next. */
static enum vault_status enter(struct walk *walk, enum vault_json_type type, bool *complete)
{
    if (walk->depth == VAULT_JSON_DEPTH_MAX)
        return VAULT_JSON_DEPTH;
    if (walk->depth == 1 && walk->wanted != NULL)
        note_value(walk, type, walk->at);
    open_level(walk, type == VAULT_JSON_OBJECT);
    *complete = peek(walk) == closing_bracket(walk);
    if (*complete) {
        close_level(walk);
        return VAULT_OK;
    }
    return in_object(walk) ? read_key(walk) : VAULT_OK;
}

static enum vault_status read_value(struct walk *walk, bool *complete)
{
    enum vault_json_type type = vault_json_type_of(peek(walk));
    const char *start = walk->at;

    if (type == VAULT_JSON_OBJECT || type == VAULT_JSON_ARRAY)
        return enter(walk, type, complete);

    enum vault_status status = read_scalar(walk, type);
    if (status == VAULT_OK && walk->depth == 1 && walk->wanted != NULL)
        note_value(walk, type, start);
    *complete = true;
    return status;
}

/* After a complete value: close what ends here, then take a comma and, in an object, a key. */
static enum vault_status read_separator(struct walk *walk)
{
    while (walk->depth > 0) {
        int byte = peek(walk);

        if (byte == ',') {
            walk->at++;
            return in_object(walk) ? read_key(walk) : VAULT_OK;
        }
        if (byte != closing_bracket(walk))
            return VAULT_JSON_SYNTAX;
        close_level(walk);
    }
    return VAULT_OK;
}

static enum vault_status read_text(struct walk *walk)
{
    enum vault_status status = VAULT_OK;

    do {
        bool complete = false;

        status = read_value(walk, &complete);
        if (status == VAULT_OK && complete)
            status = read_separator(walk);
    } while (status == VAULT_OK && walk->depth > 0);
    if (status == VAULT_OK && peek(walk) != END)
        return VAULT_JSON_TRAILING;
    /* a byte that no grammar has room for: say where it is not even UTF-8 */
    if (status == VAULT_JSON_SYNTAX && walk->at < walk->end &&
        vault_utf8_length(walk->at, walk->end) == 0)
        return VAULT_JSON_UTF8;
    return status;
}

enum vault_status vault_json_members(const char *text, size_t length,
                                     struct vault_json_member *members, size_t count,
                                     size_t *offset)
{
    const char *from = length ? text : ""; /* an empty buffer has no bytes at all */
    struct walk walk = {.at = from, .end = from + length, .members = members, .count = count};
    enum vault_status status = VAULT_OK;

    for (size_t i = 0; i < count; i++)
        members[i].type = VAULT_JSON_ABSENT;

    bool object = peek(&walk) == '{';
    const char *start = walk.at;
    status = read_text(&walk);
    if (status == VAULT_OK && !object) {
        status = VAULT_NOT_AN_OBJECT;
        walk.at = start;
    }
    if (status != VAULT_OK && offset != NULL)
        *offset = (size_t)(walk.at - from);
    return status;
}

enum vault_status vault_json_extract(const char *text, size_t length, const char *key,
                                     size_t key_length, struct vault_buffer *out,
                                     enum vault_json_type *type, size_t *offset)
{
    struct vault_json_member member = {.key = key, .key_length = key_length};
    enum vault_status status = vault_json_members(text, length, &member, 1, offset);

    if (status != VAULT_OK)
        return status;
    if (type != NULL)
        *type = member.type;
    if (member.type == VAULT_JSON_ABSENT)
        return VAULT_KEY_NOT_FOUND;
    if (member.type != VAULT_JSON_STRING) {
        if (offset != NULL)
            *offset = (size_t)(member.text - text);
        return VAULT_NOT_A_STRING;
    }
    return vault_json_unescape(member.text, member.length, out);
}

const char *vault_json_type_name(enum vault_json_type type)
{
    static const char *const names[] = {
        [VAULT_JSON_ABSENT] = "absent",    [VAULT_JSON_STRING] = "a string",
        [VAULT_JSON_NUMBER] = "a number",  [VAULT_JSON_TRUE] = "true",
        [VAULT_JSON_FALSE] = "false",      [VAULT_JSON_NULL] = "null",
        [VAULT_JSON_OBJECT] = "an object", [VAULT_JSON_ARRAY] = "an array",
    };

    if ((size_t)type >= sizeof(names) / sizeof(names[0]))
        return names[VAULT_JSON_ABSENT];
    return names[type];
}
