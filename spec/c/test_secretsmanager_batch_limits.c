/* test_secretsmanager_batch_limits - BatchGetSecretValue: how many, how long, how large.
 *
 * For:   the largest requests and answers, and what is one above.
 * Never: what they mean (test_secretsmanager_batch).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "secretsmanager_batch.h"

static void test_ask(void **state)
{
    static char longest[VAULT_SECRET_ID_MAX + 1];
    struct vault_secret_id ids[VAULT_BATCH_MAX + 1];
    struct vault_exchange exchange;

    (void)state;
    memset(longest, 1, sizeof longest); /* six bytes each in JSON */
    for (size_t i = 0; i <= VAULT_BATCH_MAX; i++)
        ids[i] = (struct vault_secret_id){longest, VAULT_SECRET_ID_MAX};
    vault_exchange_init(&exchange);
    assert_int_equal(vault_secretsmanager_ask_batch(&exchange, ids, VAULT_BATCH_MAX), VAULT_OK);
    vault_exchange_free(&exchange);

    vault_exchange_init(&exchange);
    assert_int_equal(vault_secretsmanager_ask_batch(&exchange, ids, 0), VAULT_BAD_REFERENCE);
    assert_int_equal(vault_secretsmanager_ask_batch(&exchange, ids, VAULT_BATCH_MAX + 1),
                     VAULT_BAD_REFERENCE);
    ids[1].length = VAULT_SECRET_ID_MAX + 1;
    assert_int_equal(vault_secretsmanager_ask_batch(&exchange, ids, 2), VAULT_BAD_REFERENCE);
    ids[1].length = 0;
    assert_int_equal(vault_secretsmanager_ask_batch(&exchange, ids, 2), VAULT_BAD_REFERENCE);
    ids[1] = (struct vault_secret_id){"a\xff", 2};
    assert_int_equal(vault_secretsmanager_ask_batch(&exchange, ids, 2), VAULT_BAD_REFERENCE);
    assert_null(exchange.body.data);
    assert_null(exchange.headers.data);
    assert_int_equal(exchange.answer.limit, VAULT_EXCHANGE_ANSWER_MAX);
    vault_exchange_free(&exchange);
}

static void add(struct vault_exchange *exchange, const char *text)
{
    assert_int_equal(vault_buffer_text(&exchange->answer, text), VAULT_OK);
}

/* Twenty secrets of 64 KiB, each byte as an escape; and one that is too large. */
static void test_read(void **state)
{
    struct vault_secret_id ids[VAULT_BATCH_MAX];
    char names[VAULT_BATCH_MAX][8];
    struct vault_exchange exchange;
    struct vault_batch batch = {0};
    struct vault_message why;

    (void)state;
    vault_exchange_init(&exchange);
    exchange.answer.limit = VAULT_BATCH_ANSWER_MAX;
    exchange.outcome = VAULT_OK;
    exchange.status = 200;
    add(&exchange, "{\"SecretValues\":[");
    for (size_t i = 0; i < VAULT_BATCH_MAX; i++) {
        snprintf(names[i], sizeof names[i], "s%zu", i);
        ids[i] = (struct vault_secret_id){names[i], strlen(names[i])};
        add(&exchange, i == 0 ? "{\"Name\":\"" : "\"},{\"Name\":\"");
        add(&exchange, names[i]);
        add(&exchange, "\",\"SecretString\":\"");
        for (size_t j = 0; j < VAULT_SECRET_MAX + (i == 7); j++)
            add(&exchange, "\\u0001");
    }
    add(&exchange, "\"}]}");
    assert_int_equal(vault_secretsmanager_read_batch(&exchange, ids, VAULT_BATCH_MAX, &batch, &why),
                     VAULT_OK);
    for (size_t i = 0; i < VAULT_BATCH_MAX; i++) {
        assert_int_equal(batch.entries[i].status, i == 7 ? VAULT_TOO_LARGE : VAULT_OK);
        assert_int_equal(batch.entries[i].secret.payload.length, i == 7 ? 0 : VAULT_SECRET_MAX);
    }
    assert_string_equal(batch.entries[7].why.text, "HTTP 200: the secret is over 65536 bytes");
    vault_batch_free(&batch);
    vault_exchange_free(&exchange);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ask),
        cmocka_unit_test(test_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
