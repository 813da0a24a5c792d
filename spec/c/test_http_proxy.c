/* test_http_proxy - which proxy a transfer goes through, and what proxies do to it.
 *
 * For:   ways through and past a proxy; CONNECT that is refused; what must not be taken for AWS's
 *        words, and what must not be said.
 * Never: the rest of a transfer (test_http).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "call.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

/* How many requests the proxy and the host itself get. */
static void check_way(const char *no_proxy, bool direct, unsigned proxied)
{
    static struct server proxy, host;
    struct call call;
    char request[8192], wanted[128];

    proxy = (struct server){.answer = ANSWER};
    host = (struct server){.answer = ANSWER};
    server_start(&proxy);
    server_start(&host);
    open_call(&call, host.url);
    call.settings.http_proxy = proxy.url;
    call.settings.no_proxy = no_proxy;
    call.exchange.direct = direct;
    assert_int_equal(perform(&call), VAULT_OK);
    assert_int_equal(atomic_load(&proxy.requests), proxied);
    assert_int_equal(atomic_load(&host.requests), 1 - proxied);
    if (proxied) {
        server_last(&proxy, request, sizeof request);
        snprintf(wanted, sizeof wanted, "POST %s HTTP/1.1\r\nHost: ", host.url);
        assert_memory_equal(request, wanted, strlen(wanted));
    }
    close_call(&call);
    server_stop(&proxy);
    server_stop(&host);
}

static void test_ways(void **state)
{
    (void)state;
    check_way(NULL, false, 1);
    check_way("example.com,127.0.0.2", false, 1);
    check_way("example.com,127.0.0.1", false, 0);
    check_way("*", false, 0);
    check_way(NULL, true, 0);
}

/* The environment that libcurl sees is not asked. */
static void test_own_environment_is_not_read(void **state)
{
    static const char *const names[] = {"http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"};
    static struct server host;
    struct call call;

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++)
        setenv(names[i], "http://127.0.0.1:1", 1);
    host = (struct server){.answer = ANSWER};
    server_start(&host);
    open_call(&call, host.url);
    assert_int_equal(perform(&call), VAULT_OK);
    close_call(&call);
    server_stop(&host);
    for (size_t i = 0; i < COUNT(names); i++)
        unsetenv(names[i]);
    setenv("NO_PROXY", "*", 1);
    check_way(NULL, false, 1);
    unsetenv("NO_PROXY");
}

/* An https call through a proxy that answers CONNECT so. */
static void call_through(struct call *call, const char *answer, enum server_end end)
{
    static const char wanted[] = "CONNECT secretsmanager.eu-west-1.amazonaws.com:443 HTTP/1.1\r\n";
    static struct server proxy;

    proxy = (struct server){.answer = answer, .end = end};
    server_start(&proxy);
    open_call(call, "https://secretsmanager.eu-west-1.amazonaws.com/");
    call->settings.https_proxy = proxy.url;
    (void)perform(call);
    server_stop(&proxy);
    assert_memory_equal(proxy.last, wanted, sizeof wanted - 1);
    assert_null(strstr(proxy.last, "X-Own"));
    assert_non_null(strstr(proxy.last, "\r\nUser-Agent: lua-resty-vaults/"));
}

static void test_connect_is_refused(void **state)
{
    static const struct {
        const char *answer;
        enum server_end end;
        enum vault_status outcome;
    } rows[] = {
        {"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", SERVER_KEEP, VAULT_PROXY_FAILED},
        {"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n",
         SERVER_KEEP, VAULT_PROXY_FAILED},
        {"HTTP/1.1 502 Bad\r\n\r\n<html>", SERVER_CLOSE, VAULT_PROXY_FAILED},
        {"", SERVER_CLOSE, VAULT_CONNECTION_LOST},
        {"", SERVER_RESET, VAULT_CONNECTION_LOST},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct call call;

        call_through(&call, rows[i].answer, rows[i].end);
        if (call.exchange.outcome != rows[i].outcome)
            fail_msg("row %zu: %s: %s", i, vault_status_row(call.exchange.outcome)->word,
                     call.exchange.why.text);
        assert_non_null(strstr(call.exchange.why.text, " (a proxy is configured)"));
        close_call(&call);
    }
}

/* A proxy's clock is not AWS's, nor are its words. */
static void test_headers_of_the_proxy(void **state)
{
    struct call call;

    (void)state;
    call_through(&call,
                 "HTTP/1.1 503 Busy\r\nDate: Sun, 30 Aug 2015 12:36:00 GMT\r\n"
                 "x-amzn-errortype: A\r\nx-amzn-requestid: B\r\nx-amz-retry-after: 7\r\n"
                 "Content-Length: 0\r\n\r\n",
                 SERVER_KEEP);
    assert_int_equal(call.exchange.outcome, VAULT_PROXY_FAILED);
    assert_int_equal(call.exchange.date, -1);
    assert_int_equal(call.exchange.retry_after_ms, -1);
    assert_string_equal(call.exchange.error_type, "");
    assert_string_equal(call.exchange.request_id, "");
    close_call(&call);
}

/* None of these can be used; the user's name and password in them stay unsaid. */
static void test_proxies_that_cannot_be(void **state)
{
    static const char *const proxies[] = {
        "http://user:CANARY@127.0.0.1:1",
        "ftp://user:CANARY@127.0.0.1:1",
        "gopher7://user:CANARY@127.0.0.1",
        "http://user:CANARY@127.0.0.1:999999",
        "http://user:CANARY@[::1",
        "http://user:CANARY@bad host/",
        "user:CANARY@127.0.0.1:999999",
        "http://user:CANARY@",
        "socks5://user:CANARY@127.0.0.1:1",
        "http://user:CANARY%40@%zz:x",
        "http://user:CANARY",
        "http://user:CANARY%40127.0.0.1:1",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(proxies); i++) {
        struct call call;

        open_call(&call, "https://127.0.0.1:1/");
        call.settings.https_proxy = proxies[i];
        (void)perform(&call);
        if (call.exchange.outcome == VAULT_OK || strstr(call.exchange.why.text, "CANARY"))
            fail_msg("%s: %s: %s", proxies[i], vault_status_row(call.exchange.outcome)->word,
                     call.exchange.why.text);
        close_call(&call);
    }
}

static int start_http(void **state)
{
    struct vault_message why = {0};

    (void)state;
    return vault_http_start(&why) == VAULT_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ways),
        cmocka_unit_test(test_own_environment_is_not_read),
        cmocka_unit_test(test_connect_is_refused),
        cmocka_unit_test(test_headers_of_the_proxy),
        cmocka_unit_test(test_proxies_that_cannot_be),
    };

    return cmocka_run_group_tests(tests, start_http, NULL);
}
