/* test_http_address - which addresses an exchange may go to, and how long it may take by itself.
 *
 * For:   may_connect and timeout_ms of an exchange, with names that resolve to what a test wants.
 * Never: which addresses are right (test_container_address).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <netdb.h>

#include "call.h"
#include "child.h"

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
#define EMPTY  "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

/* libcurl's resolver is this program's: every name has these two addresses, in this order. */
static uint32_t addresses[2];
static int resolver_takes_ms;

__attribute__((visibility("default"))) int getaddrinfo(const char *restrict name,
                                                       const char *restrict service,
                                                       const struct addrinfo *restrict hints,
                                                       struct addrinfo **restrict found)
{
    struct addrinfo **at = found;

    (void)name;
    (void)hints;
    rest_ms(resolver_takes_ms);
    for (int i = 0; i < 2; i++) {
        struct sockaddr_in *address = calloc(1, sizeof *address);

        *address = (struct sockaddr_in){.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)atoi(service ? service : "0")),
                                        .sin_addr = {htonl(addresses[i])}};
        *at = calloc(1, sizeof **at);
        **at = (struct addrinfo){.ai_family = AF_INET,
                                 .ai_socktype = SOCK_STREAM,
                                 .ai_addrlen = sizeof *address,
                                 .ai_addr = (struct sockaddr *)address};
        at = &(*at)->ai_next;
    }
    return 0;
}

__attribute__((visibility("default"))) void freeaddrinfo(struct addrinfo *found)
{
    while (found) {
        struct addrinfo *next = found->ai_next;

        free(found->ai_addr);
        free(found);
        found = next;
    }
}

static unsigned asked;

/* 127.0.0.1 and no other. */
static bool only_one(const void *sockaddr)
{
    const struct sockaddr_in *address = sockaddr;

    asked++;
    assert_int_equal(address->sin_family, AF_INET);
    return address->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
}

/* The outcome of a call to a name of `first` and `second`; what came of it at the server. */
static enum vault_status call_name(uint32_t first, uint32_t second, const char *answer,
                                   unsigned *requests)
{
    static struct server server;
    enum vault_status outcome;
    struct call call;
    char url[64];

    server = (struct server){.answer = answer};
    server_start(&server);
    addresses[0] = first;
    addresses[1] = second;
    asked = 0;
    snprintf(url, sizeof url, "http://name.test:%d/", server.port);
    open_call(&call, url);
    call.exchange.may_connect = only_one;
    call.timeout_ms = 1000;
    outcome = perform(&call);
    *requests = atomic_load(&server.requests);
    close_call(&call);
    server_stop(&server);
    return outcome;
}

static void test_addresses(void **state)
{
    const uint32_t good = INADDR_LOOPBACK, bad = INADDR_LOOPBACK + 1;
    unsigned requests;

    (void)state;
    assert_int_equal(call_name(good, good, ANSWER, &requests), VAULT_OK);
    assert_int_equal(requests, 1);
    assert_int_equal(asked, 1);
    assert_int_equal(call_name(bad, bad, ANSWER, &requests), VAULT_BAD_ENDPOINT);
    assert_int_equal(requests, 0);
    /* One that was refused ends the exchange, whatever another of the name would have said. */
    assert_int_equal(call_name(bad, good, ANSWER, &requests), VAULT_BAD_ENDPOINT);
    assert_int_equal(call_name(bad, good, EMPTY, &requests), VAULT_BAD_ENDPOINT);
    assert_int_equal(requests, 0);
}

/* A connection kept from an exchange that asked nobody is not used by one that asks; and none by
 * one that wants a fresh one. */
static void test_kept_connections(void **state)
{
    static struct server server = {.answer = ANSWER};
    struct vault_http_settings settings = {.connect_timeout_ms = 3000};
    struct vault_transfer *transfer = NULL;

    (void)state;
    server_start(&server);
    asked = 0;
    assert_int_equal(vault_transfer_new(&settings, &transfer), VAULT_OK);
    for (int i = 0; i < 5; i++) {
        struct call call;

        open_call(&call, server.url);
        call.exchange.may_connect = i == 1 ? only_one : NULL;
        call.exchange.fresh = i == 3;
        assert_int_equal(perform_on(transfer, &call), VAULT_OK);
        close_call(&call);
    }
    assert_int_equal(asked, 1);
    assert_int_equal(atomic_load(&server.connections), 3);
    vault_transfer_free(transfer);
    server_stop(&server);
}

/* A connection that is to be a fresh one may take twice as long to come about. */
static void test_a_slow_resolver(void **state)
{
    static struct server server = {.answer = ANSWER};

    (void)state;
    server_start(&server);
    addresses[0] = addresses[1] = INADDR_LOOPBACK;
    resolver_takes_ms = 150;
    for (int fresh = 0; fresh < 2; fresh++) {
        struct call call;
        char url[64];

        snprintf(url, sizeof url, "http://name.test:%d/", server.port);
        open_call(&call, url);
        call.settings.connect_timeout_ms = 100;
        call.exchange.fresh = fresh;
        assert_int_equal(perform(&call), fresh ? VAULT_OK : VAULT_RESOLVE_FAILED);
        close_call(&call);
    }
    resolver_takes_ms = 0;
    server_stop(&server);
}

static void test_own_time_out(void **state)
{
    static const struct {
        int64_t own, given;
    } rows[] = {{50, 5000}, {5000, 50}, {0, 50}};
    static struct server hang = {.answer = "", .end = SERVER_HANG};

    (void)state;
    server_start(&hang);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t before = test_clock_ms();
        struct call call;

        open_call(&call, hang.url);
        call.exchange.timeout_ms = rows[i].own;
        call.timeout_ms = rows[i].given;
        assert_int_equal(perform(&call), VAULT_TIMEOUT);
        assert_in_range(test_clock_ms() - before, 45, 2000);
        close_call(&call);
    }
    server_stop(&hang);
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
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_kept_connections),
        cmocka_unit_test(test_a_slow_resolver),
        cmocka_unit_test(test_own_time_out),
    };

    return cmocka_run_group_tests(tests, start_http, NULL);
}
