/* credentials_sso - credentials of IAM Identity Center, for the token that a login left.
 *
 * For:   what credentials_sso.h promises.
 * Never: the token, or a byte of its file or of a key, in a message.
 */
#include "credentials_sso.h"

#include <string.h>

#include "clock_skew.h"
#include "credential_json.h"
#include "file.h"
#include "iso8601.h"
#include "metadata_answer.h"
#include "percent.h"
#include "service_endpoint.h"

#define FILE_MAX   (64 * 1024)
#define CALL       "/federation/credentials?role_name="
#define ATTEMPTS   3
#define PAUSE_MS   1000
#define TIMEOUT_MS 5000 /* a fetch that only renews early must not spend its time here */
#define TIME_MAX   64   /* bytes of a time */
#define MS_DIGITS  15   /* of 9999-12-31 in milliseconds since 1970 */

enum { ASK, READ }; /* run->step */

static const char source_name[] = "sso";

/* ---- the login ---- */

static void say_login(const struct vault_credential_run *run, struct vault_message *why)
{
    const char *login = run->plan->sso.login;

    vault_message_add(why, ": run \"");
    vault_message_quote(why, login, strlen(login), 256);
    vault_message_add(why, "\"");
}

static enum vault_status bad_file(struct vault_credential_run *run, const char *amiss)
{
    const char *path = run->plan->sso.token_file;

    vault_message_add(&run->why, "the IAM Identity Center login in ");
    vault_message_quote(&run->why, path, strlen(path), 512);
    vault_message_add(&run->why, " cannot be used: %s", amiss);
    say_login(run, &run->why);
    return VAULT_BAD_PROFILE;
}

static enum vault_status read_file(struct vault_credential_run *run, struct vault_buffer *text)
{
    struct vault_message amiss = {0};
    enum vault_status status = vault_file_read(run->plan->sso.token_file, text, &amiss);

    if (status == VAULT_OK || status == VAULT_NO_MEMORY)
        return status;
    vault_message_add(&run->why, "no IAM Identity Center login: %s", amiss.text);
    if (status == VAULT_INTERNAL)
        return status;
    if (status == VAULT_ACCESS_DENIED)
        vault_message_add(&run->why, "; the user of this process cannot read it");
    else
        say_login(run, &run->why);
    return VAULT_BAD_PROFILE;
}

/* As AWS's tools write it: RFC 3339, or with "UTC" in the place of 'Z', as old ones did. */
static bool read_time(struct vault_buffer *text, int64_t *seconds)
{
    if (text->length > 3 && strcmp(text->data + text->length - 3, "UTC") == 0) {
        text->length -= 2;
        text->data[text->length - 1] = 'Z';
        text->data[text->length] = '\0';
    }
    return vault_iso8601_read(text->data, text->length, seconds);
}

static enum vault_status check_expiry(struct vault_credential_run *run,
                                      const struct vault_json_member *member)
{
    struct vault_message amiss = {0};
    struct vault_buffer text;
    int64_t expires = 0;
    enum vault_status status;

    vault_buffer_init(&text, TIME_MAX);
    status = vault_json_part(member, &text, &amiss);
    if (status == VAULT_BAD_RESPONSE)
        status = bad_file(run, amiss.text);
    else if (status == VAULT_OK && !read_time(&text, &expires))
        status = bad_file(run, "expiresAt is not a time");
    if (status == VAULT_OK && expires <= run->now) {
        vault_message_add(&run->why, "the IAM Identity Center login has expired");
        say_login(run, &run->why);
        status = VAULT_EXPIRED_TOKEN;
    }
    vault_buffer_free(&text);
    return status;
}

static enum vault_status take_token(struct vault_credential_run *run,
                                    const struct vault_json_member *member,
                                    struct vault_buffer *token)
{
    struct vault_message amiss = {0};
    enum vault_status status = vault_json_part(member, token, &amiss);

    if (status == VAULT_BAD_RESPONSE)
        return bad_file(run, amiss.text);
    for (size_t i = 0; status == VAULT_OK && i < token->length; i++)
        if (token->data[i] < 0x21 || token->data[i] > 0x7e)
            return bad_file(run, "accessToken holds white space or a byte that is not printable "
                                 "ASCII");
    return status;
}

static enum vault_status read_token(struct vault_credential_run *run, struct vault_buffer *token)
{
    struct vault_json_member members[] = {
        {.key = "accessToken", .key_length = 11},
        {.key = "expiresAt", .key_length = 9},
    };
    struct vault_buffer text;
    enum vault_status status;

    vault_buffer_init(&text, FILE_MAX);
    status = read_file(run, &text);
    if (status == VAULT_OK &&
        vault_json_members(text.data ? text.data : "", text.length, members, 2, NULL) != VAULT_OK)
        status = bad_file(run, "it is not a JSON object");
    if (status == VAULT_OK)
        status = check_expiry(run, &members[1]);
    if (status == VAULT_OK)
        status = take_token(run, &members[0], token);
    vault_buffer_free(&text);
    return status;
}

/* ---- what is asked ---- */

static enum vault_status settle(struct vault_credential_run *run, struct vault_endpoint *endpoint)
{
    const struct vault_endpoint_query asked = {.service = "sso", .region = run->plan->sso.region};
    struct vault_message amiss = {0};
    enum vault_status status = vault_service_endpoint(run->query, &asked, endpoint, &amiss);

    if (status != VAULT_OK && amiss.length)
        vault_message_add(&run->why, "IAM Identity Center: %s", amiss.text);
    return status;
}

static enum vault_status put_url(struct vault_credential_run *run)
{
    const struct vault_plan_sso *sso = &run->plan->sso;
    struct vault_buffer *url = &run->exchange->url;
    struct vault_endpoint endpoint;
    enum vault_status status;

    vault_endpoint_init(&endpoint);
    status = settle(run, &endpoint);
    if (status == VAULT_OK)
        status = vault_buffer_append(url, endpoint.url.data, endpoint.url.length);
    if (status == VAULT_OK)
        status = vault_buffer_text(url, url->data[url->length - 1] == '/' ? &CALL[1] : CALL);
    if (status == VAULT_OK)
        status = vault_percent_encode(url, sso->role_name, strlen(sso->role_name));
    if (status == VAULT_OK)
        status = vault_buffer_text(url, "&account_id=");
    if (status == VAULT_OK)
        status = vault_percent_encode(url, sso->account_id, strlen(sso->account_id));
    vault_endpoint_free(&endpoint);
    return status;
}

static enum vault_status put_headers(struct vault_credential_run *run)
{
    struct vault_buffer *headers = &run->exchange->headers;
    struct vault_buffer token;
    enum vault_status status;

    vault_buffer_init(&token, VAULT_CREDENTIAL_PART_MAX);
    status = read_token(run, &token);
    if (status == VAULT_OK)
        status = vault_buffer_text(headers, "Accept: application/json\r\nx-amz-sso_bearer_token: ");
    if (status == VAULT_OK)
        status = vault_buffer_append(headers, token.data, token.length);
    if (status == VAULT_OK)
        status = vault_buffer_text(headers, "\r\n");
    vault_buffer_free(&token);
    return status;
}

static enum vault_step ask(struct vault_credential_run *run)
{
    enum vault_status status;

    vault_exchange_clear(run->exchange);
    status = put_headers(run);
    if (status == VAULT_OK)
        status = put_url(run);
    if (status != VAULT_OK)
        return vault_run_done(run, status);
    run->exchange->wants_date = true;
    run->exchange->timeout_ms = TIMEOUT_MS;
    run->step = READ;
    run->attempts++;
    return VAULT_STEP_EXCHANGE;
}

/* ---- what is answered ---- */

/* Whole milliseconds since 1970, as digits and nothing else. */
static bool read_milliseconds(const struct vault_json_member *member, int64_t *seconds)
{
    int64_t value = 0;

    if (member->type != VAULT_JSON_NUMBER || member->length > MS_DIGITS)
        return false;
    for (size_t i = 0; i < member->length; i++) {
        if (member->text[i] < '0' || member->text[i] > '9')
            return false;
        value = value * 10 + (member->text[i] - '0');
    }
    *seconds = value / 1000;
    return true;
}

static enum vault_status read_keys(const struct vault_json_member *object,
                                   struct vault_credential *credential, struct vault_message *why)
{
    struct vault_json_member members[] = {
        {.key = "accessKeyId", .key_length = 11},
        {.key = "secretAccessKey", .key_length = 15},
        {.key = "sessionToken", .key_length = 12},
        {.key = "expiration", .key_length = 10},
    };
    int64_t expires = 0;
    enum vault_status status = vault_json_members(object->text, object->length, members, 4, NULL);

    if (status != VAULT_OK) { /* checked already, but for a name that stands twice */
        vault_message_add(why, "roleCredentials: %s", vault_status_row(status)->sentence);
        return VAULT_BAD_RESPONSE;
    }
    if (!read_milliseconds(&members[3], &expires)) {
        vault_message_add(why, "expiration is not a time in milliseconds");
        return VAULT_BAD_RESPONSE;
    }
    status = vault_credential_json(members, 3, source_name, credential, why);
    if (status == VAULT_OK)
        credential->expires = expires;
    return status;
}

static enum vault_status read_body(const struct vault_exchange *exchange,
                                   struct vault_credential *credential, struct vault_message *why)
{
    struct vault_json_member object = {.key = "roleCredentials", .key_length = 15};
    const char *answer = exchange->answer.length ? exchange->answer.data : "";
    size_t offset = 0;
    enum vault_status status =
        vault_json_members(answer, exchange->answer.length, &object, 1, &offset);

    vault_message_add(why, "HTTP 200: ");
    if (status != VAULT_OK) {
        vault_message_add(why, "%s, at byte %zu", vault_status_row(status)->sentence, offset + 1);
        return VAULT_BAD_RESPONSE;
    }
    if (object.type != VAULT_JSON_OBJECT) {
        vault_message_add(why, "roleCredentials is absent or not an object");
        return VAULT_BAD_RESPONSE;
    }
    return read_keys(&object, credential, why);
}

/* (docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/CommonErrors.html) */
static enum vault_status read_refusal(const struct vault_exchange *exchange,
                                      struct vault_message *why)
{
    enum vault_status status = vault_metadata_refusal(exchange, why);

    if (status != VAULT_CREDENTIALS_REFUSED)
        return status;
    if (exchange->status == 401)
        return VAULT_EXPIRED_TOKEN;
    return exchange->status == 403 || exchange->status == 404 ? VAULT_ACCESS_DENIED
                                                              : VAULT_BAD_RESPONSE;
}

static enum vault_status read_answer(struct vault_credential_run *run, struct vault_message *why)
{
    struct vault_credential credential = {0};
    enum vault_status status = run->exchange->outcome;

    if (status != VAULT_OK) {
        vault_message_add(why, "%s", run->exchange->why.text);
        return status;
    }
    if (run->exchange->status != 200)
        return read_refusal(run->exchange, why);
    status = read_body(run->exchange, &credential, why);
    if (status != VAULT_OK)
        return status;
    if (vault_clock_skew_expired(run->exchange, &credential, run->now)) {
        vault_credential_clear(&credential);
        vault_message_add(why, "it hands out credentials that have expired");
        return VAULT_BAD_RESPONSE;
    }
    vault_credential_clear(&run->credential);
    run->credential = credential;
    return VAULT_OK;
}

static void say_refusal(struct vault_credential_run *run, enum vault_status status,
                        const struct vault_message *amiss)
{
    const struct vault_plan_sso *sso = &run->plan->sso;
    struct vault_message *why = &run->why;

    vault_message_add(why, "IAM Identity Center (role ");
    vault_message_quote(why, sso->role_name, strlen(sso->role_name), 128);
    vault_message_add(why, " of account ");
    vault_message_quote(why, sso->account_id, strlen(sso->account_id), 32);
    vault_message_add(why, "): %s", amiss->text);
    if (status == VAULT_EXPIRED_TOKEN)
        say_login(run, why);
}

static enum vault_step hear(struct vault_credential_run *run)
{
    struct vault_message amiss = {0};
    enum vault_status status = read_answer(run, &amiss);

    if (vault_status_row(status)->may_retry && run->attempts < ATTEMPTS) {
        run->step = ASK;
        run->pause_ms = PAUSE_MS;
        return VAULT_STEP_PAUSE;
    }
    if (status != VAULT_OK)
        say_refusal(run, status, &amiss);
    return vault_run_done(run, status);
}

static enum vault_step next(struct vault_credential_run *run)
{
    return run->step == ASK ? ask(run) : hear(run);
}

const struct vault_credential_source vault_source_sso = {source_name, next};
