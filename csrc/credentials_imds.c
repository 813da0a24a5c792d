/* credentials_imds - credentials and region of the EC2 instance this process runs on.
 *
 * For:   what credentials_imds.h promises. A run asks for a token, then with it (v1: without)
 *        for what is wanted; run->memory holds the token and the role's name, each with its NUL.
 * Never: a token or an answer in a message.
 */
#include "credentials_imds.h"

#include <string.h>

#include "clock_skew.h"
#include "credentials_imds_settings.h"
#include "endpoint.h"
#include "metadata_answer.h"

#define TOKEN_MAX 4096
#define ROLE_MAX  256 /* IAM's own limit is 64 */
#define PAUSE_MS  100 /* between attempts at one question */

/* run->step: a question, and what the run has learnt. The first call finds 0. */
enum question { QUESTION_TOKEN, QUESTION_ROLE, QUESTION_KEYS, QUESTION_REGION };

enum {
    QUESTION_MASK = 0x0f,
    ASKED = 0x10,   /* the exchange was handed out: there is an answer to read */
    HEARD = 0x20,   /* an HTTP answer came: somebody is there */
    V1 = 0x40,      /* asking without a token */
    SILENT = 0x80,  /* the token did not come in time */
    RENEWED = 0x100 /* a token was refused and a new one asked for */
};

static const struct {
    const char *method;
    const char *path;
} questions[] = {
    [QUESTION_TOKEN] = {"PUT", "/latest/api/token"},
    [QUESTION_ROLE] = {"GET", "/latest/meta-data/iam/security-credentials/"},
    [QUESTION_KEYS] = {"GET", "/latest/meta-data/iam/security-credentials/"},
    [QUESTION_REGION] = {"GET", "/latest/meta-data/placement/region"},
};

static const char source_name[] = "imds";

static enum question question_of(const struct vault_credential_run *run)
{
    return (enum question)(run->step & QUESTION_MASK);
}

static enum vault_step done_because(struct vault_credential_run *run, enum vault_status status,
                                    const char *because)
{
    vault_message_add(&run->why, "%s", because);
    return vault_run_done(run, status);
}

static bool is_graphic(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] < 0x21 || text[i] > 0x7e)
            return false;
    return true;
}

/* Percent-encoded but for what RFC 3986 allows in a segment of a path, which is all that a role's
 * name can hold. */
static enum vault_status put_role(struct vault_buffer *url, const char *role)
{
    static const char digits[] = "0123456789ABCDEF";
    enum vault_status status = VAULT_OK;

    for (; *role && status == VAULT_OK; role++) {
        unsigned char byte = (unsigned char)*role;
        char escape[] = {'%', digits[byte >> 4], digits[byte & 15]};
        bool plain = (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z');

        plain = plain || strchr("-._~+=,@", byte);
        status = vault_buffer_append(url, plain ? role : escape, plain ? 1 : sizeof escape);
    }
    return status;
}

static enum vault_status put_url(struct vault_credential_run *run,
                                 const struct vault_imds_settings *settings)
{
    struct vault_buffer *url = &run->exchange->url;
    const char *token = run->memory.data;
    enum vault_status status = vault_buffer_append(url, settings->base, settings->base_length);

    if (status == VAULT_OK)
        status = vault_buffer_text(url, questions[question_of(run)].path);
    if (status == VAULT_OK && question_of(run) == QUESTION_KEYS)
        status = put_role(url, token + strlen(token) + 1);
    return status;
}

static enum vault_status put_headers(struct vault_credential_run *run)
{
    struct vault_buffer *headers = &run->exchange->headers;
    enum vault_status status;

    if (question_of(run) == QUESTION_TOKEN)
        return vault_buffer_text(headers, "X-aws-ec2-metadata-token-ttl-seconds: 21600\r\n");
    if (run->step & V1)
        return VAULT_OK;
    status = vault_buffer_text(headers, "X-aws-ec2-metadata-token: ");
    if (status == VAULT_OK)
        status = vault_buffer_text(headers, run->memory.data);
    return status == VAULT_OK ? vault_buffer_text(headers, "\r\n") : status;
}

static enum vault_step ask(struct vault_credential_run *run,
                           const struct vault_imds_settings *settings)
{
    enum vault_status status;

    vault_exchange_clear(run->exchange);
    status = put_url(run, settings);
    if (status == VAULT_OK)
        status = put_headers(run);
    if (status != VAULT_OK)
        return vault_run_done(run, status);
    run->exchange->method = questions[question_of(run)].method;
    run->exchange->direct = run->exchange->wants_date = true;
    run->exchange->timeout_ms = settings->timeout_ms;
    run->step |= ASKED;
    run->attempts++;
    return VAULT_STEP_EXCHANGE;
}

static enum vault_step ask_for(struct vault_credential_run *run, enum question question,
                               const struct vault_imds_settings *settings)
{
    run->step = (run->step & ~(unsigned)QUESTION_MASK) | question;
    run->attempts = 0;
    return ask(run, settings);
}

static enum vault_step ask_again(struct vault_credential_run *run)
{
    run->pause_ms = PAUSE_MS;
    return VAULT_STEP_PAUSE;
}

static bool may_repeat(const struct vault_credential_run *run, enum vault_status status,
                       const struct vault_imds_settings *settings)
{
    return vault_status_row(status)->may_retry && run->attempts < settings->attempts;
}

static void say_where(struct vault_credential_run *run, const struct vault_imds_settings *settings)
{
    vault_message_add(&run->why, "instance metadata at ");
    vault_message_quote(&run->why, settings->base, settings->base_length, 256);
}

/* What users of containers lose days over. */
static void say_hint(struct vault_credential_run *run)
{
    if (run->step & SILENT)
        vault_message_add(&run->why, "; its token did not come in time: in a container the "
                                     "instance's metadata hop limit must be 2 or more");
}

/* No answer. Where there never was one, nothing says that this is EC2 at all. */
static enum vault_step lost(struct vault_credential_run *run,
                            const struct vault_imds_settings *settings)
{
    enum vault_status status = run->exchange->outcome;

    if (may_repeat(run, status, settings))
        return ask_again(run);
    if (vault_status_row(status)->may_retry && !(run->step & HEARD))
        status = VAULT_NOT_CONFIGURED;
    say_where(run, settings);
    vault_message_add(&run->why, ": %s", run->exchange->why.text);
    say_hint(run);
    return vault_run_done(run, status);
}

static enum vault_step refused(struct vault_credential_run *run,
                               const struct vault_imds_settings *settings)
{
    enum vault_status status = vault_metadata_classify(run->exchange->status);

    if (may_repeat(run, status, settings))
        return ask_again(run);
    say_where(run, settings);
    vault_message_add(&run->why, ": HTTP %d for %s", run->exchange->status,
                      questions[question_of(run)].path);
    if ((run->step & V1) && run->exchange->status == 401)
        vault_message_add(&run->why, " without a token");
    say_hint(run);
    return vault_run_done(run, status);
}

static enum vault_step malformed(struct vault_credential_run *run,
                                 const struct vault_imds_settings *settings, const char *amiss)
{
    say_where(run, settings);
    vault_message_add(&run->why, ": HTTP 200: %s", amiss);
    return vault_run_done(run, VAULT_BAD_RESPONSE);
}

/* IMDSv1: the same questions without a token. */
static enum vault_step fall_back(struct vault_credential_run *run, enum question wanted,
                                 const struct vault_imds_settings *settings)
{
    const char *disabled;
    enum vault_status status = vault_imds_v1_disabled(run->query, &disabled);

    if (status != VAULT_OK)
        return vault_run_done(run, status);
    if (disabled) {
        say_where(run, settings);
        if (run->exchange->outcome == VAULT_OK)
            vault_message_add(&run->why, ": HTTP %d for a token", run->exchange->status);
        say_hint(run);
        vault_message_add(&run->why, "; %s is true", disabled);
        return vault_run_done(run,
                              run->step & HEARD ? VAULT_CREDENTIALS_REFUSED : VAULT_NOT_CONFIGURED);
    }
    run->step |= V1;
    vault_buffer_clear(&run->memory);
    status = vault_buffer_append(&run->memory, "", 1);
    return status == VAULT_OK ? ask_for(run, wanted, settings) : vault_run_done(run, status);
}

static enum vault_step take_token(struct vault_credential_run *run, enum question wanted,
                                  const struct vault_imds_settings *settings)
{
    const struct vault_buffer *answer = &run->exchange->answer;
    enum vault_status status;

    if (answer->length == 0 || answer->length > TOKEN_MAX ||
        !is_graphic(answer->data, answer->length))
        return malformed(run, settings, "what came is no token");
    vault_buffer_clear(&run->memory);
    status = vault_buffer_append(&run->memory, answer->data, answer->length + 1);
    return status == VAULT_OK ? ask_for(run, wanted, settings) : vault_run_done(run, status);
}

static enum vault_step hear_token(struct vault_credential_run *run, enum question wanted,
                                  const struct vault_imds_settings *settings)
{
    switch (run->exchange->status) {
    case 200:
        return take_token(run, wanted, settings);
    case 403:
    case 404:
    case 405:
        return fall_back(run, wanted, settings);
    default:
        return refused(run, settings);
    }
}

/* The answer without one line's end behind it. */
static void trim(struct vault_buffer *answer)
{
    if (answer->length > 0 && answer->data[answer->length - 1] == '\n')
        answer->data[--answer->length] = '\0';
}

static enum vault_step take_role(struct vault_credential_run *run,
                                 const struct vault_imds_settings *settings)
{
    struct vault_buffer *role = &run->exchange->answer;
    enum vault_status status;

    trim(role);
    if (role->length == 0)
        return done_because(run, VAULT_NOT_CONFIGURED, "the instance has no role");
    if (role->length > ROLE_MAX || !is_graphic(role->data, role->length) ||
        strcmp(role->data, ".") == 0 || strcmp(role->data, "..") == 0)
        return malformed(run, settings, "what came is no role's name");
    status = vault_buffer_append(&run->memory, role->data, role->length + 1);
    return status == VAULT_OK ? ask_for(run, QUESTION_KEYS, settings) : vault_run_done(run, status);
}

static enum vault_step take_region(struct vault_credential_run *run,
                                   const struct vault_imds_settings *settings)
{
    struct vault_buffer *region = &run->exchange->answer;

    trim(region);
    if (region->length == 0 || strlen(region->data) != region->length ||
        !vault_region_valid(region->data))
        return malformed(run, settings, "what came is no region");
    vault_buffer_clear(&run->memory);
    return vault_run_done(run, vault_buffer_append(&run->memory, region->data, region->length));
}

/* 10 to 15 minutes and 2 to 10 more: told apart by key and moment, so that machines that lost the
 * service together do not come back together. */
static int64_t extended(int64_t now, const char *key)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)now;

    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * UINT64_C(0x100000001b3);
    hash ^= hash >> 32;
    return now + 600 + (int64_t)(hash % 301) + 120 + (int64_t)(hash / 301 % 481);
}

static enum vault_step take_keys(struct vault_credential_run *run,
                                 const struct vault_imds_settings *settings)
{
    struct vault_credential *credential = &run->credential;
    struct vault_message amiss = {0};
    enum vault_status status = vault_metadata_read(run->exchange, source_name, credential, &amiss);

    if (status == VAULT_OK && vault_clock_skew_expired(run->exchange, credential, run->now))
        credential->expires = extended(run->now, credential->access_key_id);
    if (status != VAULT_OK) {
        say_where(run, settings);
        vault_message_add(&run->why, ": %s", amiss.text);
    }
    return vault_run_done(run, status);
}

static enum vault_step take(struct vault_credential_run *run,
                            const struct vault_imds_settings *settings)
{
    switch (question_of(run)) {
    case QUESTION_ROLE:
        return take_role(run, settings);
    case QUESTION_REGION:
        return take_region(run, settings);
    case QUESTION_KEYS:
    case QUESTION_TOKEN:
    default:
        return take_keys(run, settings);
    }
}

static enum vault_step hear_get(struct vault_credential_run *run,
                                const struct vault_imds_settings *settings)
{
    bool first = question_of(run) != QUESTION_KEYS;

    switch (run->exchange->status) {
    case 200:
        return take(run, settings);
    case 401:
        if (run->step & (V1 | RENEWED))
            return refused(run, settings);
        run->step |= RENEWED;
        return ask_for(run, QUESTION_TOKEN, settings);
    case 403: /* with a PUT that was refused as well: turned off for this instance */
        if (!first || !(run->step & V1) || (run->step & SILENT))
            return refused(run, settings);
        return done_because(run, VAULT_NOT_CONFIGURED, "instance metadata is turned off");
    case 404:
        if (!first)
            return refused(run, settings);
        return done_because(run, VAULT_NOT_CONFIGURED,
                            question_of(run) == QUESTION_ROLE ? "the instance has no role"
                                                              : "the instance knows no region");
    default:
        return refused(run, settings);
    }
}

/* `wanted` is the first question behind the token's. */
static enum vault_step advance(struct vault_credential_run *run, enum question wanted)
{
    struct vault_imds_settings settings;
    enum vault_status status =
        vault_imds_settings_read(run->query->environment, &settings, &run->why);

    if (status != VAULT_OK)
        return vault_run_done(run, status);
    if (!(run->step & ASKED))
        return ask(run, &settings);
    run->step &= ~(unsigned)ASKED;
    if (run->exchange->outcome == VAULT_TIMEOUT && question_of(run) == QUESTION_TOKEN) {
        run->step |= SILENT;
        return fall_back(run, wanted, &settings);
    }
    if (run->exchange->outcome != VAULT_OK)
        return lost(run, &settings);
    run->step |= HEARD;
    return question_of(run) == QUESTION_TOKEN ? hear_token(run, wanted, &settings)
                                              : hear_get(run, &settings);
}

static enum vault_step next_of_keys(struct vault_credential_run *run)
{
    return advance(run, QUESTION_ROLE);
}

static enum vault_step next_of_region(struct vault_credential_run *run)
{
    return advance(run, QUESTION_REGION);
}

const struct vault_credential_source vault_source_imds = {source_name, next_of_keys};
const struct vault_credential_source vault_source_imds_region = {source_name, next_of_region};
