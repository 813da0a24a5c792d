/* fuzz_sso - vault_source_sso, vault_credential_json.
 *
 * For:   input is the file of a login, then answers between bytes 0x1e: a letter or digit for how
 *        the exchange ends, then the body. A run ends, sends nothing to another host, no header of
 *        another's making, shows no planted token, and has a whole credential or none.
 * Never: speed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "credentials_sso.h"
#include "saying.h"

#define NOW       INT64_C(1700000000)
#define PLANTED   "plantedCANARY012" /* as much of a token as is looked for */
#define BASE      "https://portal.sso.eu-west-1.amazonaws.com/federation/credentials?role_name=r%20"
#define BEARER    "Accept: application/json\r\nx-amz-sso_bearer_token: "
#define LOGIN     "aws sso login --profile x"
#define ATTEMPTS  3
#define SEPARATOR 0x1e

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct end {
    char letter;
    enum vault_status outcome;
    int status;
} ends[] = {
    {'2', VAULT_OK, 200},       {'0', VAULT_OK, 400},           {'1', VAULT_OK, 401},
    {'3', VAULT_OK, 403},       {'4', VAULT_OK, 404},           {'7', VAULT_OK, 302},
    {'8', VAULT_OK, 503},       {'9', VAULT_OK, 429},           {'t', VAULT_TIMEOUT, 0},
    {'s', VAULT_TLS_FAILED, 0}, {'c', VAULT_CONNECT_FAILED, 0},
};

static void must(bool held)
{
    if (!held)
        abort();
}

static void check_text(const char *text, size_t length, char least)
{
    for (size_t i = 0; i < length; i++)
        must(text[i] >= least && text[i] <= '~');
}

static size_t part(const uint8_t *data, size_t size)
{
    const uint8_t *stop = size ? memchr(data, SEPARATOR, size) : NULL;

    return stop ? (size_t)(stop - data) : size;
}

/* A file of these bytes, in memory; its path. */
static void put_file(const uint8_t *data, size_t size, char path[64])
{
    static int file = -1;

    if (file < 0)
        file = memfd_create("login", MFD_CLOEXEC);
    must(file >= 0 && ftruncate(file, 0) == 0);
    must(pwrite(file, data, size, 0) == (ssize_t)size);
    (void)snprintf(path, 64, "/proc/self/fd/%d", file);
}

/* Whether the token that is sent is the planted one. */
static bool check_request(const struct vault_exchange *exchange)
{
    const char *token = exchange->headers.data + strlen(BEARER);
    size_t length = exchange->headers.length - strlen(BEARER);

    must(strncmp(exchange->url.data, BASE, strlen(BASE)) == 0);
    must(strncmp(exchange->headers.data, BEARER, strlen(BEARER)) == 0);
    must(length > 2 && strcmp(token + length - 2, "\r\n") == 0);
    check_text(token, length - 2, '!');
    must(!exchange->direct && exchange->timeout_ms == 5000 && exchange->may_connect == NULL);
    must(exchange->answer.length == 0 && exchange->status == 0);
    return strncmp(token, PLANTED, strlen(PLANTED)) == 0;
}

/* The next answer of the input. */
static void answer(struct vault_exchange *exchange, const uint8_t **data, size_t *size)
{
    size_t length = part(*data, *size), taken = length < *size ? length + 1 : length;
    const struct end *end = ends;

    for (size_t i = 0; length && i < sizeof ends / sizeof *ends; i++)
        if (ends[i].letter == (char)**data)
            end = &ends[i];
    exchange->outcome = end->outcome;
    exchange->status = end->status;
    if (end->outcome != VAULT_OK)
        plant_note(&exchange->why, "lost");
    else if (length > 1)
        exchange->outcome = vault_buffer_append(&exchange->answer, *data + 1, length - 1);
    *data += taken;
    *size -= taken;
}

static void check_part(const char *text)
{
    must(text && *text);
    check_text(text, strlen(text), '!');
}

static void check_end(const struct vault_credential_run *run, bool planted)
{
    const struct vault_credential *had = &run->credential;

    must((unsigned)run->status < VAULT_STATUS_COUNT && run->status != VAULT_INTERNAL);
    must((run->why.length == 0) == (run->status == VAULT_OK));
    check_text(run->why.text, run->why.length, ' ');
    must(!planted || strstr(run->why.text, PLANTED) == NULL);
    must(run->exchange->answer.length == 0 && run->exchange->headers.length == 0);
    if (run->status == VAULT_EXPIRED_TOKEN)
        must(strstr(run->why.text, "run \"" LOGIN "\"") != NULL);
    if (run->status != VAULT_OK) {
        must(!had->access_key_id && !had->secret_access_key && !had->session_token);
        return;
    }
    check_part(had->access_key_id);
    check_part(had->secret_access_key);
    check_part(had->session_token);
    must(had->expires > NOW && strcmp(had->source, "sso") == 0);
}

static void play(struct vault_credential_run *run, const uint8_t *data, size_t size)
{
    bool planted = true;

    for (unsigned asked = 0, paused = 0;;) {
        run->now = NOW;
        switch (vault_source_sso.next(run)) {
        case VAULT_STEP_EXCHANGE:
            must(++asked <= ATTEMPTS);
            planted = check_request(run->exchange);
            answer(run->exchange, &data, &size);
            break;
        case VAULT_STEP_PAUSE:
            must(++paused < ATTEMPTS && run->pause_ms == 1000);
            break;
        case VAULT_STEP_DONE:
        default:
            check_end(run, planted);
            return;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const entries[] = {"HOME=/nonexistent", NULL};
    char account[] = "1", role[] = "r ", region[] = "eu-west-1", login[] = LOGIN, path[64];
    const struct vault_plan plan = {.base = VAULT_PLAN_SSO,
                                    .sso = {account, role, region, path, login}};
    struct vault_credential_query query = {0};
    struct vault_environment *environment = NULL;
    struct vault_exchange exchange;
    struct vault_credential_run run;
    size_t length = part(data, size);

    put_file(data, length, path);
    must(vault_environment_new(entries, &environment) == VAULT_OK);
    query.environment = environment;
    vault_exchange_init(&exchange);
    vault_credential_run_init(&run, &query, &exchange);
    run.plan = &plan;
    length = length < size ? length + 1 : length;
    play(&run, data + length, size - length);
    vault_credential_run_free(&run);
    vault_exchange_free(&exchange);
    vault_environment_free(environment);
    return 0;
}
