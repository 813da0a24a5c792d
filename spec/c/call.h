/* call - one exchange performed with http.c on a handle of its own.
 *
 * For:   the tests of http.c. Include after cmocka.h.
 * Never: fetches, loops.
 */
#ifndef VAULT_TEST_CALL_H
#define VAULT_TEST_CALL_H

#include "http.h"
#include "server.h"

struct call {
    struct vault_exchange exchange;
    struct vault_http_settings settings;
    int64_t timeout_ms;
};

static inline void open_call(struct call *call, const char *url)
{
    memset(call, 0, sizeof *call);
    vault_exchange_init(&call->exchange);
    call->exchange.method = "POST";
    assert_int_equal(vault_buffer_text(&call->exchange.url, url), VAULT_OK);
    assert_int_equal(vault_buffer_text(&call->exchange.headers, "X-Own: own\r\n"), VAULT_OK);
    assert_int_equal(vault_buffer_text(&call->exchange.body, "{}"), VAULT_OK);
    call->settings.connect_timeout_ms = 3000;
    call->timeout_ms = 5000;
}

static inline void close_call(struct call *call)
{
    vault_exchange_free(&call->exchange);
}

static inline enum vault_status perform_on(CURL *easy, struct call *call)
{
    struct vault_transfer *transfer = NULL;

    assert_int_equal(
        vault_transfer_new(easy, &call->exchange, &call->settings, call->timeout_ms, &transfer),
        VAULT_OK);
    vault_transfer_finish(transfer, curl_easy_perform(easy));
    return call->exchange.outcome;
}

static inline enum vault_status perform(struct call *call)
{
    CURL *easy = curl_easy_init();
    enum vault_status outcome;

    assert_non_null(easy);
    outcome = perform_on(easy, call);
    curl_easy_cleanup(easy);
    return outcome;
}

/* The outcome of one call to a server that does `end` after `answer`. */
static inline enum vault_status call_server(struct call *call, const char *answer, size_t length,
                                            enum server_end end)
{
    struct server *server = calloc(1, sizeof *server);
    enum vault_status outcome;

    server->answer = answer;
    server->length = length;
    server->end = end;
    server_start(server);
    open_call(call, server->url);
    outcome = perform(call);
    server_stop(server);
    free(server);
    return outcome;
}

#endif
