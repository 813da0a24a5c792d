/* fuzz_response - vault_secretsmanager_read_value, vault_aws_read_error, vault_aws_classify.
 *
 * For:   input is two bytes (HTTP status), one byte (length of x-amzn-errortype, 0..127), that
 *        header, the body. A result is whole or nothing; a message is one printable line, and shows
 *        nothing of a body that has not AWS's shape.
 * Never: speed.
 */
#include <stdlib.h>
#include <string.h>

#include "secretsmanager.h"

#define PLANTED "planted"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool held)
{
    if (!held)
        abort();
}

static void check_message(const struct vault_message *why)
{
    must(why->length < VAULT_MESSAGE_MAX && strlen(why->text) == why->length);
    for (size_t i = 0; i < why->length; i++)
        must(why->text[i] >= ' ' && why->text[i] <= '~');
}

static void check_secret(const struct vault_secret *secret)
{
    must(secret->payload.data != NULL && secret->payload.length <= VAULT_SECRET_MAX);
    must(secret->payload.data[secret->payload.length] == '\0');
    must(secret->version_id.data != NULL && secret->version_id.length <= 64);
    must(secret->arn.data != NULL && strlen(secret->arn.data) == secret->arn.length);
}

static void check_answer(const struct vault_exchange *exchange)
{
    struct vault_secret secret;
    struct vault_message why;

    vault_secret_init(&secret);
    must(vault_buffer_text(&secret.payload, PLANTED) == VAULT_OK);
    enum vault_status status = vault_secretsmanager_read_value(exchange, &secret, &why);

    check_message(&why);
    must((unsigned)status < VAULT_STATUS_COUNT && status != VAULT_INTERNAL);
    must(status != VAULT_OK || exchange->status == 200);
    if (status == VAULT_OK) {
        must(why.length == 0);
        check_secret(&secret);
    } else {
        must(why.length > 0);
        must(strcmp(secret.payload.data, PLANTED) == 0 && secret.version_id.data == NULL);
    }
    if (exchange->status == 200)
        must(status == VAULT_OK || status == VAULT_BAD_RESPONSE || status == VAULT_TOO_LARGE);
    vault_secret_free(&secret);
}

static void check_error(const struct vault_exchange *exchange)
{
    struct vault_message why;
    enum vault_status status = vault_aws_read_error(exchange, &why);

    check_message(&why);
    must(status != VAULT_OK && why.length > 0);
    if (exchange->error_type[0] != '\0' && strpbrk(exchange->error_type, ":#") == NULL)
        must(status == vault_aws_classify(exchange->error_type, exchange->status));
    /* no JSON object, no header: the status alone decides and is all that is said */
    if (exchange->error_type[0] == '\0' &&
        (exchange->answer.length == 0 || memchr("{ \t\r\n", exchange->answer.data[0], 5) == NULL)) {
        must(status == vault_aws_classify("", exchange->status));
        must(strncmp(why.text, "HTTP ", 5) == 0 && why.length <= 16);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vault_exchange exchange;

    if (size < 3)
        return 0;
    size_t type_length = data[2] & 127u;
    if (size - 3 < type_length)
        return 0;
    vault_exchange_init(&exchange);
    exchange.outcome = VAULT_OK;
    exchange.status = (data[0] << 8 | data[1]) % 1000;
    memcpy(exchange.error_type, data + 3, type_length);
    exchange.error_type[type_length] = '\0';
    if (vault_buffer_append(&exchange.answer, data + 3 + type_length, size - 3 - type_length) ==
        VAULT_OK) {
        check_answer(&exchange);
        check_error(&exchange);
    }
    vault_exchange_free(&exchange);
    return 0;
}
