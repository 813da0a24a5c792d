/* test_http - one HTTP transfer against a server of any manners.
 *
 * For:   what is sent; what of an answer is kept; limits; connections that fail.
 * Never: proxies (test_http_proxy), TLS (test_http_tls), many transfers (test_loop).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "call.h"
#include "child.h"
#include "version.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define OK_HEAD      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"

static void test_what_is_sent(void **state)
{
    static struct server server = {.answer = OK_HEAD "\r\n{}"};
    struct call call;
    char request[8192], wanted[512];

    (void)state;
    server_start(&server);
    open_call(&call, server.url);
    assert_int_equal(perform(&call), VAULT_OK);
    assert_int_equal(call.exchange.status, 200);
    assert_string_equal(call.exchange.answer.data, "{}");
    assert_string_equal(call.exchange.why.text, "");
    server_last(&server, request, sizeof request);
    snprintf(wanted, sizeof wanted,
             "POST / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: */*\r\nX-Own: own\r\n"
             "User-Agent: lua-resty-vaults/" VAULT_VERSION "\r\nContent-Length: 2\r\n"
             "Content-Type: application/x-www-form-urlencoded\r\n\r\n{}",
             server.port);
    assert_string_equal(request, wanted);
    assert_string_equal(call.exchange.headers.data, "X-Own: own\r\n");
    close_call(&call);

    open_call(&call, server.url);
    call.exchange.method = "PUT";
    vault_buffer_clear(&call.exchange.body);
    assert_int_equal(vault_buffer_text(&call.exchange.headers, "Host: other\r\n"), VAULT_OK);
    assert_int_equal(perform(&call), VAULT_OK);
    server_last(&server, request, sizeof request);
    assert_memory_equal(request, "PUT / HTTP/1.1\r\nHost: other\r\n", 29);
    assert_non_null(strstr(request, "Content-Length: 0\r\n"));
    assert_null(strstr(request, "Expect"));
    close_call(&call);

    open_call(&call, server.url);
    call.exchange.method = "GET";
    vault_buffer_free(&call.exchange.headers);
    assert_int_equal(perform(&call), VAULT_OK);
    server_last(&server, request, sizeof request);
    assert_memory_equal(request, "GET / HTTP/1.1\r\nHost: 127.0.0.1:", 32);
    assert_null(strstr(request, "Content-"));
    close_call(&call);
    server_stop(&server);
}

/* What becomes of an answer of any shape. */
static void test_answers(void **state)
{
    static const struct {
        const char *answer;
        enum server_end end;
        enum vault_status outcome;
        int status;
    } rows[] = {
        {"HTTP/1.1 400 Bad\r\nContent-Length: 1\r\n\r\nx", SERVER_KEEP, VAULT_OK, 400},
        {"HTTP/1.1 503 \r\nContent-Length: 1\r\n\r\nx", SERVER_KEEP, VAULT_OK, 503},
        {"HTTP/1.0 200 OK\r\n\r\nx", SERVER_CLOSE, VAULT_OK, 200},
        {"HTTP/1.1 204 No\r\n\r\n", SERVER_KEEP, VAULT_OK, 204},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", SERVER_KEEP,
         VAULT_OK, 200},
        /* not followed, wherever it leads */
        {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
         SERVER_KEEP, VAULT_OK, 302},
        {"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n",
         SERVER_KEEP, VAULT_OK, 401},
        {"", SERVER_CLOSE, VAULT_CONNECTION_LOST, 0},
        {"", SERVER_RESET, VAULT_CONNECTION_LOST, 0},
        {"HTTP/1.1 200 OK\r\nContent-Le", SERVER_RESET, VAULT_CONNECTION_LOST, 200},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", SERVER_RESET, VAULT_CONNECTION_LOST, 200},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", SERVER_CLOSE, VAULT_CONNECTION_LOST, 200},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", SERVER_RESET, VAULT_CONNECTION_LOST, 200},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nx", SERVER_CLOSE,
         VAULT_CONNECTION_LOST, 200},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nx", SERVER_CLOSE,
         VAULT_CONNECTION_LOST, 200},
        {"{\"SecretString\":\"x\"}", SERVER_CLOSE, VAULT_BAD_RESPONSE, 0}, /* HTTP/0.9 */
        {"HTTP/1.1 OK\r\n\r\n", SERVER_CLOSE, VAULT_BAD_RESPONSE, 0},
        {"HTTP/7.1 200 OK\r\n\r\n", SERVER_CLOSE, VAULT_BAD_RESPONSE, 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx", SERVER_CLOSE, VAULT_BAD_RESPONSE, 200},
    };
    static const char nul[] = "HTTP/1.1 200 OK\r\nA: \0b\r\nContent-Length: 0\r\n\r\n";
    struct call call;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        enum vault_status outcome = call_server(&call, rows[i].answer, 0, rows[i].end);

        if (outcome != rows[i].outcome || call.exchange.status != rows[i].status)
            fail_msg("row %zu: %s, HTTP %d: %s", i, vault_status_row(outcome)->word,
                     call.exchange.status, call.exchange.why.text);
        assert_int_equal(call.exchange.why.length > 0, outcome != VAULT_OK);
        close_call(&call);
    }
    assert_int_equal(call_server(&call, nul, sizeof nul - 1, SERVER_CLOSE), VAULT_BAD_RESPONSE);
    close_call(&call);
}

static void test_refused(void **state)
{
    struct call call;
    char url[64];

    (void)state;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", server_nowhere());
    open_call(&call, url);
    assert_int_equal(perform(&call), VAULT_CONNECT_FAILED);
    assert_int_equal(call.exchange.status, 0);
    assert_non_null(strstr(call.exchange.why.text, "127.0.0.1"));
    close_call(&call);
}

static void test_time_out(void **state)
{
    static const int64_t timeouts[] = {100, 1, 0, -5};
    static struct server server = {.answer = "", .end = SERVER_HANG};
    struct call call;

    (void)state;
    server_start(&server);
    for (size_t i = 0; i < COUNT(timeouts); i++) {
        int64_t before = test_clock_ms();

        open_call(&call, server.url);
        call.timeout_ms = timeouts[i];
        (void)perform(&call);
        assert_true(vault_status_row(call.exchange.outcome)->may_retry);
        if (i == 0)
            assert_int_equal(call.exchange.outcome, VAULT_TIMEOUT);
        assert_true(test_clock_ms() - before < 1000);
        close_call(&call);
    }
    server_stop(&server);
}

/* A handle, its address, and the answer's body; each works the next time. */
static void test_no_memory(void **state)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    static struct server server = {.answer = answer, .length = sizeof answer - 1};
    struct vault_transfer *transfer = NULL;
    struct call call;

    (void)state;
    server_start(&server);
    open_call(&call, server.url);
    (void)vault_alloc_fail(1);
    assert_int_equal(vault_transfer_new(&call.settings, &transfer), VAULT_NO_MEMORY);
    assert_null(transfer);
    transfer = open_transfer(&call);
    (void)vault_alloc_fail(1);
    assert_int_equal(vault_transfer_begin(transfer, &call.exchange, 5000), VAULT_NO_MEMORY);
    assert_int_equal(vault_transfer_begin(transfer, &call.exchange, 5000), VAULT_OK);
    (void)vault_alloc_fail(1);
    vault_transfer_finish(transfer, curl_easy_perform(vault_transfer_easy(transfer)));
    (void)vault_alloc_fail(0);
    assert_int_equal(call.exchange.outcome, VAULT_NO_MEMORY);
    assert_int_equal(perform_on(transfer, &call), VAULT_OK);
    assert_string_equal(call.exchange.answer.data, "{}");
    vault_transfer_free(transfer);
    close_call(&call);
    server_stop(&server);
}

static void test_headers_that_are_kept(void **state)
{
    static const struct {
        const char *headers;
        int64_t date, retry_after;
        const char *type, *id;
    } rows[] = {
        {"", -1, -1, "", ""},
        {"Date: Sun, 30 Aug 2015 12:36:00 GMT\r\nx-amzn-ErrorType: A:http://b\r\n"
         "X-Amzn-RequestId:\t 12-34 \r\nx-amz-retry-after: 1500\r\n",
         1440938160, 1500, "A:http://b", "12-34"},
        {"date:Thu, 01 Jan 1970 00:00:00 GMT\r\nx-amz-retry-after: 0\r\n", 0, 0, "", ""},
        {"Date: yesterday\r\nx-amz-retry-after: soon\r\n", -1, -1, "", ""},
        {"Date:\r\nx-amz-retry-after:\r\nx-amzn-errortype:\r\n", -1, -1, "", ""},
        {"x-amz-retry-after: -5\r\n", -1, -1, "", ""},
        {"x-amz-retry-after: 5s\r\n", -1, -1, "", ""},
        {"x-amz-retry-after: 999999999\r\n", -1, 999999999, "", ""},
        {"x-amz-retry-after: 99999999999999999999\r\n", -1, -1, "", ""},
        {"x-amzn-errortype-2: A\r\nxx-amzn-errortype: A\r\nDated: A\r\n", -1, -1, "", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char answer[1024];
        struct call call;

        snprintf(answer, sizeof answer, "HTTP/1.1 400 No\r\n%sContent-Length: 0\r\n\r\n",
                 rows[i].headers);
        assert_int_equal(call_server(&call, answer, 0, SERVER_KEEP), VAULT_OK);
        if (call.exchange.date != rows[i].date ||
            call.exchange.retry_after_ms != rows[i].retry_after)
            fail_msg("row %zu: date %lld, retry after %lld", i, (long long)call.exchange.date,
                     (long long)call.exchange.retry_after_ms);
        assert_string_equal(call.exchange.error_type, rows[i].type);
        assert_string_equal(call.exchange.request_id, rows[i].id);
        close_call(&call);
    }
}

/* Who wants the Date has it of a 200 too: how long credentials are good is told by it. */
static void test_a_date_that_is_wanted(void **state)
{
    (void)state;
    for (int wanted = 0; wanted <= 1; wanted++) {
        struct server server = {.answer = "HTTP/1.1 200 OK\r\n"
                                          "Date: Sun, 30 Aug 2015 12:36:00 GMT\r\n"
                                          "Content-Length: 0\r\n\r\n"};
        struct call call;

        server_start(&server);
        open_call(&call, server.url);
        call.exchange.wants_date = wanted;
        assert_int_equal(perform(&call), VAULT_OK);
        assert_int_equal(call.exchange.date, wanted ? 1440938160 : -1);
        close_call(&call);
        server_stop(&server);
    }
}

/* A value of 127 bytes is kept, one of 128 is not; and so with 63 and 64. */
static void test_headers_too_long_to_keep(void **state)
{
    char answer[1024];
    struct call call;

    (void)state;
    for (int more = 0; more <= 1; more++) {
        snprintf(answer, sizeof answer,
                 "HTTP/1.1 400 No\r\nx-amzn-errortype: %0*d\r\nx-amzn-requestid: %0*d\r\n"
                 "Date: Sun, 30 Aug 2015%*s12:36:00 GMT\r\nContent-Length: 0\r\n\r\n",
                 127 + more, 1, 63 + more, 1, 35 + more, "");
        assert_int_equal(call_server(&call, answer, 0, SERVER_KEEP), VAULT_OK);
        assert_int_equal(strlen(call.exchange.error_type), more ? 0 : 127);
        assert_int_equal(strlen(call.exchange.request_id), more ? 0 : 63);
        assert_int_equal(call.exchange.date, more ? -1 : 1440938160);
        close_call(&call);
    }
}

/* Of an interim answer nothing is left over in the final one. */
static void test_interim_answers(void **state)
{
    struct call call;

    (void)state;
    assert_int_equal(call_server(&call,
                                 "HTTP/1.1 103 Hints\r\nDate: Sun, 30 Aug 2015 12:36:00 GMT\r\n"
                                 "x-amzn-errortype: A\r\nx-amzn-requestid: B\r\n"
                                 "x-amz-retry-after: 7\r\n\r\n"
                                 "HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n",
                                 0, SERVER_KEEP),
                     VAULT_OK);
    assert_int_equal(call.exchange.status, 400);
    assert_int_equal(call.exchange.date, -1);
    assert_int_equal(call.exchange.retry_after_ms, -1);
    assert_string_equal(call.exchange.error_type, "");
    assert_string_equal(call.exchange.request_id, "");
    close_call(&call);
}

/* An answer with a body of `size` bytes. */
static char *with_body(size_t size, bool chunked)
{
    char *answer = malloc(size + 256);
    int head = snprintf(answer, 256, "HTTP/1.1 200 OK\r\n%s: %s%zu\r\n\r\n",
                        chunked ? "Transfer-Encoding" : "Content-Length",
                        chunked ? "chunked\r\nX: " : "", size);

    if (chunked)
        head += snprintf(answer + head, 100, "%zx\r\n", size);
    memset(answer + head, 'x', size);
    strcpy(answer + head + size, chunked ? "\r\n0\r\n\r\n" : "");
    return answer;
}

static void test_body_limit(void **state)
{
    (void)state;
    for (int chunked = 0; chunked <= 1; chunked++) {
        for (size_t more = 0; more <= 1; more++) {
            size_t size = VAULT_EXCHANGE_ANSWER_MAX + more;
            char *answer = with_body(size, chunked);
            struct call call;

            assert_int_equal(call_server(&call, answer, 0, SERVER_KEEP),
                             more ? VAULT_TOO_LARGE : VAULT_OK);
            if (!more)
                assert_int_equal(call.exchange.answer.length, size);
            else
                assert_string_equal(call.exchange.why.text,
                                    "the answer is over its limit of 524288 bytes");
            close_call(&call);
            free(answer);
        }
    }
}

/* Headers of `count` lines of `size` bytes each. */
static enum vault_status with_headers(struct call *call, size_t count, size_t size)
{
    char *answer = malloc(count * size + 256);
    size_t length = (size_t)sprintf(answer, "HTTP/1.1 200 OK\r\n");
    enum vault_status outcome;

    for (size_t i = 0; i < count; i++)
        length += (size_t)sprintf(answer + length, "X: %0*d\r\n", (int)size - 5, 1);
    strcpy(answer + length, "Content-Length: 0\r\n\r\n");
    outcome = call_server(call, answer, 0, SERVER_KEEP);
    free(answer);
    return outcome;
}

static void test_header_limit(void **state)
{
    static const struct {
        size_t count, size;
        enum vault_status outcome;
    } rows[] = {
        {63, 1024, VAULT_OK},        {64, 1024, VAULT_TOO_LARGE}, {1000, 1024, VAULT_TOO_LARGE},
        {1, 60000, VAULT_OK},        {1, 70000, VAULT_TOO_LARGE}, {4500, 8, VAULT_OK},
        {4500, 16, VAULT_TOO_LARGE},
    };
    struct call call;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        enum vault_status outcome = with_headers(&call, rows[i].count, rows[i].size);

        if (outcome != rows[i].outcome)
            fail_msg("row %zu: %s: %s", i, vault_status_row(outcome)->word, call.exchange.why.text);
        if (outcome != VAULT_OK)
            assert_string_equal(call.exchange.why.text,
                                "the answer's headers are over their limit of 65536 bytes");
        close_call(&call);
    }
    /* A line over 100 KiB never leaves libcurl, which calls it "out of memory" before 8.6; nor
     * do more than 5000 lines, with later ones. */
    assert_false(vault_status_row(with_headers(&call, 1, 500000))->may_retry);
    assert_int_not_equal(call.exchange.outcome, VAULT_OK);
    close_call(&call);
}

static int start_http(void **state)
{
    struct vault_message why = {0};

    (void)state;
    if (vault_http_start(&why) != VAULT_OK || vault_http_start(&why) != VAULT_OK)
        fail_msg("%s", why.text);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_sent),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_time_out),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_headers_that_are_kept),
        cmocka_unit_test(test_a_date_that_is_wanted),
        cmocka_unit_test(test_headers_too_long_to_keep),
        cmocka_unit_test(test_interim_answers),
        cmocka_unit_test(test_body_limit),
        cmocka_unit_test(test_header_limit),
    };

    return cmocka_run_group_tests(tests, start_http, NULL);
}
