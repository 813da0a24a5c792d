/* metadata_answer - the credentials that a metadata service answers with.
 *
 * For:   what metadata_answer.h promises.
 * Never: a byte of a key or a token in a message.
 */
#include "metadata_answer.h"

#include <stdio.h>
#include <string.h>

#include "aws_error.h"
#include "credential_json.h"

#define TEXT_MAX    512 /* bytes of the service's words in a message */
#define TELLING_MAX 16  /* bytes of a header's value by which its quotation is known */

enum { KEY_ID, SECRET, TOKEN, EXPIRATION, CODE, MESSAGE, MEMBER_COUNT };

enum vault_status vault_metadata_classify(int http_status)
{
    if (http_status == 429)
        return VAULT_THROTTLED;
    if (http_status == 408 || http_status >= 500)
        return VAULT_SERVER_ERROR;
    return http_status >= 400 ? VAULT_CREDENTIALS_REFUSED : VAULT_BAD_RESPONSE;
}

/* Whether `text` holds the beginning of the token that the request of `exchange` was sent with:
 * what a service says is not shown then. */
static bool quotes_token(const struct vault_exchange *exchange, const char *text, size_t length)
{
    static const char *const names[] = {
        "Authorization: ", "X-aws-ec2-metadata-token: ", "x-amz-sso_bearer_token: "};
    const char *headers = exchange->headers.length ? exchange->headers.data : "";

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = strstr(headers, names[i]);
        size_t telling = value ? strcspn(value += strlen(names[i]), "\r") : 0;

        if (telling > TELLING_MAX)
            telling = TELLING_MAX;
        if (telling > 0 && length > 0 && memmem(text, length, value, telling))
            return true;
    }
    return false;
}

enum vault_status vault_metadata_refusal(const struct vault_exchange *exchange,
                                         struct vault_message *why)
{
    struct vault_message said = {0};
    char bare[32];

    if (exchange->answer.length > 0 && vault_aws_read_error(exchange, &said) == VAULT_NO_MEMORY)
        return VAULT_NO_MEMORY;
    snprintf(bare, sizeof bare, "HTTP %d", exchange->status);
    vault_message_add(why, "%s", bare);
    if (said.length > 0 && strcmp(said.text, bare) != 0 &&
        !quotes_token(exchange, said.text, said.length))
        vault_message_add(why, ", %s", said.text);
    return vault_metadata_classify(exchange->status);
}

/* Not vault_json_part: whatever is amiss here must not hide that the service refused. */
static enum vault_status read_words(const struct vault_json_member *member,
                                    struct vault_buffer *words)
{
    enum vault_status status = VAULT_OK;

    if (member->type == VAULT_JSON_STRING && member->length > 0)
        status = vault_json_unescape(member->text, member->length, words);
    return status == VAULT_NO_MEMORY ? status : VAULT_OK;
}

static enum vault_status say_refusal(const struct vault_json_member *members,
                                     const struct vault_exchange *exchange,
                                     struct vault_message *why)
{
    struct vault_buffer code, message;
    enum vault_status status;

    vault_buffer_init(&code, VAULT_EXCHANGE_ANSWER_MAX);
    vault_buffer_init(&message, VAULT_EXCHANGE_ANSWER_MAX);
    status = read_words(&members[CODE], &code);
    if (status == VAULT_OK)
        status = read_words(&members[MESSAGE], &message);
    if (status != VAULT_OK)
        goto out;
    status = VAULT_CREDENTIALS_REFUSED;
    vault_message_add(why, "HTTP 200: Code is not Success");
    if (code.length == 0 || quotes_token(exchange, code.data, code.length))
        goto out;
    vault_message_add(why, ": ");
    vault_message_quote(why, code.data, code.length, TEXT_MAX / 2);
    if (message.length == 0 || quotes_token(exchange, message.data, message.length))
        goto out;
    vault_message_add(why, ": ");
    vault_message_quote(why, message.data, message.length, TEXT_MAX / 2);
out:
    vault_buffer_free(&code);
    vault_buffer_free(&message);
    return status;
}

static bool is_success(const struct vault_json_member *code)
{
    if (code->type == VAULT_JSON_ABSENT || code->type == VAULT_JSON_NULL)
        return true; /* the agents of containers send none */
    return code->type == VAULT_JSON_STRING &&
           vault_json_same(code->text, code->length, "Success", strlen("Success"));
}

static enum vault_status read_parts(const struct vault_json_member *members, const char *source,
                                    struct vault_credential *credential, struct vault_message *why)
{
    struct vault_credential made = {0};
    struct vault_message amiss = {0};
    enum vault_status status =
        vault_credential_json(&members[KEY_ID], EXPIRATION, source, &made, &amiss);

    if (status == VAULT_OK)
        status = vault_json_time(&members[EXPIRATION], &made.expires, &amiss);
    if (status == VAULT_OK) {
        vault_credential_clear(credential);
        *credential = made;
        made = (struct vault_credential){0};
    } else if (status == VAULT_BAD_RESPONSE)
        vault_message_add(why, "HTTP 200: %s", amiss.text);
    vault_credential_clear(&made);
    return status;
}

enum vault_status vault_metadata_read(const struct vault_exchange *exchange, const char *source,
                                      struct vault_credential *credential,
                                      struct vault_message *why)
{
    struct vault_json_member members[MEMBER_COUNT] = {
        [KEY_ID] = {.key = "AccessKeyId", .key_length = 11},
        [SECRET] = {.key = "SecretAccessKey", .key_length = 15},
        [TOKEN] = {.key = "Token", .key_length = 5},
        [EXPIRATION] = {.key = "Expiration", .key_length = 10},
        [CODE] = {.key = "Code", .key_length = 4},
        [MESSAGE] = {.key = "Message", .key_length = 7},
    };
    size_t offset = 0;
    const char *answer = exchange->answer.length ? exchange->answer.data : "";
    enum vault_status status =
        vault_json_members(answer, exchange->answer.length, members, MEMBER_COUNT, &offset);

    if (status != VAULT_OK) {
        vault_message_add(why, "HTTP 200: %s, at byte %zu", vault_status_row(status)->sentence,
                          offset + 1);
        return VAULT_BAD_RESPONSE;
    }
    if (!is_success(&members[CODE]))
        return say_refusal(members, exchange, why);
    return read_parts(members, source, credential, why);
}
