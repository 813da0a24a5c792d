/* test_url - what is a URL for an endpoint, and the fault of what is none.
 *
 * For:   one row per rule of url.h.
 * Never: what an endpoint makes of it (test_endpoint).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "url.h"

static void test_good(void **state)
{
    static const struct {
        const char *text, *host, *path;
        unsigned port;
        bool https;
    } rows[] = {
        {"https://h", "h", "", 0, true},
        {"http://H.Example/", "H.Example", "/", 0, false},
        {"hTTps://a-b_c.d1", "a-b_c.d1", "", 0, true},
        {"http://h:1", "h", "", 1, false},
        {"http://h:65535/x", "h", "/x", 65535, false},
        {"http://h:80", "h", "", 0, false},
        {"https://h:80", "h", "", 80, true},
        {"http://1.2.3.4:81", "1.2.3.4", "", 81, false},
        {"http://0.0.0.0", "0.0.0.0", "", 0, false},
        {"http://255.255.255.255", "255.255.255.255", "", 0, false},
        {"http://1.2.3.4.example", "1.2.3.4.example", "", 0, false},
        {"http://0xz", "0xz", "", 0, false},
        {"http://[::]", "[::]", "", 0, false},
        {"http://[1::]", "[1::]", "", 0, false},
        {"http://[::1]:81/", "[::1]", "/", 81, false},
        {"http://[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7:8]", "", 0, false},
        {"http://[1:2:3::6:7:8]", "[1:2:3::6:7:8]", "", 0, false},
        {"http://[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]", "", 0, false},
        {"http://[::2:3:4:5:6:1.2.3.4]", "[::2:3:4:5:6:1.2.3.4]", "", 0, false},
        {"http://[1:2:3:4:5:6:1.2.3.4]", "[1:2:3:4:5:6:1.2.3.4]", "", 0, false},
        {"http://h/a/b.c/...,~!$&'()*+;=:@-_%20/", "h", "/a/b.c/...,~!$&'()*+;=:@-_%20/", 0, false},
        {"http://h/.a/a./%2ea", "h", "/.a/a./%2ea", 0, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vault_message why = {0};
        struct vault_url url = {0};

        if (vault_url_read(rows[i].text, &url, &why) != VAULT_OK)
            fail_msg("%s: %s", rows[i].text, why.text);
        assert_int_equal(url.https, rows[i].https);
        assert_int_equal(url.port, rows[i].port);
        assert_int_equal(url.host_length, strlen(rows[i].host));
        assert_memory_equal(url.host, rows[i].host, url.host_length);
        assert_string_equal(url.path, rows[i].path);
        assert_int_equal(why.length, 0);
    }
}

static void expect_fault(const char *text, const char *fault)
{
    struct vault_message why = {0};
    struct vault_url url = {.port = 7};

    if (vault_url_read(text, &url, &why) != VAULT_BAD_ENDPOINT)
        fail_msg("%s: was taken", text);
    if (!strstr(why.text, fault))
        fail_msg("%s: '%s' lacks '%s'", text, why.text, fault);
    assert_null(strstr(why.text, "CANARY"));
    assert_int_equal(url.port, 7);
    assert_null(url.host);
}

static void test_faults(void **state)
{
    static const char scheme[] = "does not begin with", host[] = "has a host that is no",
                      port[] = "has a port that", blank[] = "holds a blank",
                      segment[] = "empty or a dot segment", userinfo[] = "user name or a password";
    static const struct {
        const char *text, *fault;
    } rows[] = {
        {"", scheme},
        {"h", scheme},
        {"//h", scheme},
        {"ftp://h", scheme},
        {"https:/h", scheme},
        {"file:///etc/passwd", scheme},
        {"httpx://h", scheme},
        {"unix:/CANARY", scheme},
        {"http://", "has no host"},
        {"http:///x", "has no host"},
        {"http://:80", "has no host"},
        {"http://CANARY@h", userinfo},
        {"http://u:CANARY@h", userinfo},
        {"http://@h", userinfo},
        {"http://u:80@h", userinfo},
        {"http://a@[::1]", userinfo},
        {"http://h?CANARY", "query"},
        {"http://h/?CANARY", "query"},
        {"http://h/?", "query"},
        {"http://h#CANARY", "fragment"},
        {"http://h/#", "fragment"},
        {" http://h", blank},
        {"http://h ", blank},
        {"http://h\n", blank},
        {"http://h\tx", blank},
        {"http://h\r\nX-A: CANARY", blank},
        {"http://\xC3\xBC", blank},
        {"http://h\x7f", blank},
        {"http://h\\@evil", blank},
        {"http://h/{x}", blank},
        {"http://h/\"", blank},
        {"http://h/a|b", blank},
        {"http://h/^", blank},
        {"http://h/`", blank},
        {"http://<h>", blank},
        {"http://.", host},
        {"http://.h", host},
        {"http://h.", host},
        {"http://a..b", host},
        {"http://h%41", host},
        {"http://h,i", host},
        {"http://h:1:2", port},
        {"http://127.1", host},
        {"http://2130706433", host},
        {"http://0x7f000001", host},
        {"http://0X7F.1", host},
        {"http://1.2.3.256", host},
        {"http://1.2.3.04", host},
        {"http://1.2.3.4.5", host},
        {"http://01.2.3.4", host},
        {"http://a.1", host},
        {"http://::1", "has no host"},
        {"http://1::", host},
        {"http://[", host},
        {"http://]", host},
        {"http://[]", host},
        {"http://[::1", host},
        {"http://[::1]x", host},
        {"http://[:]", host},
        {"http://[:::]", host},
        {"http://[::1::]", host},
        {"http://[1:2:3:4:5:6:7]", host},
        {"http://[1:]", host},
        {"http://[1:2:3:4:5:6:7:8:9]", host},
        {"http://[::1:2:3:4:5:6:7:8]", host},
        {"http://[12345::]", host},
        {"http://[g::]", host},
        {"http://[fe80::1%25eth0]", host},
        {"http://[1.2.3.4]", host},
        {"http://[::1.2.3]", host},
        {"http://[1:2:3:4:5:6:7:1.2.3.4]", host},
        {"http://[::1]80", host},
        {"http://[v1.a]", host},
        {"http://[::1:2:3:4:5:6:1.2.3.4]", host},
        {"http://h:", port},
        {"http://h:0", port},
        {"http://h:65536", port},
        {"http://h:999999", port},
        {"http://h:-1", port},
        {"http://h:+80", port},
        {"http://h:8a", port},
        {"http://[::1]:", port},
        {"http://h//", segment},
        {"http://h/a//b", segment},
        {"http://h/.", segment},
        {"http://h/..", segment},
        {"http://h/a/../b", segment},
        {"http://h/./", segment},
        {"http://h/%2e", segment},
        {"http://h/%2E%2e/", segment},
        {"http://h/.%2e", segment},
        {"http://h/%2e.", segment},
        {"http://h/%", "percent"},
        {"http://h/%2", "percent"},
        {"http://h/%zz", "percent"},
        {"http://h/[x", "percent"},
        {"http://h/x]", "percent"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_fault(rows[i].text, rows[i].fault);
}

static void test_lengths(void **state)
{
    char text[2060];
    struct vault_message why = {0};
    struct vault_url url = {0};

    (void)state;
    memset(text, 'x', sizeof text);
    memcpy(text, "http://h/", 9);
    text[2048] = '\0';
    assert_int_equal(vault_url_read(text, &url, &why), VAULT_OK);
    text[2048] = 'x';
    text[2049] = '\0';
    expect_fault(text, "over 2048 bytes");
    memset(text, 'x', sizeof text);
    memcpy(text, "http://", 7);
    text[7 + 253] = '\0';
    assert_int_equal(vault_url_read(text, &url, &why), VAULT_OK);
    text[7 + 253] = 'x';
    text[7 + 254] = '\0';
    expect_fault(text, "has a host that is no");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_lengths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
