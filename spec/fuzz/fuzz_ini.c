/* fuzz_ini - vault_ini_parse, vault_ini_has, vault_ini_get.
 *
 * For:   input is one byte (even: config, odd: credentials) and the text. Values come from the
 *        text, trimmed; messages do not; CR before every LF and a section more at the end change
 *        nothing.
 * Never: speed; whether a text ought to be taken (spec/vectors/ini).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ini.h"

#define NAMES     24
#define NAME_ROOM 40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What stands in the text before a '=', a blank or a ']': names to ask for. */
struct names {
    size_t count;
    char list[NAMES][NAME_ROOM];
};

static const char *const types[] = {"profile", "sso-session", "services"};

static void must(int held)
{
    if (!held)
        abort();
}

static int is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

static int is_end(char byte)
{
    return is_blank(byte) || byte == '=' || byte == ']' || byte == '[' || byte == '\n';
}

static void collect(const char *text, size_t length, struct names *names)
{
    size_t start = 0;

    names->count = 0;
    for (size_t i = 0; i < length && names->count < NAMES; i++) {
        if (!is_end(text[i]))
            continue;
        if (i > start && i - start < NAME_ROOM) {
            memcpy(names->list[names->count], text + start, i - start);
            names->list[names->count++][i - start] = '\0';
        }
        start = i + 1;
    }
}

/* "line N ..." with a line that there is, or the words for too large a text. */
static void check_message(enum vault_status status, const struct vault_message *why,
                          const char *text, size_t length)
{
    size_t lines = 1, number = 0;

    if (status == VAULT_OK) {
        must(why->length == 0);
        return;
    }
    if (status == VAULT_TOO_LARGE) {
        must(length > VAULT_INI_SIZE_MAX);
        return;
    }
    must(status == VAULT_BAD_PROFILE);
    for (size_t i = 0; i < length; i++)
        lines += text[i] == '\n';
    must(sscanf(why->text, "line %zu ", &number) == 1 && number >= 1 && number <= lines);
    for (const char *at = why->text; *at; at++)
        must(*at >= 0x20 && *at < 0x7f);
}

static void check_value(const char *value, const char *text, size_t length)
{
    size_t piece;

    for (;; value += piece + 1) {
        piece = strcspn(value, "\n");
        must(piece == 0 || memmem(text, length, value, piece) != NULL);
        must(piece == 0 || (!is_blank(value[0]) && !is_blank(value[piece - 1])));
        if (!value[piece])
            return;
    }
}

static void upper(const char *name, char *into)
{
    size_t i = 0;

    for (; name[i]; i++)
        into[i] = name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - 'a' + 'A') : name[i];
    into[i] = '\0';
}

static int same_text(const char *left, const char *right)
{
    return left && right ? strcmp(left, right) == 0 : left == right;
}

/* Every look-up answers the same in both; `text` is where the values must come from. */
static void compare(const struct vault_ini *left, const struct vault_ini *right,
                    const struct names *names, const char *text, size_t length)
{
    char shouted[NAME_ROOM];

    for (size_t i = 0; i < 3 * names->count * names->count; i++) {
        const char *type = types[i % 3], *name = names->list[i / 3 % names->count];
        const char *property = names->list[i / 3 / names->count];
        const char *value = vault_ini_get(left, type, name, property);

        must(vault_ini_has(left, type, name) == vault_ini_has(right, type, name));
        must(same_text(value, vault_ini_get(right, type, name, property)));
        upper(property, shouted);
        must(vault_ini_get(left, type, name, shouted) == value);
        if (!value)
            continue;
        must(vault_ini_has(left, type, name));
        check_value(value, text, length);
    }
}

/* The text with CR before each LF and, last, a section of a name that is too long for `names`. */
static size_t rewrite(const char *text, size_t length, enum vault_ini_kind kind, char *into)
{
    static const char name[] = "a-name-that-is-longer-than-any-collected-one";
    size_t at = 0;

    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n')
            into[at++] = '\r';
        into[at++] = text[i];
    }
    return at + (size_t)sprintf(into + at, "\r\n[%s%s]\r\nlast = one",
                                kind == VAULT_INI_CONFIG ? "profile " : "", name);
}

static void check_rewritten(const struct vault_ini *ini, const char *text, size_t length,
                            enum vault_ini_kind kind)
{
    char *other = malloc(2 * length + 128);
    size_t other_length = rewrite(text, length, kind, other);
    struct vault_ini *again = NULL;
    struct vault_message why = {0};
    struct names names;
    enum vault_status status = vault_ini_parse(other, other_length, kind, &again, &why);

    if (status != VAULT_TOO_LARGE) {
        must(status == VAULT_OK);
        collect(text, length, &names);
        compare(ini, again, &names, text, length);
        must(same_text("one",
                       vault_ini_get(again, "profile",
                                     "a-name-that-is-longer-than-any-collected-one", "LAST")));
    }
    vault_ini_free(again);
    free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum vault_ini_kind kind = size && data[0] % 2 ? VAULT_INI_CREDENTIALS : VAULT_INI_CONFIG;
    const char *text = size ? (const char *)data + 1 : "";
    size_t length = size ? size - 1 : 0;
    struct vault_ini *ini = NULL;
    struct vault_message why = {0};
    enum vault_status status = vault_ini_parse(text, length, kind, &ini, &why);

    check_message(status, &why, text, length);
    must((status == VAULT_OK) == (ini != NULL));
    if (ini)
        check_rewritten(ini, text, length, kind);
    vault_ini_free(ini);
    return 0;
}
