/* test_container_address - the addresses and hosts of container_address.h.
 *
 * For:   each allowed one, its neighbours, and IPv4 mapped into IPv6.
 * Never: sockets.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "container_address.h"

static const struct {
    const char *text;
    bool allowed;
} rows[] = {
    {"127.0.0.1", true},
    {"127.0.0.0", true},
    {"127.255.255.255", true},
    {"126.255.255.255", false},
    {"128.0.0.1", false},
    {"169.254.170.2", true},
    {"169.254.170.23", true},
    {"169.254.170.1", false},
    {"169.254.170.3", false},
    {"169.254.170.22", false},
    {"169.254.169.254", false},
    {"2.170.254.169", false},
    {"0.0.0.0", false},
    {"10.0.0.1", false},
    {"::1", true},
    {"::", false},
    {"::2", false},
    {"fd00:ec2::23", true},
    {"fd00:ec2::24", false},
    {"fd00:ec2::254", false},
    {"fd00:ec2:0:1::23", false},
    {"::ffff:127.0.0.1", true},
    {"::ffff:169.254.170.2", true},
    {"::ffff:a9fe:aa17", true},
    {"::ffff:10.0.0.1", false},
    {"::127.0.0.1", false},
    {"64:ff9b::7f00:1", false},
    {"fe80::1", false},
};

static void test_address(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(80)};
        struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(80)};
        bool is_six = strchr(rows[i].text, ':') != NULL;

        assert_int_equal(is_six ? inet_pton(AF_INET6, rows[i].text, &six.sin6_addr)
                                : inet_pton(AF_INET, rows[i].text, &four.sin_addr),
                         1);
        if (vault_container_address(is_six ? (void *)&six : (void *)&four) != rows[i].allowed)
            fail_msg("%s", rows[i].text);
    }
}

static void test_other_family(void **state)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "/agent"};
    struct sockaddr none = {.sa_family = AF_UNSPEC};

    (void)state;
    assert_false(vault_container_address(&local));
    assert_false(vault_container_address(&none));
}

static void test_host(void **state)
{
    static const char *const names[] = {
        "localhost", "agent.internal", "127.0.0.1.example.com",
        "a-name-that-is-longer-than-any-address-can-be.example.com"};
    char host[64];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool is_six = strchr(rows[i].text, ':') != NULL;
        int length = snprintf(host, sizeof host, is_six ? "[%s]:80/" : "%s:80/", rows[i].text) - 4;

        if (vault_container_host(host, (size_t)length) != rows[i].allowed)
            fail_msg("%s", host);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_true(vault_container_host(names[i], strlen(names[i])));
    assert_false(vault_container_host("[no address]", 12));
    memset(host, ':', sizeof host);
    host[0] = '[';
    host[sizeof host - 1] = ']';
    assert_false(vault_container_host(host, sizeof host));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address),
        cmocka_unit_test(test_other_family),
        cmocka_unit_test(test_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
