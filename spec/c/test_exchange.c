/* test_exchange - one HTTP request and its answer, as plain data.
 *
 * For:   limits at birth, nothing left over by clear, nothing held after free.
 * Never: HTTP.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "exchange.h"
#include "saying.h"

static bool any_address(const void *sockaddr)
{
    return sockaddr != NULL;
}

static void use(struct vault_exchange *exchange)
{
    exchange->method = "POST";
    assert_int_equal(vault_buffer_text(&exchange->url, "https://host/"), VAULT_OK);
    assert_int_equal(vault_buffer_text(&exchange->headers, "A: secret\r\n"), VAULT_OK);
    assert_int_equal(vault_buffer_text(&exchange->body, "secret"), VAULT_OK);
    assert_int_equal(vault_buffer_text(&exchange->answer, "secret"), VAULT_OK);
    exchange->direct = exchange->fresh = exchange->wants_date = exchange->again = true;
    exchange->may_connect = any_address;
    exchange->timeout_ms = 7;
    exchange->outcome = VAULT_OK;
    exchange->status = 200;
    exchange->date = 7;
    exchange->retry_after_ms = 7;
    (void)snprintf(exchange->error_type, sizeof exchange->error_type, "X");
    (void)snprintf(exchange->request_id, sizeof exchange->request_id, "X");
    plant_note(&exchange->why, "X");
}

static void assert_empty(const struct vault_exchange *exchange)
{
    assert_string_equal(exchange->method, "GET");
    assert_int_equal(exchange->url.length, 0);
    assert_int_equal(exchange->headers.length, 0);
    assert_int_equal(exchange->body.length, 0);
    assert_int_equal(exchange->answer.length, 0);
    assert_false(exchange->direct);
    assert_false(exchange->fresh);
    assert_false(exchange->again);
    assert_false(exchange->wants_date);
    assert_null(exchange->may_connect);
    assert_int_equal(exchange->timeout_ms, 0);
    assert_int_not_equal(exchange->outcome, VAULT_OK);
    assert_int_equal(exchange->status, 0);
    assert_int_equal(exchange->date, -1);
    assert_int_equal(exchange->retry_after_ms, -1);
    assert_string_equal(exchange->error_type, "");
    assert_string_equal(exchange->request_id, "");
    assert_string_equal(exchange->why.text, "");
}

static void test_init(void **state)
{
    struct vault_exchange exchange;

    (void)state;
    memset(&exchange, 0xa5, sizeof exchange);
    vault_exchange_init(&exchange);
    assert_empty(&exchange);
    assert_null(exchange.answer.data);
    assert_int_equal(exchange.answer.limit, VAULT_EXCHANGE_ANSWER_MAX);
    assert_true(exchange.url.limit >= 2048 && exchange.url.limit < 65536);
    assert_true(exchange.headers.limit >= 16384 + 4096 && exchange.headers.limit <= 65536);
    assert_true(exchange.body.limit >= 6 * 2048 && exchange.body.limit <= 65536);
}

static void test_clear(void **state)
{
    static const char zeros[16];
    struct vault_exchange exchange;

    (void)state;
    vault_exchange_init(&exchange);
    use(&exchange);
    vault_exchange_clear(&exchange);
    assert_empty(&exchange);
    assert_memory_equal(exchange.headers.data, zeros, 11);
    assert_memory_equal(exchange.body.data, zeros, 6);
    assert_memory_equal(exchange.answer.data, zeros, 6);
    use(&exchange);
    assert_string_equal(exchange.answer.data, "secret");
    vault_exchange_free(&exchange);
}

static void test_is_freed(void **state)
{
    struct vault_exchange exchange;

    (void)state;
    vault_exchange_init(&exchange);
    vault_exchange_free(&exchange);
    use(&exchange);
    vault_exchange_free(&exchange);
    assert_null(exchange.url.data);
    assert_null(exchange.headers.data);
    assert_null(exchange.body.data);
    assert_null(exchange.answer.data);
    assert_string_equal(exchange.why.text, "");
    vault_exchange_free(&exchange);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_init),
        cmocka_unit_test(test_clear),
        cmocka_unit_test(test_is_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
