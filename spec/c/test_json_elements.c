/* test_json_elements - the elements of arrays, as json_extract found them.
 *
 * For:   what json_elements.h promises; arrays that were never checked stay within their bounds.
 * Never: what is JSON (test_json_extract).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "json_elements.h"

#define MOST 8

struct want {
    enum vault_json_type type;
    const char *text;
};

/* The member "a" of the object `text`. */
static struct vault_json_member member_of(const char *text)
{
    struct vault_json_member member = {.key = "a", .key_length = 1};

    assert_int_equal(vault_json_members(text, strlen(text), &member, 1, NULL), VAULT_OK);
    return member;
}

static void check(const char *text, const struct want *wants, size_t count)
{
    const struct vault_json_member array = member_of(text);
    struct vault_json_elements elements = vault_json_elements_of(&array);
    struct vault_json_member element = {.type = VAULT_JSON_ABSENT};

    for (size_t i = 0; i < count; i++) {
        assert_true(vault_json_elements_next(&elements, &element));
        assert_int_equal(element.type, wants[i].type);
        assert_int_equal(element.length, strlen(wants[i].text));
        assert_memory_equal(element.text, wants[i].text, element.length);
    }
    const char *last = element.text;
    for (int i = 0; i < 2; i++)
        assert_false(vault_json_elements_next(&elements, &element));
    assert_ptr_equal(element.text, last);
}

static void test_elements(void **state)
{
    static const struct {
        const char *text;
        struct want wants[MOST];
        size_t count;
    } rows[] = {
        {"{\"a\":[]}", {{0}}, 0},
        {"{\"a\":[ \n\r\t ]}", {{0}}, 0},
        {"{\"a\":[1]}", {{VAULT_JSON_NUMBER, "1"}}, 1},
        {"{\"a\":[\"\"]}", {{VAULT_JSON_STRING, ""}}, 1},
        {"{\"a\":[ -1.5e+3 ,true,false\n,\tnull,\"x\",{},[] ]}",
         {{VAULT_JSON_NUMBER, "-1.5e+3"},
          {VAULT_JSON_TRUE, "true"},
          {VAULT_JSON_FALSE, "false"},
          {VAULT_JSON_NULL, "null"},
          {VAULT_JSON_STRING, "x"},
          {VAULT_JSON_OBJECT, "{}"},
          {VAULT_JSON_ARRAY, "[]"}},
         7},
        {"{\"a\":[{\"b\":[1,{\"c\":\"]},\"}] } , [[ 2 ],[3]]]}",
         {{VAULT_JSON_OBJECT, "{\"b\":[1,{\"c\":\"]},\"}] }"}, {VAULT_JSON_ARRAY, "[[ 2 ],[3]]"}},
         2},
        {"{\"a\":[\"\\\"\",\"\\\\\",\"[\\u005d,\"]}",
         {{VAULT_JSON_STRING, "\\\""},
          {VAULT_JSON_STRING, "\\\\"},
          {VAULT_JSON_STRING, "[\\u005d,"}},
         3},
        {"{\"a\":[\"\xc3\xa9\"],\"b\":[7]}", {{VAULT_JSON_STRING, "\xc3\xa9"}}, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check(rows[i].text, rows[i].wants, rows[i].count);
}

static void test_what_is_no_array(void **state)
{
    (void)state;
    check("{}", NULL, 0);
    check("{\"a\":null}", NULL, 0);
    check("{\"a\":{\"b\":1}}", NULL, 0);
    check("{\"a\":\"[1]\"}", NULL, 0);
}

/* How many elements there are; each must lie within the array. */
static size_t count_unchecked(const char *text, size_t length)
{
    const struct vault_json_member array = {
        .type = VAULT_JSON_ARRAY, .text = text, .length = length};
    struct vault_json_elements elements = vault_json_elements_of(&array);
    struct vault_json_member element;
    size_t count = 0;

    while (vault_json_elements_next(&elements, &element)) {
        assert_true(element.text >= text && element.length <= length);
        assert_true(element.text + element.length <= text + length);
        assert_true(++count <= length);
    }
    return count;
}

static void test_unchecked(void **state)
{
    static const char *const texts[] = {
        "",      "[",       "]",       "[]",      "[\"]", "[\"\\\"]", "[{]",        "[}]",
        "[}}}1", "[\"a\"b", "[1 2 3]", "[,,1,,]", "[\\]", "[\xff]",   "[\"\xff\"]", "[{\"a]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        (void)count_unchecked(texts[i], strlen(texts[i]));
    assert_int_equal(count_unchecked("[1 2 3]", 7), 3);
    assert_int_equal(count_unchecked("[\"]", 3), 0);
    for (unsigned bits = 0; bits < 1u << 15; bits++) { /* all words of five of these letters */
        static const char letters[] = "\"\\[]{},1";
        char word[7] = "[";

        for (unsigned i = 0; i < 5; i++)
            word[i + 1] = letters[bits >> 3 * i & 7];
        (void)count_unchecked(word, 6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_what_is_no_array),
        cmocka_unit_test(test_unchecked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
