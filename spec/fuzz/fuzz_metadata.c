/* fuzz_metadata - vault_source_container, vault_source_imds, vault_source_imds_region,
 * vault_metadata_read.
 *
 * For:   input is a digit (which source) and answers between bytes 0x1e: a letter or digit for how
 *        the exchange ends, then the body. A run ends, sends nothing to another host, no header of
 *        another's making, shows no planted token, and has a whole credential or none.
 * Never: speed.
 */
#include <stdlib.h>
#include <string.h>

#include "credentials_container.h"
#include "credentials_imds.h"
#include "endpoint.h"
#include "saying.h"

#define NOW       INT64_C(1700000000)
#define PLANTED   "plantedCANARY0123456789"
#define MOVES_MAX 24
#define SEPARATOR 0x1e

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct kind {
    const struct vault_credential_source *source;
    const char *entries[4];
    const char *base;
} kinds[] = {
    {&vault_source_container,
     {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/x", "AWS_CONTAINER_AUTHORIZATION_TOKEN=" PLANTED},
     "http://169.254.170.2/x"},
    {&vault_source_imds, {"AWS_METADATA_SERVICE_NUM_ATTEMPTS=2"}, "http://169.254.169.254/latest/"},
    {&vault_source_imds_region, {NULL}, "http://169.254.169.254/latest/"},
    {&vault_source_imds, {"AWS_EC2_METADATA_V1_DISABLED=true"}, "http://169.254.169.254/latest/"},
};

static const struct end {
    char letter;
    enum vault_status outcome;
    int status;
} ends[] = {
    {'2', VAULT_OK, 200},       {'0', VAULT_OK, 400},           {'1', VAULT_OK, 401},
    {'3', VAULT_OK, 403},       {'4', VAULT_OK, 404},           {'5', VAULT_OK, 405},
    {'7', VAULT_OK, 302},       {'8', VAULT_OK, 503},           {'9', VAULT_OK, 429},
    {'t', VAULT_TIMEOUT, 0},    {'c', VAULT_CONNECT_FAILED, 0}, {'l', VAULT_CONNECTION_LOST, 0},
    {'s', VAULT_TLS_FAILED, 0},
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

/* Lines of printable ASCII: how many. */
static unsigned count_lines(const struct vault_buffer *headers)
{
    const char *line = headers->length ? headers->data : "", *end;
    unsigned lines = 0;

    for (; *line; line = end + 2, lines++) {
        end = strstr(line, "\r\n");
        must(end != NULL);
        check_text(line, (size_t)(end - line), ' ');
    }
    must(headers->length == 0 || line == headers->data + headers->length);
    return lines;
}

static void check_request(const struct kind *kind, const struct vault_exchange *exchange)
{
    must(strncmp(exchange->url.data, kind->base, strlen(kind->base)) == 0);
    must(strlen(exchange->url.data) == exchange->url.length);
    check_text(exchange->url.data, exchange->url.length, '!');
    must(count_lines(&exchange->headers) == (kind == kinds ? 2 : exchange->headers.length != 0));
    must(exchange->direct && exchange->timeout_ms > 0 && exchange->timeout_ms <= 2000);
    must(exchange->answer.length == 0 && exchange->status == 0);
}

/* The next answer of the input. */
static void answer(struct vault_exchange *exchange, const uint8_t **data, size_t *size)
{
    const uint8_t *stop = *size ? memchr(*data, SEPARATOR, *size) : NULL;
    size_t length = stop ? (size_t)(stop - *data) : *size;
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
    *data += stop ? length + 1 : length;
    *size -= stop ? length + 1 : length;
}

static void check_credential(const struct vault_credential *credential)
{
    must(credential->access_key_id && credential->secret_access_key && credential->session_token);
    must(*credential->access_key_id && *credential->secret_access_key);
    check_text(credential->access_key_id, strlen(credential->access_key_id), '!');
    check_text(credential->secret_access_key, strlen(credential->secret_access_key), '!');
    check_text(credential->session_token, strlen(credential->session_token), '!');
    must(credential->expires > NOW && credential->source != NULL);
}

static void check_end(const struct kind *kind, const struct vault_credential_run *run)
{
    bool region = kind->source == &vault_source_imds_region;

    must((unsigned)run->status < VAULT_STATUS_COUNT && run->status != VAULT_INTERNAL);
    must((run->why.length == 0) == (run->status == VAULT_OK));
    check_text(run->why.text, run->why.length, ' ');
    if (kind == kinds) /* only there it is a token */
        must(strstr(run->why.text, "plantedCANARY012") == NULL);
    must(run->exchange->answer.length == 0 && run->exchange->headers.length == 0);
    if (run->status == VAULT_OK && region)
        must(vault_region_valid(run->memory.data));
    if (run->status == VAULT_OK && !region)
        check_credential(&run->credential);
    else
        must(run->credential.access_key_id == NULL && run->credential.session_token == NULL);
}

static void play(const struct kind *kind, struct vault_credential_run *run, const uint8_t *data,
                 size_t size)
{
    for (unsigned moves = 0; moves < MOVES_MAX; moves++) {
        run->now = NOW;
        switch (kind->source->next(run)) {
        case VAULT_STEP_EXCHANGE:
            check_request(kind, run->exchange);
            answer(run->exchange, &data, &size);
            break;
        case VAULT_STEP_PAUSE:
            must(run->pause_ms > 0 && run->pause_ms <= 1000);
            break;
        case VAULT_STEP_DONE:
        default:
            check_end(kind, run);
            return;
        }
    }
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vault_credential_query query = {0};
    struct vault_environment *environment = NULL;
    struct vault_exchange exchange;
    struct vault_credential_run run;

    if (size < 1)
        return 0;
    const struct kind *kind = &kinds[data[0] % (sizeof kinds / sizeof *kinds)];

    must(vault_environment_new(kind->entries, &environment) == VAULT_OK);
    query.environment = environment;
    vault_exchange_init(&exchange);
    vault_credential_run_init(&run, &query, &exchange);
    play(kind, &run, data + 1, size - 1);
    vault_credential_run_free(&run);
    vault_exchange_free(&exchange);
    vault_environment_free(environment);
    return 0;
}
