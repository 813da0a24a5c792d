/* test_ini - the case folders of spec/vectors/ini, and what no folder can say.
 *
 * For:   valid/<case>/{input,kind,want}: a line of `want` is "type name", "type name
 * property=value"
 *        ("\n" for a line's end) or, with '!' in front, what must not be there.
 *        invalid/<case>: `want` is the status word and the line the message must name.
 * Never: a rule of the grammar; docs/profile-files.md has them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ini.h"

#define FOLDER "spec/vectors/ini"

static char bytes[VAULT_INI_SIZE_MAX];
static char wanted[65536];

static size_t slurp(const char *group, const char *name, const char *part, char *into, size_t room)
{
    char path[512];
    FILE *file;
    size_t length;

    snprintf(path, sizeof path, FOLDER "/%s/%s/%s", group, name, part);
    file = fopen(path, "rb");
    if (!file)
        fail_msg("cannot open %s", path);
    length = fread(into, 1, room - 1, file);
    fclose(file);
    into[length] = '\0';
    return length;
}

static enum vault_ini_kind kind_of(const char *group, const char *name)
{
    char kind[32];

    slurp(group, name, "kind", kind, sizeof kind);
    if (strcmp(kind, "config\n") == 0)
        return VAULT_INI_CONFIG;
    assert_string_equal(kind, "credentials\n");
    return VAULT_INI_CREDENTIALS;
}

/* The parser gets a block with nothing behind it, so that ASan sees a byte too many. */
static enum vault_status parse(const char *text, size_t length, enum vault_ini_kind kind,
                               struct vault_ini **made, struct vault_message *why)
{
    char *exact = malloc(length ? length : 1);
    enum vault_status status;

    memcpy(exact, text, length);
    vault_message_clear(why);
    status = vault_ini_parse(exact, length, kind, made, why);
    free(exact);
    return status;
}

static void unescape(char *text)
{
    char *at;

    while ((at = strstr(text, "\\n"))) {
        *at = '\n';
        memmove(at + 1, at + 2, strlen(at + 2) + 1);
    }
}

/* "type name property=value" -> its parts; property and value may be NULL. */
static void check_want(const struct vault_ini *ini, const char *test, char *line)
{
    int absent = *line == '!';
    char *type = line + absent, *name, *property, *value = NULL;
    const char *got;

    name = strchr(type, ' ');
    if (!name)
        fail_msg("%s: malformed want", test);
    *name++ = '\0';
    property = strchr(name, ' ');
    if (!property) {
        if (vault_ini_has(ini, type, name) == absent)
            fail_msg("%s: section %s %s is %s", test, type, name, absent ? "there" : "missing");
        return;
    }
    *property++ = '\0';
    if (!absent) {
        value = strchr(property, '=');
        *value++ = '\0';
        unescape(value);
    }
    got = vault_ini_get(ini, type, name, property);
    if (!got != !value || (got && strcmp(got, value) != 0))
        fail_msg("%s: %s %s %s is '%s', not '%s'", test, type, name, property, got ? got : "(none)",
                 value ? value : "(none)");
}

static void run_valid(const char *name)
{
    size_t length = slurp("valid", name, "input", bytes, sizeof bytes);
    struct vault_ini *ini = NULL;
    struct vault_message why;
    char *rest = wanted, *line;
    int lines = 0;

    if (parse(bytes, length, kind_of("valid", name), &ini, &why) != VAULT_OK)
        fail_msg("%s: %s", name, why.text);
    assert_int_equal(why.length, 0);
    slurp("valid", name, "want", wanted, sizeof wanted);
    while ((line = strsep(&rest, "\n")) && *line) {
        check_want(ini, name, line);
        lines++;
    }
    assert_true(lines > 0);
    vault_ini_free(ini);
}

static void run_invalid(const char *name)
{
    size_t length = slurp("invalid", name, "input", bytes, sizeof bytes);
    struct vault_ini *ini = NULL;
    struct vault_message why;
    enum vault_status status = parse(bytes, length, kind_of("invalid", name), &ini, &why);
    char got[64], number[32];

    assert_null(ini);
    slurp("invalid", name, "want", wanted, sizeof wanted);
    if (sscanf(why.text, "line %31s", number) != 1)
        fail_msg("%s: message '%s' names no line", name, why.text);
    snprintf(got, sizeof got, "%s %s\n", vault_status_row(status)->word, number);
    assert_string_equal(got, wanted);
}

static int run_group(const char *group, void (*run)(const char *name))
{
    char path[64];
    struct dirent *entry;
    DIR *folder;
    int count = 0;

    snprintf(path, sizeof path, FOLDER "/%s", group);
    folder = opendir(path);
    assert_non_null(folder);
    while ((entry = readdir(folder))) {
        if (entry->d_name[0] == '.')
            continue;
        run(entry->d_name);
        count++;
    }
    closedir(folder);
    print_message("%s: %d cases\n", path, count);
    return count;
}

static void test_valid_cases(void **state)
{
    (void)state;
    assert_true(run_group("valid", run_valid) > 0);
}

static void test_invalid_cases(void **state)
{
    (void)state;
    assert_true(run_group("invalid", run_invalid) > 0);
}

/* Each line that can be wrong, with a key of a canary in it. */
static void test_messages_never_quote(void **state)
{
    static const char *const texts[] = {
        "CANARY = x\n",
        " CANARY\n",
        "[CANARY\n",
        "[default]\nCANARY\n",
        "[default]\n= CANARY\n",
        "[default]\ns3 =\n CANARY\n",
        "[default]\n CANARY\n",
        "[CANARY] CANARY\n",
    };
    struct vault_ini *ini = NULL;
    struct vault_message why;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(parse(texts[i], strlen(texts[i]), VAULT_INI_CONFIG, &ini, &why),
                         VAULT_BAD_PROFILE);
        assert_null(strstr(why.text, "CANARY"));
        assert_true(why.length > 0);
    }
}

static void test_size_limit(void **state)
{
    char *text = malloc(VAULT_INI_SIZE_MAX + 1);
    struct vault_ini *ini = NULL;
    struct vault_message why;

    (void)state;
    memset(text, '\n', VAULT_INI_SIZE_MAX + 1);
    assert_int_equal(parse(text, VAULT_INI_SIZE_MAX + 1, VAULT_INI_CONFIG, &ini, &why),
                     VAULT_TOO_LARGE);
    assert_null(ini);
    assert_int_equal(parse(text, VAULT_INI_SIZE_MAX, VAULT_INI_CONFIG, &ini, &why), VAULT_OK);
    vault_ini_free(ini);
    memset(text, 'x', VAULT_INI_SIZE_MAX);
    memcpy(text, "[default]\nname=", 15);
    assert_int_equal(parse(text, VAULT_INI_SIZE_MAX, VAULT_INI_CONFIG, &ini, &why), VAULT_OK);
    assert_int_equal(strlen(vault_ini_get(ini, "profile", "default", "name")),
                     VAULT_INI_SIZE_MAX - 15);
    vault_ini_free(ini);
    free(text);
}

/* As many items as bytes allow: the count of items is made before they are read. */
static void test_many_items(void **state)
{
    static const char *const units[] = {"[a]\n", "[", "=\n", "a=\n", "a=\n b=\n", "#\n"};
    struct vault_ini *ini;
    struct vault_message why;

    (void)state;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t length = 4, unit = strlen(units[i]);
        enum vault_status status;

        memcpy(bytes, "[z]\n", 4);
        for (; length + unit < sizeof bytes; length += unit)
            memcpy(bytes + length, units[i], unit);
        ini = NULL;
        status = parse(bytes, length, VAULT_INI_CREDENTIALS, &ini, &why);
        assert_int_equal(status, ini ? VAULT_OK : VAULT_BAD_PROFILE);
        vault_ini_free(ini);
    }
}

static void test_look_up_of_odd_names(void **state)
{
    static const char text[] = "[default]\nname = x\ns3 =\n a = 1\n";
    static const char *const absent[] = {"", ".", "name.", ".name", "s3.", "s3.a.b", "name.a", "n"};
    struct vault_ini *ini = NULL;
    struct vault_message why;

    (void)state;
    assert_int_equal(parse(text, sizeof text - 1, VAULT_INI_CONFIG, &ini, &why), VAULT_OK);
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        assert_null(vault_ini_get(ini, "profile", "default", absent[i]));
    assert_null(vault_ini_get(ini, "profile", "", "name"));
    assert_false(vault_ini_has(ini, "", ""));
    vault_ini_free(ini);
    vault_ini_free(NULL);
}

static void test_no_memory(void **state)
{
    static const char text[] = "[default]\nname = x\n";
    struct vault_ini *ini = NULL;
    struct vault_message why;
    enum vault_status status;
    unsigned long nth = 0;

    (void)state;
    do {
        vault_alloc_fail(++nth);
        status = parse(text, sizeof text - 1, VAULT_INI_CONFIG, &ini, &why);
        vault_alloc_fail(0);
        if (status != VAULT_OK) {
            assert_int_equal(status, VAULT_NO_MEMORY);
            assert_null(ini);
        }
    } while (status != VAULT_OK);
    assert_true(nth > 3);
    vault_ini_free(ini);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid_cases),
        cmocka_unit_test(test_invalid_cases),
        cmocka_unit_test(test_messages_never_quote),
        cmocka_unit_test(test_size_limit),
        cmocka_unit_test(test_many_items),
        cmocka_unit_test(test_look_up_of_odd_names),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
