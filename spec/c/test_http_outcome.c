/* test_http_outcome - what the end of a transfer means.
 *
 * For:   every code of libcurl that is told apart; time-outs by what they waited for.
 * Never: what goes before the end (test_http).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <netdb.h>

#include "call.h"
#include "child.h"
#include "http_outcome.h"

/* libcurl's resolver is this program's: "hang.test" takes 3 s or until it may go, "*.test" does not
 * exist. */
static atomic_int resolving;
static atomic_bool may_go;

__attribute__((visibility("default"))) int getaddrinfo(const char *restrict name,
                                                       const char *restrict service,
                                                       const struct addrinfo *restrict hints,
                                                       struct addrinfo **restrict found)
{
    (void)service;
    (void)hints;
    (void)found;
    atomic_fetch_add(&resolving, 1);
    for (int i = 0; i < 300 && strcmp(name, "hang.test") == 0 && !atomic_load(&may_go); i++)
        rest_ms(10);
    atomic_fetch_sub(&resolving, 1);
    return EAI_NONAME;
}

static void test_codes(void **state)
{
    static const struct {
        CURLcode code;
        enum vault_status status;
    } rows[] = {
        {CURLE_OK, VAULT_OK},
        {CURLE_COULDNT_RESOLVE_HOST, VAULT_RESOLVE_FAILED},
        {CURLE_COULDNT_RESOLVE_PROXY, VAULT_PROXY_FAILED},
        {CURLE_PROXY, VAULT_PROXY_FAILED},
        {CURLE_COULDNT_CONNECT, VAULT_CONNECT_FAILED},
        {CURLE_SEND_ERROR, VAULT_CONNECTION_LOST},
        {CURLE_RECV_ERROR, VAULT_CONNECTION_LOST},
        {CURLE_GOT_NOTHING, VAULT_CONNECTION_LOST},
        {CURLE_PARTIAL_FILE, VAULT_CONNECTION_LOST},
        {CURLE_SSL_CONNECT_ERROR, VAULT_TLS_FAILED},
        {CURLE_PEER_FAILED_VERIFICATION, VAULT_TLS_FAILED},
        {CURLE_SSL_CACERT_BADFILE, VAULT_TLS_FAILED},
        {CURLE_URL_MALFORMAT, VAULT_BAD_ENDPOINT},
        {CURLE_UNSUPPORTED_PROTOCOL, VAULT_BAD_RESPONSE},
        {CURLE_WEIRD_SERVER_REPLY, VAULT_BAD_RESPONSE},
        {CURLE_OUT_OF_MEMORY, VAULT_NO_MEMORY},
        {CURLE_FAILED_INIT, VAULT_INTERNAL},
        {CURLE_WRITE_ERROR, VAULT_INTERNAL},
        {CURL_LAST, VAULT_INTERNAL},
    };
    CURL *easy = curl_easy_init();

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(vault_http_outcome(easy, rows[i].code, ""), rows[i].status);
    for (int code = 1; code < CURL_LAST; code++)
        assert_int_not_equal(vault_http_outcome(easy, (CURLcode)code, ""), VAULT_OK);
    curl_easy_cleanup(easy);
}

/* What only the text tells: of 7.76, 7.81 and 7.88. */
static void test_texts(void **state)
{
    static const struct {
        CURLcode code;
        const char *text;
        enum vault_status status;
    } rows[] = {
        {CURLE_SSL_CONNECT_ERROR,
         "OpenSSL SSL_connect: Connection reset by peer in connection to a", VAULT_CONNECTION_LOST},
        {CURLE_SSL_CONNECT_ERROR, "OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to a:443",
         VAULT_CONNECTION_LOST},
        {CURLE_SSL_CONNECT_ERROR,
         "error:1408F10B:SSL routines:ssl3_get_record:wrong version number", VAULT_TLS_FAILED},
        {CURLE_OPERATION_TIMEDOUT, "Resolving timed out after 100 milliseconds",
         VAULT_RESOLVE_FAILED},
        {CURLE_OPERATION_TIMEDOUT, "Operation timed out after 100 milliseconds", VAULT_TIMEOUT},
    };
    CURL *easy = curl_easy_init();

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(vault_http_outcome(easy, rows[i].code, rows[i].text), rows[i].status);
    curl_easy_cleanup(easy);
}

/* How a call to `url` ends that is given 100 ms for something. */
static enum vault_status call_briefly(const char *url, long connect_ms, int64_t timeout_ms)
{
    int64_t before = test_clock_ms();
    enum vault_status outcome;
    struct call call;

    open_call(&call, url);
    call.settings.connect_timeout_ms = connect_ms;
    call.timeout_ms = timeout_ms;
    outcome = perform(&call);
    assert_true(test_clock_ms() - before < 1500);
    close_call(&call);
    return outcome;
}

/* Before 7.87 libcurl waits for its resolver, however long that takes (README, "It needs"). */
#define HANGS (LIBCURL_VERSION_NUM < 0x075700)

static void test_resolving(void **state)
{
    (void)state;
    atomic_store(&may_go, HANGS);
    assert_int_equal(call_briefly("http://nosuch.test/", 3000, 3000), VAULT_RESOLVE_FAILED);
    assert_int_equal(call_briefly("http://hang.test/", 3000, 100), VAULT_RESOLVE_FAILED);
    assert_int_equal(call_briefly("http://hang.test/", 100, 3000), VAULT_RESOLVE_FAILED);
    atomic_store(&may_go, true);
    while (atomic_load(&resolving)) /* nobody waited for these threads */
        rest_ms(10);
    rest_ms(20);
}

/* A host that takes no more connections: its queue of one is full. */
static void test_connecting(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int listener, streams[4];
    unsigned short port;
    char url[64];

    (void)state;
    listener = server_listen(&port);
    assert_int_equal(listen(listener, 0), 0);
    address.sin_port = htons(port);
    for (int i = 0; i < 4; i++) {
        streams[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(streams[i], (struct sockaddr *)&address, sizeof address);
    }
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", port);
    assert_int_equal(call_briefly(url, 100, 3000), VAULT_CONNECT_FAILED);
    assert_int_equal(call_briefly(url, 3000, 100), VAULT_CONNECT_FAILED);
    for (int i = 0; i < 4; i++)
        close(streams[i]);
    close(listener);
}

static void test_waiting_for_the_answer(void **state)
{
    static struct server server = {.answer = "", .end = SERVER_HANG};
    char https[64];

    (void)state;
    server_start(&server);
    assert_int_equal(call_briefly(server.url, 3000, 100), VAULT_TIMEOUT);
    /* A handshake that does not end is part of connecting. */
    snprintf(https, sizeof https, "https://127.0.0.1:%d/", server.port);
    assert_int_equal(call_briefly(https, 100, 3000), VAULT_CONNECT_FAILED);
    assert_int_equal(call_briefly(https, 3000, 100), VAULT_CONNECT_FAILED);
    server_stop(&server);
}

/* A handshake cut off by the network may succeed the next time; one that is refused will not. */
static void test_handshakes(void **state)
{
    static struct server reset = {.answer = "", .end = SERVER_RESET, .unasked = true};
    static struct server plain = {.answer = "HTTP/1.1 400 Bad\r\n\r\n", .unasked = true};
    struct server *const servers[] = {&reset, &plain};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct call call;
        char url[64];

        server_start(servers[i]);
        snprintf(url, sizeof url, "https://127.0.0.1:%d/", servers[i]->port);
        open_call(&call, url);
        assert_int_equal(perform(&call), i ? VAULT_TLS_FAILED : VAULT_CONNECTION_LOST);
        close_call(&call);
        server_stop(servers[i]);
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
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_resolving),
        cmocka_unit_test(test_connecting),
        cmocka_unit_test(test_waiting_for_the_answer),
        cmocka_unit_test(test_handshakes),
    };

    /* libcurl before 7.87 has OpenSSL write to connections that were reset. */
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, start_http, NULL);
}
