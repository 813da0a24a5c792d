/* exchange - one HTTP request and its answer, as plain data.
 *
 * For:   what exchange.h promises: limits at birth, wiped at the end.
 * Never: sockets, curl, AWS words.
 */
#include "exchange.h"

#define URL_MAX     4096
#define HEADERS_MAX (64 * 1024)
#define BODY_MAX    (64 * 1024)

static void forget_wishes(struct vault_exchange *exchange)
{
    exchange->method = "GET";
    exchange->direct = false;
    exchange->fresh = false;
    exchange->again = false;
    exchange->wants_date = false;
    exchange->may_connect = NULL;
    exchange->timeout_ms = 0;
}

static void forget_answer(struct vault_exchange *exchange)
{
    exchange->outcome = VAULT_INTERNAL;
    exchange->status = 0;
    exchange->date = -1;
    exchange->retry_after_ms = -1;
    exchange->error_type[0] = '\0';
    exchange->request_id[0] = '\0';
    vault_note_clear(&exchange->why);
}

void vault_exchange_init(struct vault_exchange *exchange)
{
    vault_note_init(&exchange->why);
    forget_wishes(exchange);
    vault_buffer_init(&exchange->url, URL_MAX);
    vault_buffer_init(&exchange->headers, HEADERS_MAX);
    vault_buffer_init(&exchange->body, BODY_MAX);
    vault_buffer_init(&exchange->program, VAULT_EXCHANGE_PROGRAM_MAX);
    vault_buffer_init(&exchange->answer, VAULT_EXCHANGE_ANSWER_MAX);
    forget_answer(exchange);
}

void vault_exchange_clear(struct vault_exchange *exchange)
{
    forget_wishes(exchange);
    vault_buffer_clear(&exchange->url);
    vault_buffer_clear(&exchange->headers);
    vault_buffer_clear(&exchange->body);
    vault_buffer_clear(&exchange->program);
    vault_buffer_clear(&exchange->answer);
    forget_answer(exchange);
}

void vault_exchange_free(struct vault_exchange *exchange)
{
    vault_buffer_free(&exchange->url);
    vault_buffer_free(&exchange->headers);
    vault_buffer_free(&exchange->body);
    vault_buffer_free(&exchange->program);
    vault_buffer_free(&exchange->answer);
    forget_answer(exchange);
}
