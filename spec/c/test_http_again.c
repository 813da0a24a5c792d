/* test_http_again - a handle from one exchange to the next, and from its beginning to its end.
 *
 * For:   nothing of one exchange in the next; exchanges that cannot be begun; what a connection is
 *        told to notice.
 * Never: what becomes of an answer (test_http).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "call.h"
#include "version.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define OK_HEAD      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"

static void test_header_lines_that_are_none(void **state)
{
    static const char *const none[] = {"Y: y", "Y: y\n", "Y: y\r\nZ: z\r"};
    struct call call;

    (void)state;
    for (size_t i = 0; i < COUNT(none); i++) {
        struct vault_transfer *transfer;

        open_call(&call, "http://127.0.0.1/");
        transfer = open_transfer(&call);
        assert_int_equal(vault_buffer_text(&call.exchange.headers, none[i]), VAULT_OK);
        assert_int_equal(vault_transfer_begin(transfer, &call.exchange, 1000), VAULT_INTERNAL);
        assert_memory_equal(call.exchange.headers.data, "X-Own: own\r\n", 12);
        vault_transfer_free(transfer);
        close_call(&call);
    }
    open_call(&call, "http://127.0.0.1/");
    for (int i = 0; i < 31; i++)
        assert_int_equal(vault_buffer_text(&call.exchange.headers, "Y: y\r\n"), VAULT_OK);
    {
        struct vault_transfer *transfer = open_transfer(&call);

        assert_int_equal(vault_transfer_begin(transfer, &call.exchange, 1000), VAULT_INTERNAL);
        vault_transfer_free(transfer);
    }
    vault_transfer_free(NULL);
    close_call(&call);
}

/* Whichever go along with others: libcurl adds none of its own that are there. Host, which it puts
 * first, stands between the two. */
static void test_header_lines(void **state)
{
    static struct server server = {.answer = OK_HEAD "\r\n{}"};
    static const struct {
        const char *before, *behind, *own;
    } rows[] = {
        {"Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: secretsmanager.A\r\n",
         "X-Amz-Date: 20261129T000000Z\r\nX-Amz-Security-Token: a:b\r\n"
         "Authorization: AWS4-HMAC-SHA256 Credential=C\r\n",
         "Accept: */*\r\n"},
        {"x-amz-sso_bearer_token: t\r\nAccept: application/json\r\n",
         "content-type: text/plain\r\n", ""},
        {"", "authorization: t\r\nX-One: 1\r\nAccept: a\r\nX-Two: 2\r\nContent-Type: b\r\n", ""},
    };

    (void)state;
    server_start(&server);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct call call;
        char request[8192], lines[1024], wanted[1024];

        snprintf(lines, sizeof lines, "%sHost: other\r\n%s", rows[i].before, rows[i].behind);
        open_call(&call, server.url);
        vault_buffer_clear(&call.exchange.headers);
        assert_int_equal(vault_buffer_text(&call.exchange.headers, lines), VAULT_OK);
        assert_int_equal(perform(&call), VAULT_OK);
        server_last(&server, request, sizeof request);
        snprintf(wanted, sizeof wanted,
                 "POST / HTTP/1.1\r\nHost: other\r\n%s%s%s"
                 "User-Agent: lua-resty-vaults/" VAULT_VERSION "\r\nContent-Length: 2\r\n\r\n{}",
                 rows[i].own, rows[i].before, rows[i].behind);
        assert_string_equal(request, wanted);
        assert_string_equal(call.exchange.headers.data, lines);
        close_call(&call);
    }
    server_stop(&server);
}

/* One handle, one exchange after the other: nothing of the one before is in the next. */
static void test_one_after_the_other(void **state)
{
    static struct server first = {.answer = OK_HEAD "X-Amzn-RequestId: one\r\nDate: Sun\r\n\r\n{}"};
    static struct server second = {.answer = "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"};
    static const struct row {
        struct server *server;
        const char *method, *header, *body, *wanted, *lacks;
        int status;
    } rows[] = {
        {&first, "POST", "X-One: 1\r\n", "{\"a\":1}", "POST / HTTP/1.1\r\n", "X-Two", 200},
        {&second, "GET", "X-Two: 2\r\n", "", "GET / HTTP/1.1\r\n", "X-One", 404},
        {&first, "PUT", "X-Two: 2\r\n", "", "PUT / HTTP/1.1\r\n", "a\":1", 200},
        {&second, "POST", "X-One: 1\r\n", "{}", "POST / HTTP/1.1\r\n", "X-Two", 404},
        {&second, "GET", "", "", "GET / HTTP/1.1\r\n", "X-One", 404},
    };
    struct vault_http_settings settings = {.connect_timeout_ms = 3000};
    struct vault_transfer *transfer = NULL;
    char request[8192];

    (void)state;
    server_start(&first);
    server_start(&second);
    assert_int_equal(vault_transfer_new(&settings, &transfer), VAULT_OK);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct call call;

        open_call(&call, rows[i].server->url);
        call.exchange.method = rows[i].method;
        vault_buffer_clear(&call.exchange.headers);
        vault_buffer_clear(&call.exchange.body);
        assert_int_equal(vault_buffer_text(&call.exchange.headers, rows[i].header), VAULT_OK);
        assert_int_equal(vault_buffer_text(&call.exchange.body, rows[i].body), VAULT_OK);
        assert_int_equal(perform_on(transfer, &call), VAULT_OK);
        server_last(rows[i].server, request, sizeof request);
        assert_memory_equal(request, rows[i].wanted, strlen(rows[i].wanted));
        assert_non_null(strstr(request, rows[i].header));
        assert_non_null(strstr(request, rows[i].body));
        assert_null(strstr(request, rows[i].lacks));
        assert_int_equal(call.exchange.status, rows[i].status);
        assert_string_equal(call.exchange.request_id, rows[i].status == 200 ? "one" : "");
        assert_int_equal(call.exchange.date, -1);
        assert_string_equal(call.exchange.headers.data, rows[i].header);
        close_call(&call);
    }
    assert_int_equal(atomic_load(&first.connections), 1);
    assert_int_equal(atomic_load(&second.connections), 1);
    vault_transfer_free(transfer);
    server_stop(&first);
    server_stop(&second);
}

static void assert_option(curl_socket_t made, int level, int name, int wanted)
{
    int value = -1;
    socklen_t size = sizeof value;

    assert_int_equal(getsockopt(made, level, name, &value, &size), 0);
    assert_int_equal(value, wanted);
}

/* What a connection does about another end that is gone without a word: while it is asked
 * something, and while it is only kept. */
static void test_silence_is_noticed(void **state)
{
    static struct server server = {.answer = OK_HEAD "\r\n{}"};
    struct vault_transfer *transfer;
    curl_socket_t made = CURL_SOCKET_BAD;
    struct call call;

    (void)state;
    server_start(&server);
    open_call(&call, server.url);
    call.settings.connect_timeout_ms = 2345;
    transfer = open_transfer(&call);
    assert_int_equal(perform_on(transfer, &call), VAULT_OK);
    assert_int_equal(curl_easy_getinfo(vault_transfer_easy(transfer), CURLINFO_ACTIVESOCKET, &made),
                     CURLE_OK);
    assert_option(made, IPPROTO_TCP, TCP_USER_TIMEOUT, 2345);
    assert_option(made, SOL_SOCKET, SO_KEEPALIVE, 1);
    assert_option(made, IPPROTO_TCP, TCP_KEEPIDLE, 10);
    assert_option(made, IPPROTO_TCP, TCP_KEEPINTVL, 3);
    vault_transfer_free(transfer);
    close_call(&call);
    server_stop(&server);
}

static void test_allocations(void **state)
{
    static struct server server = {.answer = OK_HEAD "\r\n{}"};
    enum vault_status status = VAULT_NO_MEMORY;
    unsigned long nth;

    (void)state;
    server_start(&server);
    for (nth = 1; status == VAULT_NO_MEMORY; nth++) {
        struct vault_transfer *transfer = NULL;
        struct call call;

        open_call(&call, server.url);
        (void)vault_alloc_fail(nth);
        status = vault_transfer_new(&call.settings, &transfer);
        if (status == VAULT_OK)
            status = vault_transfer_begin(transfer, &call.exchange, 5000);
        if (status == VAULT_OK) {
            vault_transfer_finish(transfer, curl_easy_perform(vault_transfer_easy(transfer)));
            status = call.exchange.outcome;
        }
        (void)vault_alloc_fail(0);
        vault_transfer_free(transfer);
        close_call(&call);
    }
    assert_int_equal(status, VAULT_OK);
    assert_true(nth > 3);
    server_stop(&server);
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
        cmocka_unit_test(test_header_lines_that_are_none),
        cmocka_unit_test(test_header_lines),
        cmocka_unit_test(test_one_after_the_other),
        cmocka_unit_test(test_silence_is_noticed),
        cmocka_unit_test(test_allocations),
    };

    return cmocka_run_group_tests(tests, start_http, NULL);
}
