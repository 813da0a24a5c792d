/* test_sigv4_uri - paths and queries, byte by byte.
 *
 * For:   every byte's encoding, dot segments, sorting, what a '%' means, the header's bounds.
 * Never: headers (test_sigv4_canonical).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "sigv4_uri.h"

static char room[4096];

static struct vault_sigv4_writer writer(size_t size)
{
    memset(room, '#', sizeof room);
    return (struct vault_sigv4_writer){room, room + size, false};
}

static const char *path_of(const char *path, size_t length)
{
    struct vault_sigv4_writer to = writer(3 * length + 1);

    vault_sigv4_put_path(&to, path, length);
    assert_false(to.full);
    *to.at = '\0';
    return room;
}

static void test_paths(void **state)
{
    static const struct {
        const char *path;
        const char *expected;
    } all[] = {
        {"", "/"},
        {"/", "/"},
        {"//", "/"},
        {"///", "/"},
        {"/a", "/a"},
        {"/a/", "/a/"},
        {"//a//", "/a/"},
        {"/a//b", "/a/b"},
        {"/.", "/"},
        {"/./", "/"},
        {"/..", "/"},
        {"/../", "/"},
        {"/a/.", "/a"},
        {"/a/./", "/a/"},
        {"/a/..", "/"},
        {"/a/../", "/"},
        {"/a/b/..", "/a"},
        {"/a/b/../", "/a/"},
        {"/a/../b", "/b"},
        {"/../a", "/a"},
        {"/../../a", "/a"},
        {"/a/../../b", "/b"},
        {"/a/...", "/a/..."},
        {"/.a", "/.a"},
        {"/..a", "/..a"},
        {"/a..", "/a.."},
        {"/a b", "/a%20b"},
        {"/a%20b", "/a%2520b"},
        {"/%2e%2e/a", "/%252e%252e/a"},
        {"/a+b", "/a%2Bb"},
        {"/%2F/..", "/"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        assert_string_equal(path_of(all[i].path, strlen(all[i].path)), all[i].expected);
    assert_string_equal(path_of(NULL, 0), "/");
}

static void test_every_byte(void **state)
{
    static const char kept[] = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char path[] = {'/', 'x', (char)byte}, expected[8];

        if (byte == '/' || (byte && strchr(kept, byte)))
            snprintf(expected, sizeof expected, "/x%c", byte);
        else
            snprintf(expected, sizeof expected, "/x%%%02X", (unsigned)byte);
        assert_string_equal(path_of(path, 3), expected);
    }
}

static enum vault_status query_of(const char *query, size_t length)
{
    static struct vault_sigv4_fields fields;
    static char encoded[3 * 2048];
    struct vault_sigv4_writer into = {encoded, encoded + 3 * length, false};
    struct vault_sigv4_writer to = writer(sizeof room - 1);
    enum vault_status status;

    fields.count = 0;
    status = vault_sigv4_read_query(&fields, &into, query, length);
    assert_false(into.full);
    if (status == VAULT_OK)
        vault_sigv4_put_query(&to, &fields);
    assert_false(to.full);
    *to.at = '\0';
    return status;
}

static void test_queries(void **state)
{
    static const struct {
        const char *query;
        const char *expected;
    } all[] = {
        {"", ""},
        {"a", "a="},
        {"a=", "a="},
        {"=a", "=a"},
        {"&", ""},
        {"&&a&", "a="},
        {"b=1&a=2", "a=2&b=1"},
        {"a=2&a=1", "a=1&a=2"},
        {"a=1&a=", "a=&a=1"},
        {"aa=1&a=2", "a=2&aa=1"},
        {"a=1&A=1", "A=1&a=1"},
        {"a-=1&a=2&a.=3", "a=2&a-=1&a.=3"},
        {"a=b=c", "a=b%3Dc"},
        {"a=%41%2f%2F", "a=A%2F%2F"},
        {"a=%e9", "a=%E9"},
        {"a+b= ", "a%2Bb=%20"},
        {"a=%", "a=%25"},
        {"a=%4", "a=%254"},
        {"a=%4g", "a=%254g"},
        {"a=%g4%%41", "a=%25g4%25A"},
        {"%61=1&a=0", "a=0&a=1"},
        {"%26=%3D", "%26=%3D"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        assert_int_equal(query_of(all[i].query, strlen(all[i].query)), VAULT_OK);
        assert_string_equal(room, all[i].expected);
    }
    assert_int_equal(query_of(NULL, 0), VAULT_OK);
    assert_string_equal(room, "");
}

static void test_number_of_parameters(void **state)
{
    char query[2 * VAULT_SIGV4_PARAMETERS_MAX + 1];

    (void)state;
    for (size_t i = 0; i < sizeof query; i++)
        query[i] = i % 2 ? '&' : 'a';
    assert_int_equal(query_of(query, 2 * VAULT_SIGV4_PARAMETERS_MAX), VAULT_OK);
    assert_int_equal(strlen(room), 3 * VAULT_SIGV4_PARAMETERS_MAX - 1);
    assert_int_equal(query_of(query, sizeof query), VAULT_TOO_LARGE);
}

static void test_full_writer(void **state)
{
    struct vault_sigv4_writer to = writer(3);

    (void)state;
    vault_sigv4_put(&to, "ab", 2);
    assert_false(to.full);
    vault_sigv4_put(&to, "cd", 2);
    assert_true(to.full);
    assert_memory_equal(room, "ab##", 4);
    to = writer(2);
    vault_sigv4_put_path(&to, "/a/%/b", 6);
    assert_true(to.full);
    assert_int_equal(room[2], '#');
}

static void test_order_of_arrival(void **state)
{
    static const char *const names[] = {"b", "a", "b", "", "ab", "a"};
    static const char expected[] = "3:1:5:4:0:2:";
    struct vault_sigv4_fields fields = {.count = 0};
    char numbers[] = "012345", found[32] = "";

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        fields.all[i] = (struct vault_sigv4_field){.name = names[i],
                                                   .name_length = strlen(names[i]),
                                                   .value = &numbers[i],
                                                   .value_length = 1};
        vault_sigv4_insert(&fields, false);
    }
    for (size_t i = 0; i < 6; i++)
        snprintf(found + 2 * i, sizeof found - 2 * i, "%c:", *fields.at[i]->value);
    assert_string_equal(found, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),       cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_queries),     cmocka_unit_test(test_number_of_parameters),
        cmocka_unit_test(test_full_writer), cmocka_unit_test(test_order_of_arrival),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
