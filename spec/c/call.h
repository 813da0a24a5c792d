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

static inline enum vault_status perform_on(struct vault_transfer *transfer, struct call *call)
{
    assert_int_equal(vault_transfer_begin(transfer, &call->exchange, call->timeout_ms), VAULT_OK);
    vault_transfer_finish(transfer, curl_easy_perform(vault_transfer_easy(transfer)));
    return call->exchange.outcome;
}

static inline struct vault_transfer *open_transfer(struct call *call)
{
    struct vault_transfer *transfer = NULL;

    assert_int_equal(vault_transfer_new(&call->settings, &transfer), VAULT_OK);
    return transfer;
}

static inline enum vault_status perform(struct call *call)
{
    struct vault_transfer *transfer = open_transfer(call);
    enum vault_status outcome = perform_on(transfer, call);

    vault_transfer_free(transfer);
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
