/* test_json_extract - every case folder of spec/vectors/json, and what folders cannot hold.
 *
 * For:   docs/json.md, rule by rule; members(), offsets, limits, reads past the end, lost memory.
 *        A new rule or a new bug is a new folder, not new code.
 * Never: the network.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "json_extract.h"
#include "vectors.h"

#define VALID   "spec/vectors/json/valid"
#define INVALID "spec/vectors/json/invalid"
#define LARGE   65536

static enum vault_status extract(const char *text, const char *key, struct vault_buffer *out)
{
    return vault_json_extract(text, strlen(text), key, strlen(key), out, NULL, NULL);
}

static void check_valid(const struct vector_case *at)
{
    struct vault_buffer out;
    enum vault_json_type type = VAULT_JSON_ABSENT;
    struct fenced input;

    vault_buffer_init(&out, LARGE);
    fence(&input, at->input.data, at->input.length);
    enum vault_status status = vault_json_extract(input.text, at->input.length, at->key.data,
                                                  at->key.length, &out, &type, NULL);
    if (status != VAULT_OK)
        fail_msg("%s: %s", at->name, vault_status_row(status)->word);
    assert_int_equal(type, VAULT_JSON_STRING);
    if (out.length != at->last.length || memcmp(out.data, at->last.data, out.length) != 0)
        fail_msg("%s: another value", at->name);
    assert_int_equal(out.data[out.length], 0);
    unfence(&input);
    vault_buffer_free(&out);
}

static void check_invalid(const struct vector_case *at)
{
    struct vault_buffer out;
    size_t offset = 0;
    struct fenced input;

    vault_buffer_init(&out, LARGE);
    assert_int_equal(vault_buffer_text(&out, "before"), VAULT_OK);
    fence(&input, at->input.data, at->input.length);
    enum vault_status status = vault_json_extract(input.text, at->input.length, at->key.data,
                                                  at->key.length, &out, NULL, &offset);
    const char *word = vault_status_row(status)->word;
    if (strlen(word) != at->last.length || memcmp(word, at->last.data, at->last.length) != 0)
        fail_msg("%s: %s", at->name, word);
    assert_true(offset <= at->input.length);
    assert_string_equal(out.data, "before");
    unfence(&input);
    vault_buffer_free(&out);
}

static void test_valid_cases(void **state)
{
    (void)state;
    each_case(VALID, "want", 60, check_valid);
}

static void test_invalid_cases(void **state)
{
    (void)state;
    each_case(INVALID, "word", 190, check_invalid);
}

/* Every beginning of a valid text is no valid text, and is read without a step past its end. */
static void check_cut(const struct vector_case *at)
{
    size_t text = at->input.length;

    while (text > 0 && at->input.data[text - 1] != '}')
        text--;
    for (size_t length = 0; length < text; length++) {
        struct vault_buffer out;
        struct fenced input;
        size_t offset = SIZE_MAX;

        vault_buffer_init(&out, LARGE);
        fence(&input, at->input.data, length);
        enum vault_status status = vault_json_extract(input.text, length, at->key.data,
                                                      at->key.length, &out, NULL, &offset);
        if (status == VAULT_OK || out.length != 0 || offset > length)
            fail_msg("%s: cut to %zu bytes", at->name, length);
        unfence(&input);
        vault_buffer_free(&out);
    }
}

static void test_cut_anywhere(void **state)
{
    (void)state;
    each_case(VALID, "want", 60, check_cut);
}

static void test_offsets(void **state)
{
    static const struct {
        const char *text;
        enum vault_status status;
        size_t offset;
    } rows[] = {
        {"", VAULT_JSON_SYNTAX, 0},
        {"  ", VAULT_JSON_SYNTAX, 2},
        {"{\"a\":\"b\"", VAULT_JSON_SYNTAX, 8},
        {"{\"a\":\"b", VAULT_JSON_SYNTAX, 7},
        {"{\"a\":01}", VAULT_JSON_SYNTAX, 6},
        {"{\"a\":nulL}", VAULT_JSON_SYNTAX, 8},
        {"{\"a\":\"b\n\"}", VAULT_JSON_SYNTAX, 7},
        {"{\"a\":\"b\\q\"}", VAULT_JSON_ESCAPE, 7},
        {"{\"a\":\"b\\ud800\"}", VAULT_JSON_SURROGATE, 7},
        {"{\"a\":\"b\\ud800\\uqq\"}", VAULT_JSON_ESCAPE, 7},
        {"{\"a\":\"b\xff\"}", VAULT_JSON_UTF8, 7},
        {"{\"a\":\"\xc3\xa9\xff\"}", VAULT_JSON_UTF8, 8},
        {"{\"a\":\"b\"} x", VAULT_JSON_TRAILING, 10},
        {"{\"a\":1,\"a\":2}", VAULT_JSON_DUPLICATE, 7},
        {" [1]", VAULT_NOT_AN_OBJECT, 1},
        {"{\"a\": 7}", VAULT_NOT_A_STRING, 6},
        {"{\"a\": {}}", VAULT_NOT_A_STRING, 6},
        {"{}", VAULT_KEY_NOT_FOUND, 99},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct vault_buffer out;
        size_t offset = 99;

        vault_buffer_init(&out, LARGE);
        assert_int_equal(
            vault_json_extract(rows[i].text, strlen(rows[i].text), "a", 1, &out, NULL, &offset),
            rows[i].status);
        if (offset != rows[i].offset)
            fail_msg("%s: offset %zu", rows[i].text, offset);
        vault_buffer_free(&out);
    }
}

static void test_depth_offset(void **state)
{
    char text[100];
    struct vault_json_member none;
    size_t offset = 0;

    (void)state;
    memset(text, '[', sizeof text);
    assert_int_equal(vault_json_members(text, sizeof text, &none, 0, &offset), VAULT_JSON_DEPTH);
    assert_int_equal(offset, VAULT_JSON_DEPTH_MAX);
}

static struct vault_json_member wanted(const char *key)
{
    return (struct vault_json_member){.key = key, .key_length = strlen(key)};
}

static void assert_member(const struct vault_json_member *member, enum vault_json_type type,
                          const char *text)
{
    assert_int_equal(member->type, type);
    assert_int_equal(member->length, strlen(text));
    assert_memory_equal(member->text, text, strlen(text));
}

static void test_members(void **state)
{
    static const char text[] =
        " {\"s\":\"a\\n\", \"n\" : -1.5e3 ,\"t\":true,\"f\":false,\"z\":null,"
        "\"o\": {\"s\":[{}]} , \"a\":[ 1, [] ],\"e\":\"\",\"x\":{},\"y\":[]}";
    struct vault_json_member members[] = {wanted("s"), wanted("n"), wanted("t"),   wanted("f"),
                                          wanted("z"), wanted("o"), wanted("a"),   wanted("e"),
                                          wanted("x"), wanted("y"), wanted("none")};

    (void)state;
    assert_int_equal(vault_json_members(text, strlen(text), members, 11, NULL), VAULT_OK);
    assert_member(&members[0], VAULT_JSON_STRING, "a\\n");
    assert_member(&members[1], VAULT_JSON_NUMBER, "-1.5e3");
    assert_member(&members[2], VAULT_JSON_TRUE, "true");
    assert_member(&members[3], VAULT_JSON_FALSE, "false");
    assert_member(&members[4], VAULT_JSON_NULL, "null");
    assert_member(&members[5], VAULT_JSON_OBJECT, "{\"s\":[{}]}");
    assert_member(&members[6], VAULT_JSON_ARRAY, "[ 1, [] ]");
    assert_member(&members[7], VAULT_JSON_STRING, "");
    assert_member(&members[8], VAULT_JSON_OBJECT, "{}");
    assert_member(&members[9], VAULT_JSON_ARRAY, "[]");
    assert_int_equal(members[10].type, VAULT_JSON_ABSENT);
}

static void test_members_of_none(void **state)
{
    struct vault_json_member member = wanted("a");

    (void)state;
    assert_int_equal(vault_json_members("{}", 2, NULL, 0, NULL), VAULT_OK);
    assert_int_equal(vault_json_members("[]", 2, NULL, 0, NULL), VAULT_NOT_AN_OBJECT);
    member.type = VAULT_JSON_STRING; /* left over from an earlier text */
    assert_int_equal(vault_json_members("{}", 2, &member, 1, NULL), VAULT_OK);
    assert_int_equal(member.type, VAULT_JSON_ABSENT);
}

static void test_type_of_what_is_no_string(void **state)
{
    static const struct {
        const char *text;
        enum vault_json_type type;
        const char *name;
    } rows[] = {
        {"{\"a\":1}", VAULT_JSON_NUMBER, "a number"},
        {"{\"a\":true}", VAULT_JSON_TRUE, "true"},
        {"{\"a\":false}", VAULT_JSON_FALSE, "false"},
        {"{\"a\":null}", VAULT_JSON_NULL, "null"},
        {"{\"a\":{}}", VAULT_JSON_OBJECT, "an object"},
        {"{\"a\":[]}", VAULT_JSON_ARRAY, "an array"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum vault_json_type type = VAULT_JSON_ABSENT;
        struct vault_buffer out;

        vault_buffer_init(&out, LARGE);
        assert_int_equal(
            vault_json_extract(rows[i].text, strlen(rows[i].text), "a", 1, &out, &type, NULL),
            VAULT_NOT_A_STRING);
        assert_int_equal(type, rows[i].type);
        assert_string_equal(vault_json_type_name(type), rows[i].name);
        assert_null(out.data);
    }
    assert_string_equal(vault_json_type_name(VAULT_JSON_STRING), "a string");
    assert_string_equal(vault_json_type_name((enum vault_json_type)1000), "absent");
}

/* A value of LARGE bytes of `unit`s, written as `escaped` each. */
static void check_large(const char *escaped, const char *unit, size_t unit_length)
{
    struct vault_buffer text, out;

    vault_buffer_init(&text, 8 * LARGE);
    vault_buffer_init(&out, LARGE);
    assert_int_equal(vault_buffer_text(&text, "{\"b\":\"x\",\"a\":\""), VAULT_OK);
    for (size_t i = 0; i < LARGE / unit_length; i++)
        assert_int_equal(vault_buffer_text(&text, escaped), VAULT_OK);
    assert_int_equal(vault_buffer_text(&text, "\",\"c\":[]}"), VAULT_OK);

    assert_int_equal(vault_json_extract(text.data, text.length, "a", 1, &out, NULL, NULL),
                     VAULT_OK);
    assert_int_equal(out.length, LARGE);
    for (size_t i = 0; i < LARGE; i += unit_length)
        assert_memory_equal(out.data + i, unit, unit_length);
    vault_buffer_free(&out);

    vault_buffer_init(&out, LARGE - 1);
    assert_int_equal(vault_json_extract(text.data, text.length, "a", 1, &out, NULL, NULL),
                     VAULT_TOO_LARGE);
    assert_int_equal(out.length, 0);
    vault_buffer_free(&out);
    vault_buffer_free(&text);
}

static void test_large_values(void **state)
{
    (void)state;
    check_large("x", "x", 1);
    check_large("\\u0000", "\0", 1);
    check_large("\\\"", "\"", 1);
    check_large("\xc3\xa9", "\xc3\xa9", 2);
    check_large("\\u00e9", "\xc3\xa9", 2);
    check_large("\\ud83d\\ude00", "\xf0\x9f\x98\x80", 4);
}

static void test_limit_of_the_output(void **state)
{
    struct vault_buffer out;

    (void)state;
    vault_buffer_init(&out, 3);
    assert_int_equal(extract("{\"a\":\"\\u0041bc\"}", "a", &out), VAULT_OK);
    assert_string_equal(out.data, "Abc");
    assert_int_equal(extract("{\"a\":\"d\"}", "a", &out), VAULT_TOO_LARGE);
    assert_int_equal(extract("{\"a\":\"\\n\"}", "a", &out), VAULT_TOO_LARGE);
    assert_string_equal(out.data, "Abc");
    assert_int_equal(extract("{\"a\":\"\"}", "a", &out), VAULT_OK);
    assert_string_equal(out.data, "Abc");
    vault_buffer_free(&out);
}

static void test_appends(void **state)
{
    struct vault_buffer out;

    (void)state;
    vault_buffer_init(&out, LARGE);
    assert_int_equal(vault_buffer_text(&out, "user="), VAULT_OK);
    assert_int_equal(extract("{\"a\":\"john\"}", "a", &out), VAULT_OK);
    assert_int_equal(extract("{\"a\":\"\\u0021\"}", "a", &out), VAULT_OK);
    assert_string_equal(out.data, "user=john!");
    vault_buffer_free(&out);
}

/* Allocates for the output only, once; where that fails nothing is left behind. */
static void check_memory(const char *text)
{
    struct vault_json_member member = wanted("a");
    struct vault_buffer out;

    vault_buffer_init(&out, LARGE);
    (void)vault_alloc_fail(0);
    assert_int_equal(vault_json_members(text, strlen(text), &member, 1, NULL), VAULT_OK);
    assert_int_equal(vault_alloc_fail(1), 0);
    assert_int_equal(extract(text, "a", &out), VAULT_NO_MEMORY);
    assert_null(out.data);
    assert_int_equal(vault_alloc_fail(0), 1);
    assert_int_equal(extract(text, "a", &out), VAULT_OK);
    assert_int_equal(vault_alloc_fail(0), 1);
    vault_buffer_free(&out);
}

static void test_allocations(void **state)
{
    (void)state;
    check_memory("{\"a\":\"b\"}");
    check_memory("{\"a\":\"b\\n\"}");
    check_memory("{\"b\":[[[{\"\\u0061\":[]}]]],\"\\u0061\":\"\\ud83d\\ude00\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid_cases),     cmocka_unit_test(test_invalid_cases),
        cmocka_unit_test(test_cut_anywhere),    cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_depth_offset),    cmocka_unit_test(test_members),
        cmocka_unit_test(test_members_of_none), cmocka_unit_test(test_type_of_what_is_no_string),
        cmocka_unit_test(test_large_values),    cmocka_unit_test(test_limit_of_the_output),
        cmocka_unit_test(test_appends),         cmocka_unit_test(test_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
