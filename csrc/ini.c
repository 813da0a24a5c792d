/* ini - the grammar of AWS's shared config and credentials files.
 *
 * For:   what ini.h promises. Works in place on its copy of the text: names and values are slices
 *        of it, ended by a NUL where a '=', a blank or a line's end was.
 * Never: merging at parse time; looking something up walks the lines in their order.
 */
#include "ini.h"

#include <stdbool.h>
#include <string.h>

enum item_kind {
    ITEM_SECTION,
    ITEM_PROPERTY,
    ITEM_CHILD /* of the property before it */
};

struct item {
    enum item_kind kind;
    const char *type; /* of a section; NULL where it is passed over */
    const char *name;
    char *value; /* of a property or child; the end moves with continuations */
    size_t value_length;
    bool prefixed; /* a section written as [type name] */
};

struct vault_ini {
    char *text;
    struct item *items; /* in the order of the file */
    size_t count;
};

struct line {
    char *start, *end;
    size_t number;
    bool indented;
};

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

static bool is_comment_mark(char byte)
{
    return byte == '#' || byte == ';';
}

/* The backslash is AWS's own C reader's; profiles named after Windows domains need it. */
static bool is_identifier(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789_-/.%@:+\\";

    return *name && name[strspn(name, allowed)] == '\0';
}

static char lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
}

static bool same_name(const char *left, const char *right, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (lower(left[i]) != lower(right[i]))
            return false;
    return left[length] == '\0';
}

static void trim(struct line *line)
{
    while (line->start < line->end && is_blank(*line->start))
        line->start++;
    while (line->end > line->start && is_blank(line->end[-1]))
        line->end--;
}

static enum vault_status wrong(struct vault_message *why, const struct line *line, const char *what)
{
    vault_message_add(why, "line %zu %s", line->number, what);
    return VAULT_BAD_PROFILE;
}

/* "type name" -> type, name; NULL where the section is none of ours. */
static const char *section_type(enum vault_ini_kind kind, const char **name)
{
    static const char *const types[] = {"profile", "sso-session", "services"};
    const char *text = *name;

    if (kind == VAULT_INI_CREDENTIALS)
        return types[0];
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        size_t length = strlen(types[i]);

        if (strncmp(text, types[i], length) == 0 && is_blank(text[length])) {
            *name = text + length + strspn(text + length, " \t\r");
            return types[i];
        }
    }
    return strcmp(text, "default") == 0 ? types[0] : NULL;
}

static enum vault_status read_section(struct vault_ini *ini, enum vault_ini_kind kind,
                                      struct line *line, struct vault_message *why)
{
    struct item *item = &ini->items[ini->count];
    struct line inside = *line;
    const char *name;

    for (char *at = inside.start; at < inside.end; at++)
        if (is_comment_mark(*at))
            inside.end = at;
    trim(&inside);
    if (inside.end[-1] != ']')
        return wrong(why, line, "opens a section with '[' and does not end in ']'");
    inside.start++;
    inside.end--;
    trim(&inside);
    *inside.end = '\0';
    name = inside.start;
    *item = (struct item){.kind = ITEM_SECTION, .type = section_type(kind, &name)};
    item->prefixed = name != inside.start;
    item->name = name;
    if (!is_identifier(name))
        item->type = NULL;
    ini->count++;
    return VAULT_OK;
}

/* "name = value"; the line is trimmed. */
static enum vault_status read_pair(struct vault_ini *ini, enum item_kind kind,
                                   const struct line *line, struct vault_message *why)
{
    char *equals = memchr(line->start, '=', (size_t)(line->end - line->start));
    struct line name = *line, value = *line;

    if (!equals)
        return wrong(why, line, "has no '='");
    name.end = equals;
    trim(&name);
    if (name.start == name.end)
        return wrong(why, line, "has no name before its '='");
    value.start = equals + 1;
    trim(&value);
    *name.end = '\0';
    *value.end = '\0';
    ini->items[ini->count++] = (struct item){.kind = kind,
                                             .name = name.start,
                                             .value = value.start,
                                             .value_length = (size_t)(value.end - value.start)};
    return VAULT_OK;
}

/* A comment behind a value needs white space before its mark: keys may hold '#' and ';'. */
static void cut_comment(struct line *line)
{
    for (char *at = line->start + 1; at < line->end; at++) {
        if (is_comment_mark(*at) && is_blank(at[-1])) {
            line->end = at;
            break;
        }
    }
    trim(line);
}

/* Joined with '\n', moved down over the line's end and its indent: there is always room. */
static void join(struct item *item, const struct line *line)
{
    size_t length = (size_t)(line->end - line->start);
    char *end = item->value + item->value_length;

    *end = '\n';
    memmove(end + 1, line->start, length);
    end[1 + length] = '\0';
    item->value_length += 1 + length;
}

static enum vault_status read_continuation(struct vault_ini *ini, const struct line *line,
                                           struct vault_message *why)
{
    struct item *last = ini->count ? &ini->items[ini->count - 1] : NULL;

    if (!last || last->kind == ITEM_SECTION)
        return wrong(why, line, "is indented and follows no property");
    if (last->kind == ITEM_CHILD || last->value_length == 0)
        return read_pair(ini, ITEM_CHILD, line, why);
    join(last, line);
    return VAULT_OK;
}

static enum vault_status read_line(struct vault_ini *ini, enum vault_ini_kind kind,
                                   struct line *line, struct vault_message *why)
{
    if (memchr(line->start, '\0', (size_t)(line->end - line->start)))
        return wrong(why, line, "holds a NUL byte");
    if (line->number == 1 && strncmp(line->start, "\xEF\xBB\xBF", 3) == 0)
        return wrong(why, line, "opens with a byte order mark; save the file without it");
    line->indented = line->start < line->end && is_blank(*line->start);
    trim(line);
    if (line->start == line->end || is_comment_mark(*line->start))
        return VAULT_OK;
    if (line->indented)
        return read_continuation(ini, line, why);
    if (*line->start == '[')
        return read_section(ini, kind, line, why);
    if (ini->count == 0)
        return wrong(why, line, "comes before the first section");
    cut_comment(line);
    return read_pair(ini, ITEM_PROPERTY, line, why);
}

static enum vault_status read_lines(struct vault_ini *ini, enum vault_ini_kind kind, size_t length,
                                    struct vault_message *why)
{
    char *end = ini->text + length;
    enum vault_status status = VAULT_OK;
    struct line line;
    size_t number = 0;
    char *next;

    for (char *at = ini->text; at < end && status == VAULT_OK; at = next) {
        char *newline = memchr(at, '\n', (size_t)(end - at));

        line = (struct line){.start = at, .end = newline ? newline : end, .number = ++number};
        next = newline ? newline + 1 : end;
        status = read_line(ini, kind, &line, why);
    }
    return status;
}

/* No more items than lines that are not empty. */
static size_t most_items(const char *text, size_t length)
{
    size_t most = 0;

    for (size_t i = 0; i < length; i++)
        most += text[i] != '\n' && (i + 1 == length || text[i + 1] == '\n');
    return most;
}

/* AWS's readers let [profile default] stand alone where a config file has [default] as well. */
static void settle_default(struct vault_ini *ini)
{
    bool prefixed = false;

    for (size_t i = 0; i < ini->count; i++)
        if (ini->items[i].type && ini->items[i].prefixed &&
            strcmp(ini->items[i].type, "profile") == 0)
            prefixed |= strcmp(ini->items[i].name, "default") == 0;
    for (size_t i = 0; prefixed && i < ini->count; i++)
        if (ini->items[i].type && !ini->items[i].prefixed)
            ini->items[i].type = NULL;
}

enum vault_status vault_ini_parse(const char *text, size_t length, enum vault_ini_kind kind,
                                  struct vault_ini **made, struct vault_message *why)
{
    struct vault_ini *ini;
    enum vault_status status = VAULT_NO_MEMORY;

    if (length > VAULT_INI_SIZE_MAX) {
        vault_message_add(why, "is over %d bytes", VAULT_INI_SIZE_MAX);
        return VAULT_TOO_LARGE;
    }
    ini = vault_alloc(sizeof *ini);
    if (!ini)
        return VAULT_NO_MEMORY;
    ini->text = vault_copy(text, length);
    ini->items = vault_alloc(most_items(text, length) * sizeof *ini->items);
    if (!ini->text || !ini->items)
        goto out;
    status = read_lines(ini, kind, length, why);
    if (status != VAULT_OK)
        goto out;
    settle_default(ini);
    *made = ini;
    ini = NULL;
out:
    vault_ini_free(ini);
    return status;
}

void vault_ini_free(struct vault_ini *ini)
{
    if (!ini)
        return;
    vault_free(ini->text);
    vault_free(ini->items);
    vault_free(ini);
}

static bool section_is(const struct item *item, const char *type, const char *name)
{
    return item->type && strcmp(item->type, type) == 0 && strcmp(item->name, name) == 0;
}

int vault_ini_has(const struct vault_ini *ini, const char *type, const char *name)
{
    for (size_t i = 0; i < ini->count; i++)
        if (ini->items[i].kind == ITEM_SECTION && section_is(&ini->items[i], type, name))
            return 1;
    return 0;
}

/* The last property of that name in the section, wherever its parts stand. */
static const struct item *find(const struct vault_ini *ini, const char *type, const char *name,
                               const char *property, size_t length)
{
    const struct item *found = NULL;
    bool inside = false;

    for (size_t i = 0; i < ini->count; i++) {
        const struct item *item = &ini->items[i];

        if (item->kind == ITEM_SECTION)
            inside = section_is(item, type, name);
        else if (inside && item->kind == ITEM_PROPERTY && same_name(item->name, property, length))
            found = item;
    }
    return found;
}

static const char *find_child(const struct vault_ini *ini, const struct item *parent,
                              const char *child)
{
    const struct item *end = ini->items + ini->count;
    const char *found = NULL;

    for (const struct item *at = parent + 1; at < end && at->kind == ITEM_CHILD; at++)
        if (same_name(at->name, child, strlen(child)))
            found = at->value;
    return found;
}

const char *vault_ini_get(const struct vault_ini *ini, const char *type, const char *name,
                          const char *property)
{
    const char *dot = strchr(property, '.');
    const struct item *item;

    if (!is_identifier(property))
        return NULL;
    item = find(ini, type, name, property, strlen(property));
    if (item)
        return item->value;
    if (!dot)
        return NULL;
    item = find(ini, type, name, property, (size_t)(dot - property));
    return item ? find_child(ini, item, dot + 1) : NULL;
}
