/* secretsmanager - one secret: what to ask, how to read the answer.
 *
 * For:   GetSecretValue in AWS's JSON protocol 1.1; what its 200 must hold, taken strictly.
 * Never: sockets, signing, retries, caching; what refusals mean (aws_error).
 */
#include "secretsmanager.h"

#include <string.h>

#include "base64.h"
#include "json_extract.h"

#define VERSION_ID_MAX 64
#define ARN_MAX        2048
#define BASE64_MAX     (4 * ((VAULT_SECRET_MAX + 2) / 3))
#define HEADERS_ROOM   768 /* with the signature's, unless there is a session token */

const char vault_secretsmanager_service[] = "secretsmanager";

void vault_secret_init(struct vault_secret *secret)
{
    *secret = (struct vault_secret){0};
    vault_buffer_init(&secret->payload, VAULT_SECRET_MAX);
    vault_buffer_init(&secret->version_id, VERSION_ID_MAX);
    vault_buffer_init(&secret->arn, ARN_MAX);
}

void vault_secret_free(struct vault_secret *secret)
{
    vault_buffer_free(&secret->payload);
    vault_buffer_free(&secret->version_id);
    vault_buffer_free(&secret->arn);
    vault_secret_init(secret);
}

static enum vault_status build_headers(struct vault_buffer *headers, const char *operation)
{
    enum vault_status status;

    if (vault_buffer_reserve(headers, HEADERS_ROOM, &status))
        status = vault_buffer_text(headers, "Content-Type: application/x-amz-json-1.1\r\n"
                                            "X-Amz-Target: secretsmanager.");
    if (status == VAULT_OK)
        status = vault_buffer_text(headers, operation);
    return status == VAULT_OK ? vault_buffer_text(headers, "\r\n") : status;
}

enum vault_status vault_secretsmanager_quote(struct vault_buffer *body, const char *text,
                                             size_t length)
{
    enum vault_status status = vault_json_quote(text, length, body);

    return status == VAULT_JSON_UTF8 ? VAULT_BAD_REFERENCE : status;
}

/* The stage is named even where it is AWS's default: policies may have conditions on it. */
static enum vault_status build_body(struct vault_buffer *body, const char *secret_id,
                                    size_t secret_id_length, const char *stage)
{
    enum vault_status status = vault_buffer_text(body, "{\"SecretId\":");

    if (status == VAULT_OK)
        status = vault_secretsmanager_quote(body, secret_id, secret_id_length);
    if (status == VAULT_OK)
        status = vault_buffer_text(body, ",\"VersionStage\":");
    if (status == VAULT_OK)
        status = vault_secretsmanager_quote(body, stage, strlen(stage));
    return status == VAULT_OK ? vault_buffer_text(body, "}") : status;
}

/* `to` gets what `from` holds, `from` what is to be freed. */
static void swap(struct vault_buffer *to, struct vault_buffer *from)
{
    struct vault_buffer held = *to;

    *to = *from;
    *from = held;
}

enum vault_status vault_secretsmanager_ask(struct vault_exchange *exchange, const char *operation,
                                           struct vault_buffer *body)
{
    struct vault_buffer headers;
    enum vault_status status;

    vault_buffer_init(&headers, exchange->headers.limit);
    status = build_headers(&headers, operation);
    if (status == VAULT_OK) {
        exchange->method = "POST";
        swap(&exchange->headers, &headers);
        swap(&exchange->body, body);
    }
    vault_buffer_free(&headers);
    return status;
}

enum vault_status vault_secretsmanager_ask_value(struct vault_exchange *exchange,
                                                 const char *secret_id, size_t secret_id_length,
                                                 const char *stage)
{
    struct vault_buffer body;
    enum vault_status status;

    if (secret_id_length == 0 || secret_id_length > VAULT_SECRET_ID_MAX)
        return VAULT_BAD_REFERENCE;
    vault_buffer_init(&body, exchange->body.limit);
    status = build_body(&body, secret_id, secret_id_length, stage ? stage : "AWSCURRENT");
    if (status == VAULT_OK)
        status = vault_secretsmanager_ask(exchange, "GetSecretValue", &body);
    vault_buffer_free(&body);
    return status;
}

static enum vault_status bad_response(struct vault_message *why, const char *amiss)
{
    vault_message_add(why, "HTTP 200: %s", amiss);
    return VAULT_BAD_RESPONSE;
}

static bool is_absent(const struct vault_json_member *member)
{
    return member->type == VAULT_JSON_ABSENT || member->type == VAULT_JSON_NULL;
}

static enum vault_status decode_payload(const struct vault_json_member *member,
                                        struct vault_buffer *payload)
{
    struct vault_buffer base64;
    enum vault_status status;

    vault_buffer_init(&base64, BASE64_MAX);
    status = vault_json_unescape(member->text, member->length, &base64);
    if (status == VAULT_OK) /* so that an empty payload has its NUL like any other */
        status = vault_buffer_text(payload, "");
    if (status == VAULT_OK)
        status = vault_base64_decode(base64.data, base64.length, payload);
    vault_buffer_free(&base64);
    return status;
}

static enum vault_status read_payload(const struct vault_json_member *string,
                                      const struct vault_json_member *binary,
                                      struct vault_secret *secret, struct vault_message *why)
{
    const struct vault_json_member *member = is_absent(string) ? binary : string;
    enum vault_status status;

    if (is_absent(member))
        return bad_response(why, "SecretString and SecretBinary are both absent");
    if (member->type != VAULT_JSON_STRING)
        return bad_response(why, "SecretString or SecretBinary is not a string");
    secret->binary = member == binary;
    status = secret->binary ? decode_payload(member, &secret->payload)
                            : vault_json_unescape(member->text, member->length, &secret->payload);
    if (status == VAULT_TOO_LARGE)
        vault_message_add(why, "HTTP 200: the secret is over %d bytes", VAULT_SECRET_MAX);
    if (status == VAULT_BAD_BASE64)
        return bad_response(why, "SecretBinary is not base64");
    return status;
}

static bool is_graphic(const struct vault_buffer *text)
{
    for (size_t i = 0; i < text->length; i++) {
        if (text->data[i] <= ' ' || text->data[i] > '~')
            return false;
    }
    return true;
}

/* A text without blanks and controls, within the limit of `word`; absent reads as "".
 * VAULT_BAD_RESPONSE where it is none. */
static enum vault_status read_word(const struct vault_json_member *member,
                                   struct vault_buffer *word)
{
    enum vault_status status;

    if (is_absent(member))
        return vault_buffer_text(word, "");
    if (member->type != VAULT_JSON_STRING)
        return VAULT_BAD_RESPONSE;
    status = vault_json_unescape(member->text, member->length, word);
    if (status == VAULT_TOO_LARGE || (status == VAULT_OK && !is_graphic(word)))
        return VAULT_BAD_RESPONSE;
    return status;
}

enum vault_status vault_secretsmanager_not_json(enum vault_status status, size_t offset,
                                                struct vault_message *why)
{
    vault_message_add(why, "HTTP 200: %s, at byte %zu", vault_status_row(status)->sentence,
                      offset + 1);
    return VAULT_BAD_RESPONSE;
}

static enum vault_status read_members(const char *text, size_t length, struct vault_secret *secret,
                                      struct vault_message *why)
{
    struct vault_json_member members[] = {
        {.key = "SecretString", .key_length = 12},
        {.key = "SecretBinary", .key_length = 12},
        {.key = "VersionId", .key_length = 9},
        {.key = "ARN", .key_length = 3},
    };
    size_t offset = 0;
    enum vault_status status = vault_json_members(text, length, members, 4, &offset);

    if (status != VAULT_OK)
        return vault_secretsmanager_not_json(status, offset, why);
    status = read_word(&members[2], &secret->version_id);
    if (status == VAULT_OK)
        status = read_word(&members[3], &secret->arn);
    if (status == VAULT_BAD_RESPONSE)
        return bad_response(why, "VersionId or ARN is malformed");
    return status == VAULT_OK ? read_payload(&members[0], &members[1], secret, why) : status;
}

enum vault_status vault_secretsmanager_read_object(const char *text, size_t length,
                                                   struct vault_secret *secret,
                                                   struct vault_message *why)
{
    struct vault_secret fresh;
    enum vault_status status;

    vault_secret_init(&fresh);
    status = read_members(text, length, &fresh, why);
    if (status != VAULT_OK) {
        vault_secret_free(&fresh);
        return status;
    }
    vault_secret_free(secret);
    *secret = fresh;
    return VAULT_OK;
}

enum vault_status vault_secretsmanager_read_value(const struct vault_exchange *exchange,
                                                  struct vault_secret *secret,
                                                  struct vault_message *why)
{
    if (exchange->status != 200)
        return vault_aws_read_error(exchange, why);
    vault_message_clear(why);
    return vault_secretsmanager_read_object(exchange->answer.data, exchange->answer.length, secret,
                                            why);
}
