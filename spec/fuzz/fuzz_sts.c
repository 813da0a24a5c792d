/* fuzz_sts - vault_sts_read, vault_sts_answer_read, vault_sts_json_read, vault_iso8601_read,
 * vault_sts_ask_web_identity.
 *
 * For:   input is two bytes (HTTP status) and the body. A credential is whole or untouched, and
 *        comes out the same when it is written down and read again; a message is one printable
 *        line, and shows nothing of a body without a code. The body is also read as a moment, and
 *        sent as a token, which must decode to itself.
 * Never: speed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "credentials_sts.h"
#include "iso8601.h"
#include "sts_answer.h"
#include "sts_json.h"

#define EXPIRES_MAX INT64_C(253402300799)

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

static void answer_with(struct vault_exchange *exchange, int status, const char *body, size_t size)
{
    vault_exchange_init(exchange);
    exchange->outcome = VAULT_OK;
    exchange->status = status;
    must(vault_buffer_append(&exchange->answer, body, size) == VAULT_OK);
}

/* ---- once more ---- */

/* What XML may not have as it is: of printable ASCII these three. */
static void add_escaped(struct vault_buffer *body, const char *text)
{
    for (; *text; text++) {
        const char *escape = *text == '<' ? "&lt;" : *text == '&' ? "&amp;" : "&gt;";
        bool is_special = strchr("<&>", *text) != NULL;

        must(vault_buffer_append(body, is_special ? escape : text,
                                 is_special ? strlen(escape) : 1) == VAULT_OK);
    }
}

static void add_element(struct vault_buffer *body, const char *name, const char *text)
{
    must(vault_buffer_text(body, "<") == VAULT_OK && vault_buffer_text(body, name) == VAULT_OK &&
         vault_buffer_text(body, ">") == VAULT_OK);
    add_escaped(body, text);
    must(vault_buffer_text(body, "</") == VAULT_OK && vault_buffer_text(body, name) == VAULT_OK &&
         vault_buffer_text(body, ">") == VAULT_OK);
}

static void check_again(const struct vault_credential *first)
{
    struct vault_credential again = {0};
    struct vault_exchange exchange;
    struct vault_buffer body;
    struct vault_message why;

    vault_buffer_init(&body, VAULT_EXCHANGE_ANSWER_MAX);
    must(vault_buffer_text(&body, "<AssumeRoleResponse><AssumeRoleResult><Credentials>") ==
         VAULT_OK);
    add_element(&body, "AccessKeyId", first->access_key_id);
    add_element(&body, "SecretAccessKey", first->secret_access_key);
    add_element(&body, "SessionToken", first->session_token);
    must(vault_buffer_text(&body, "<Expiration>2026-11-22T15:00:00Z</Expiration></Credentials>"
                                  "</AssumeRoleResult></AssumeRoleResponse>") == VAULT_OK);
    answer_with(&exchange, 200, body.data, body.length);
    must(vault_sts_read(&exchange, "again", &again, &why) == VAULT_OK);
    must(strcmp(again.access_key_id, first->access_key_id) == 0);
    must(strcmp(again.secret_access_key, first->secret_access_key) == 0);
    must(strcmp(again.session_token, first->session_token) == 0);
    must(again.expires == INT64_C(1795359600));
    vault_credential_clear(&again);
    vault_exchange_free(&exchange);
    vault_buffer_free(&body);
}

/* ---- this once ---- */

static void check_read(const struct vault_exchange *exchange)
{
    struct vault_credential credential = {0};
    struct vault_message why = {0};
    enum vault_status status;

    must(vault_credential_set(&credential, "old", "old", NULL, "old", &why) == VAULT_OK);
    status = vault_sts_read(exchange, "new", &credential, &why);
    check_message(&why);
    must((unsigned)status < VAULT_STATUS_COUNT && status != VAULT_INTERNAL &&
         status != VAULT_NO_MEMORY && status != VAULT_TOO_LARGE && status != VAULT_BAD_CONFIG);
    if (status == VAULT_OK) {
        must(exchange->status == 200 && why.length == 0);
        must(strcmp(credential.source, "new") == 0);
        must(credential.expires > 0 && credential.expires <= EXPIRES_MAX);
        check_again(&credential);
    } else {
        must(why.length > 0);
        must(strcmp(credential.access_key_id, "old") == 0 && !credential.session_token);
    }
    vault_credential_clear(&credential);
}

/* Both readers, whatever the first byte says. */
static void check_readers(const char *body, size_t size)
{
    for (int form = 0; form < 2; form++) {
        struct vault_sts_answer answer;
        struct vault_message why = {0};
        enum vault_status status;

        vault_sts_answer_init(&answer);
        status = form ? vault_sts_json_read(body, size, &answer, &why)
                      : vault_sts_answer_read(body, size, &answer, &why);
        check_message(&why);
        must(status == VAULT_OK ? why.length == 0 : status == VAULT_BAD_RESPONSE && why.length > 0);
        must(!answer.session_token.data ||
             strlen(answer.session_token.data) == answer.session_token.length ||
             status != VAULT_OK);
        must(answer.expires >= 0 && answer.expires <= EXPIRES_MAX);
        vault_sts_answer_free(&answer);
    }
}

static void check_moment(const char *text, size_t size)
{
    int64_t seconds = -1;

    if (vault_iso8601_read(text, size, &seconds))
        must(size >= 20 && seconds >= 0 && seconds <= EXPIRES_MAX);
    else
        must(seconds == -1);
}

static void check_token(const char *token, size_t size)
{
    static const struct vault_sts_role role = {"arn:aws:iam::123456789012:role/r", "name", NULL, 0};
    struct vault_exchange exchange;
    struct vault_message why = {0};
    const char *at;

    vault_exchange_init(&exchange);
    enum vault_status status = vault_sts_ask_web_identity(&exchange, &role, token, size, &why);
    must(status == (size >= 4 && size <= 20000 ? VAULT_OK : VAULT_BAD_CONFIG));
    if (status == VAULT_OK) {
        at = strrchr(exchange.body.data, '=') + 1;
        for (size_t i = 0; i < size; i++) {
            unsigned byte = (unsigned char)*at++;

            if (byte == '%') {
                must(sscanf(at, "%2X", &byte) == 1);
                at += 2;
            }
            must(byte == (unsigned char)token[i]);
        }
        must(*at == '\0');
    }
    vault_exchange_free(&exchange);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vault_exchange exchange;
    const char *body = (const char *)data + 2;

    if (size < 2 || size - 2 > 64 * 1024)
        return 0;
    answer_with(&exchange, (data[0] << 8 | data[1]) % 1000, body, size - 2);
    check_read(&exchange);
    vault_exchange_free(&exchange);
    check_readers(body, size - 2);
    check_moment(body, size - 2);
    check_token(body, size - 2);
    return 0;
}
