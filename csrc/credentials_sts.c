/* credentials_sts - what to ask AWS's Security Token Service, and how to read its answer.
 *
 * For:   requests in the query protocol, checked before any call; an answer's texts to a credential
 *        or to a refusal.
 * Never: XML and JSON themselves (sts_answer, sts_json), signing, retries.
 */
#include "credentials_sts.h"

#include <stdio.h>
#include <string.h>

#include "aws_error.h"
#include "percent.h"
#include "sts_answer.h"
#include "sts_json.h"

#define TOKEN_MIN 4
#define TOKEN_MAX 20000

const char vault_sts_service[] = "sts";

/* ---- what is asked ---- */

/* (docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html, "Request Parameters") */
struct text_rule {
    const char *part;
    size_t least;
    size_t most;
    const char *marks; /* allowed besides letters and digits; NULL: all printable ASCII */
};

static const struct text_rule arn_rule = {"role ARN", 20, 2048, NULL};
static const struct text_rule session_rule = {"role session name", 2, 64, "_+=,.@-"};
static const struct text_rule external_rule = {"external id", 2, 1224, "_+=,.@:/-"};

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_allowed(char c, const char *marks)
{
    if (!marks)
        return c > ' ' && c <= '~';
    return is_alphanumeric(c) || (c != '\0' && strchr(marks, c));
}

static enum vault_status check_length(const char *part, size_t length, size_t least, size_t most,
                                      struct vault_message *why)
{
    if (length == 0)
        vault_message_add(why, "the %s is empty", part);
    else if (length < least)
        vault_message_add(why, "the %s is under %zu characters", part, least);
    else if (length > most)
        vault_message_add(why, "the %s is over %zu characters", part, most);
    else
        return VAULT_OK;
    return VAULT_BAD_CONFIG;
}

static enum vault_status check_text(const char *text, const struct text_rule *rule,
                                    struct vault_message *why)
{
    size_t length = text ? strlen(text) : 0;
    enum vault_status status = check_length(rule->part, length, rule->least, rule->most, why);

    for (size_t i = 0; status == VAULT_OK && i < length; i++) {
        if (is_allowed(text[i], rule->marks))
            continue;
        status = VAULT_BAD_CONFIG;
        if (rule->marks)
            vault_message_add(why, "the %s holds a character that is not of A-Z a-z 0-9 %s",
                              rule->part, rule->marks);
        else
            vault_message_add(why, "the %s holds white space or a byte that is not printable ASCII",
                              rule->part);
    }
    return status;
}

static enum vault_status check_duration(int seconds, struct vault_message *why)
{
    if (seconds == 0 || (seconds >= VAULT_STS_DURATION_MIN && seconds <= VAULT_STS_DURATION_MAX))
        return VAULT_OK;
    vault_message_add(why, "the duration of the role's session is %d seconds, not %d to %d",
                      seconds, VAULT_STS_DURATION_MIN, VAULT_STS_DURATION_MAX);
    return VAULT_BAD_CONFIG;
}

enum vault_status vault_sts_check_role(const struct vault_sts_role *role, struct vault_message *why)
{
    enum vault_status status = check_text(role->arn, &arn_rule, why);

    if (status == VAULT_OK && strncmp(role->arn, "arn:", 4) != 0) {
        vault_message_add(why, "the role ARN does not start with arn:");
        status = VAULT_BAD_CONFIG;
    }
    if (status == VAULT_OK)
        status = check_text(role->session_name, &session_rule, why);
    if (status == VAULT_OK && role->external_id)
        status = check_text(role->external_id, &external_rule, why);
    return status == VAULT_OK ? check_duration(role->duration_seconds, why) : status;
}

static enum vault_status add_parameter(struct vault_buffer *body, const char *name,
                                       const char *value, size_t length)
{
    enum vault_status status = vault_buffer_text(body, name);

    return status == VAULT_OK ? vault_percent_encode(body, value, length) : status;
}

static enum vault_status add_role(struct vault_buffer *body, const struct vault_sts_role *role)
{
    char duration[16];
    enum vault_status status =
        add_parameter(body, "&Version=2011-06-15&RoleArn=", role->arn, strlen(role->arn));

    if (status == VAULT_OK)
        status = add_parameter(body, "&RoleSessionName=", role->session_name,
                               strlen(role->session_name));
    if (status != VAULT_OK || role->duration_seconds == 0)
        return status;
    (void)snprintf(duration, sizeof duration, "%d", role->duration_seconds);
    return add_parameter(body, "&DurationSeconds=", duration, strlen(duration));
}

/* `to` gets what `from` holds, `from` what is to be freed. */
static void swap(struct vault_buffer *to, struct vault_buffer *from)
{
    struct vault_buffer held = *to;

    *to = *from;
    *from = held;
}

static enum vault_status give_body(struct vault_exchange *exchange, struct vault_buffer *body)
{
    struct vault_buffer headers;
    enum vault_status status;

    vault_buffer_init(&headers, exchange->headers.limit);
    status = vault_buffer_text(
        &headers, "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n");
    if (status == VAULT_OK) {
        exchange->method = "POST";
        swap(&exchange->headers, &headers);
        swap(&exchange->body, body);
    }
    vault_buffer_free(&headers);
    return status;
}

enum vault_status vault_sts_ask_role(struct vault_exchange *exchange,
                                     const struct vault_sts_role *role, struct vault_message *why)
{
    struct vault_buffer body;
    enum vault_status status = vault_sts_check_role(role, why);

    if (status != VAULT_OK)
        return status;
    vault_buffer_init(&body, exchange->body.limit);
    status = vault_buffer_text(&body, "Action=AssumeRole");
    if (status == VAULT_OK)
        status = add_role(&body, role);
    if (status == VAULT_OK && role->external_id)
        status = add_parameter(&body, "&ExternalId=", role->external_id, strlen(role->external_id));
    if (status == VAULT_OK)
        status = give_body(exchange, &body);
    vault_buffer_free(&body);
    return status;
}

enum vault_status vault_sts_ask_web_identity(struct vault_exchange *exchange,
                                             const struct vault_sts_role *role, const char *token,
                                             size_t token_length, struct vault_message *why)
{
    struct vault_buffer body;
    enum vault_status status = vault_sts_check_role(role, why);

    if (status == VAULT_OK)
        status = check_length("web identity token", token_length, TOKEN_MIN, TOKEN_MAX, why);
    if (status != VAULT_OK)
        return status;
    vault_buffer_init(&body, exchange->body.limit);
    status = vault_buffer_text(&body, "Action=AssumeRoleWithWebIdentity");
    if (status == VAULT_OK)
        status = add_role(&body, role);
    if (status == VAULT_OK)
        status = add_parameter(&body, "&WebIdentityToken=", token, token_length);
    if (status == VAULT_OK)
        status = give_body(exchange, &body);
    vault_buffer_free(&body);
    return status;
}

/* ---- what was answered ---- */

static bool is_json(const struct vault_buffer *text)
{
    size_t blanks = text->length ? strspn(text->data, " \t\r\n") : 0;

    return blanks < text->length && text->data[blanks] == '{';
}

static enum vault_status take_credential(const struct vault_sts_answer *answer, const char *source,
                                         struct vault_credential *credential,
                                         struct vault_message *why)
{
    enum vault_status status;

    if (answer->session_token.length == 0) {
        vault_message_add(why, answer->access_key_id.length ? "the session token is absent"
                                                            : "no credentials are in it");
        return VAULT_BAD_RESPONSE;
    }
    if (answer->expires == 0) { /* which would read as "never" */
        vault_message_add(why, "the expiration is absent");
        return VAULT_BAD_RESPONSE;
    }
    status =
        vault_credential_set(credential, answer->access_key_id.data, answer->secret_access_key.data,
                             answer->session_token.data, source, why);
    if (status == VAULT_OK)
        credential->expires = answer->expires;
    return status == VAULT_BAD_CONFIG ? VAULT_BAD_RESPONSE : status;
}

enum vault_status vault_sts_read(const struct vault_exchange *exchange, const char *source,
                                 struct vault_credential *credential, struct vault_message *why)
{
    const struct vault_buffer *text = &exchange->answer;
    struct vault_message fault = {0};
    struct vault_sts_answer answer;
    enum vault_status status;

    vault_message_clear(why);
    vault_sts_answer_init(&answer);
    status = is_json(text) ? vault_sts_json_read(text->data, text->length, &answer, &fault)
                           : vault_sts_answer_read(text->data, text->length, &answer, &fault);
    if (status == VAULT_NO_MEMORY)
        goto out;
    if (status == VAULT_OK && answer.code.length > 0) {
        status = vault_aws_tell_error(exchange, &answer.code, &answer.message, why);
        goto out;
    }
    if (exchange->status != 200) {
        status = vault_aws_read_error(exchange, why);
        goto out;
    }
    if (status == VAULT_OK)
        status = take_credential(&answer, source, credential, &fault);
    if (status == VAULT_BAD_RESPONSE)
        vault_message_add(why, "HTTP 200: %s", fault.text);
out:
    vault_sts_answer_free(&answer);
    return status;
}
