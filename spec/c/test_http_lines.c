/* test_http_lines - header lines as libcurl's list of items, and as text again.
 *
 * For:   which lines go along with others, limits, the text afterwards.
 * Never: what libcurl makes of them (test_http_again).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_lines.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define AGENT        "User-Agent: lua-resty-vaults/" VAULT_VERSION

/* The items with "|" between them; the last two are always the same. */
static void items_of(const struct vault_http_lines *lines, char *shown, size_t size)
{
    shown[0] = '\0';
    for (const struct curl_slist *item = lines->items; item; item = item->next)
        snprintf(shown + strlen(shown), size - strlen(shown), "%s|", item->data);
}

static void check_items(const char *lines, const char *wanted)
{
    struct vault_http_lines cut = {.cut = 0};
    char *text = strdup(lines), shown[1024], all[1024];

    for (int i = 0; i < 2; i++) { /* what is mended can be cut again */
        assert_int_equal(vault_http_lines_cut(&cut, text), VAULT_OK);
        items_of(&cut, shown, sizeof shown);
        snprintf(all, sizeof all, "%s" AGENT "|Expect:|", wanted);
        assert_string_equal(shown, all);
        vault_http_lines_mend(&cut);
        assert_string_equal(text, lines);
        assert_int_equal(cut.cut, 0);
    }
    free(text);
}

static void test_items(void **state)
{
    (void)state;
    check_items("", "");
    check_items("A: a\r\n", "A: a|");
    check_items("X-A: a\r\nx-b: b\r\nAUTHORIZATION: c\r\n",
                "X-A: a\r\nx-b: b\r\nAUTHORIZATION: c|");
    check_items("Host: h\r\nContent-Type: t\r\nX-A: a\r\nAuthorization: b\r\n",
                "Host: h|Content-Type: t\r\nX-A: a\r\nAuthorization: b|");
    check_items("host: h\r\nX-A: a\r\nX-B: b\r\n", "host: h|X-A: a\r\nX-B: b|");
    check_items("X-A: a\r\nAccept: b\r\nContent-Type: c\r\n", "X-A: a|Accept: b|Content-Type: c|");
    /* What has no value libcurl leaves out, in some versions with what stands behind it. */
    check_items("X-A:\r\nX-B: b\r\n", "X-A:|X-B: b|");
    check_items("X-A: \t\r\nX-B: b\r\n", "X-A: \t|X-B: b|");
    check_items("X-A: a\r\nX-B:\r\nX-C: c\r\n", "X-A: a\r\nX-B:\r\nX-C: c|");
    check_items("\r\nX-B: b\r\n", "|X-B: b|");
    check_items("X-A\r\nX-B: b\r\n", "X-A|X-B: b|");
}

static void test_none(void **state)
{
    struct vault_http_lines cut = {.cut = 0};
    char shown[256];

    (void)state;
    assert_int_equal(vault_http_lines_cut(&cut, NULL), VAULT_OK);
    items_of(&cut, shown, sizeof shown);
    assert_string_equal(shown, AGENT "|Expect:|");
    vault_http_lines_mend(&cut);
}

/* The text is mended after a refusal too. */
static void test_what_is_refused(void **state)
{
    static const char *const rows[] = {"A: a", "A: a\r", "A: a\n", "A: a\r\nB: b",
                                       "X-A: a\r\nX-B: b"};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct vault_http_lines cut = {.cut = 0};
        char *text = strdup(rows[i]);

        assert_int_equal(vault_http_lines_cut(&cut, text), VAULT_INTERNAL);
        vault_http_lines_mend(&cut);
        assert_string_equal(text, rows[i]);
        free(text);
    }
}

/* 31 items, and as many lines as there are that go along. */
static void test_limit(void **state)
{
    (void)state;
    for (int count = 31; count <= 32; count++) {
        struct vault_http_lines cut = {.cut = 0};
        char text[1024] = "", before[1024];

        for (int i = 0; i < count; i++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "A%d: a\r\n", i);
        for (int i = 0; i < 10; i++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "X-%d: x\r\n", i);
        strcpy(before, text);
        assert_int_equal(vault_http_lines_cut(&cut, text), count == 31 ? VAULT_OK : VAULT_INTERNAL);
        vault_http_lines_mend(&cut);
        assert_string_equal(text, before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_items),
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
