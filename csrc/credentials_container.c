/* credentials_container - credentials of the container this process runs in.
 *
 * For:   what credentials_container.h promises.
 * Never: the authorization token, or the answer, in a message.
 */
#include "credentials_container.h"

#include <string.h>

#include "clock_skew.h"
#include "container_address.h"
#include "file.h"
#include "metadata_answer.h"
#include "url.h"

#define AGENT        "http://169.254.170.2"
#define RELATIVE_URI "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
#define FULL_URI     "AWS_CONTAINER_CREDENTIALS_FULL_URI"
#define TOKEN_FILE   "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
#define TOKEN        "AWS_CONTAINER_AUTHORIZATION_TOKEN"

#define TOKEN_MAX  16384
#define ATTEMPTS   3
#define PAUSE_MS   1000
#define TIMEOUT_MS 2000

enum { ASK, READ }; /* run->step */

static const char source_name[] = "container";

/* NULL where it is not set or empty. */
static const char *variable(const struct vault_credential_run *run, const char *name)
{
    return vault_environment_set(run->query->environment, name);
}

static enum vault_status bad_config(struct vault_credential_run *run, const char *name,
                                    const char *amiss)
{
    vault_message_add(&run->why, "%s %s", name, amiss);
    return VAULT_BAD_CONFIG;
}

static bool is_graphic(const char *text)
{
    for (; *text; text++)
        if (*text < 0x21 || *text > 0x7e)
            return false;
    return true;
}

/* What stands after the host goes out as it is: agents know paths that vault_url_read refuses. */
static enum vault_status check_uri(struct vault_credential_run *run, const char *name,
                                   const char *uri)
{
    if (strlen(uri) > VAULT_URL_MAX)
        return bad_config(run, name, "is over 2048 bytes");
    if (!is_graphic(uri) || strchr(uri, '#'))
        return bad_config(run, name, "holds a blank, a fragment or a byte that no URL has");
    return VAULT_OK;
}

/* Scheme, host and port of `uri`; *https and the verdict on a plain host are taken from them. */
static enum vault_status check_authority(struct vault_credential_run *run, const char *uri,
                                         bool *https)
{
    const char *mark = strstr(uri, "://");
    const char *start = mark ? mark + strlen("://") : uri;
    char *authority = vault_copy(uri, (size_t)(start - uri) + strcspn(start, "/?"));
    struct vault_message amiss = {0};
    struct vault_url url;
    enum vault_status status;

    if (!authority)
        return VAULT_NO_MEMORY;
    status = vault_url_read(authority, &url, &amiss);
    if (status != VAULT_OK) {
        vault_message_add(&run->why, "%s: %s", FULL_URI, amiss.text);
        status = VAULT_BAD_CONFIG;
    } else if (!url.https && !vault_container_host(url.host, url.host_length)) {
        status = bad_config(run, FULL_URI,
                            "has an address that may not be asked over plain http: only loopback, "
                            "169.254.170.2, 169.254.170.23 and [fd00:ec2::23] may");
    } else
        *https = url.https;
    vault_free(authority);
    return status;
}

static enum vault_status put_relative(struct vault_credential_run *run, const char *uri)
{
    struct vault_buffer *url = &run->exchange->url;
    enum vault_status status = check_uri(run, RELATIVE_URI, uri);

    if (status != VAULT_OK)
        return status;
    if (*uri != '/') /* "@host" or ".host" behind the agent's address would be another host */
        return bad_config(run, RELATIVE_URI, "does not begin with a slash");
    run->exchange->may_connect = vault_container_address;
    status = vault_buffer_text(url, AGENT);
    return status == VAULT_OK ? vault_buffer_text(url, uri) : status;
}

static enum vault_status put_full(struct vault_credential_run *run, const char *uri)
{
    bool https = false;
    enum vault_status status = check_uri(run, FULL_URI, uri);

    if (status == VAULT_OK)
        status = check_authority(run, uri, &https);
    if (status != VAULT_OK)
        return status;
    run->exchange->may_connect = https ? NULL : vault_container_address;
    return vault_buffer_text(&run->exchange->url, uri);
}

static enum vault_status put_url(struct vault_credential_run *run)
{
    const char *relative = variable(run, RELATIVE_URI), *full = variable(run, FULL_URI);

    if (relative)
        return put_relative(run, relative);
    if (full)
        return put_full(run, full);
    vault_message_add(&run->why, "neither %s nor %s is set", RELATIVE_URI, FULL_URI);
    return VAULT_NOT_CONFIGURED;
}

/* One line's end behind the token is not the token's, whoever wrote the file: AWS's own example for
 * Pod Identity reads it with $(cat ..), which drops it. botocore, which takes the bytes as they
 * are, refuses it as no legal header value (credentials.py, ContainerProvider). */
static void drop_line_end(struct vault_buffer *token)
{
    if (token->length > 0 && token->data[token->length - 1] == '\n')
        token->data[--token->length] = '\0';
    if (token->length > 0 && token->data[token->length - 1] == '\r')
        token->data[--token->length] = '\0';
}

static enum vault_status read_token_file(struct vault_credential_run *run, const char *path,
                                         struct vault_buffer *token)
{
    struct vault_message amiss = {0};
    enum vault_status status = vault_file_read(path, token, &amiss);

    if (status == VAULT_OK) {
        drop_line_end(token);
        return VAULT_OK;
    }
    if (status == VAULT_NO_MEMORY)
        return status;
    vault_message_add(&run->why, "%s: %s", TOKEN_FILE, amiss.text);
    return status == VAULT_INTERNAL ? status : VAULT_BAD_CONFIG;
}

static enum vault_status check_token(struct vault_credential_run *run, const char *path,
                                     const struct vault_buffer *token)
{
    const char *amiss = NULL;

    if (token->length == 0)
        amiss = "the token is empty";
    else if (strlen(token->data) != token->length)
        amiss = "the token holds a NUL";
    for (size_t i = 0; i < token->length && !amiss; i++)
        if (token->data[i] < 0x20 || token->data[i] > 0x7e)
            amiss = "the token holds a line's end or a byte that is not printable ASCII";
    if (!amiss)
        return VAULT_OK;
    vault_message_add(&run->why, "%s", path ? TOKEN_FILE " " : TOKEN);
    if (path)
        vault_message_quote(&run->why, path, strlen(path), 256);
    vault_message_add(&run->why, ": %s", amiss);
    return VAULT_BAD_CONFIG;
}

static enum vault_status put_authorization(struct vault_credential_run *run)
{
    const char *path = variable(run, TOKEN_FILE), *text = variable(run, TOKEN);
    struct vault_buffer *headers = &run->exchange->headers;
    struct vault_buffer token;
    enum vault_status status;

    if (!path && !text)
        return VAULT_OK;
    vault_buffer_init(&token, TOKEN_MAX);
    status = path ? read_token_file(run, path, &token) : vault_buffer_text(&token, text);
    if (status == VAULT_TOO_LARGE)
        status = bad_config(run, TOKEN, "is over 16384 bytes");
    if (status == VAULT_OK)
        status = check_token(run, path, &token);
    if (status == VAULT_OK)
        status = vault_buffer_text(headers, "Authorization: ");
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
    status = put_url(run);
    if (status == VAULT_OK)
        status = vault_buffer_text(&run->exchange->headers, "Accept: application/json\r\n");
    if (status == VAULT_OK)
        status = put_authorization(run);
    if (status != VAULT_OK)
        return vault_run_done(run, status);
    run->exchange->direct = run->exchange->wants_date = true;
    run->exchange->timeout_ms = TIMEOUT_MS;
    run->step = READ;
    run->attempts++;
    return VAULT_STEP_EXCHANGE;
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
        return vault_metadata_refusal(run->exchange, why);
    status = vault_metadata_read(run->exchange, source_name, &credential, why);
    if (status != VAULT_OK)
        return status;
    if (vault_clock_skew_expired(run->exchange, &credential, run->now)) {
        vault_credential_clear(&credential);
        vault_message_add(why, "it hands out credentials that have expired");
        return VAULT_EXPIRED_TOKEN;
    }
    vault_credential_clear(&run->credential);
    run->credential = credential;
    return VAULT_OK;
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
        vault_message_add(&run->why, "container credentials (%s): %s",
                          variable(run, RELATIVE_URI) ? RELATIVE_URI : FULL_URI, amiss.text);
    return vault_run_done(run, status);
}

static enum vault_step next(struct vault_credential_run *run)
{
    return run->step == ASK ? ask(run) : hear(run);
}

const struct vault_credential_source vault_source_container = {source_name, next};
