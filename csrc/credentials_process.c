/* credentials_process - credentials that a program of the profile prints.
 *
 * For:   what credentials_process.h promises.
 * Never: a byte of the program's output in a message; of what it says on standard error only what
 *        program.h lets through.
 */
#include "credentials_process.h"

#include "command_line.h"
#include "credential_json.h"

#define TIMEOUT_MS 10000

enum { ASK, READ }; /* run->step */
enum { KEY_ID, SECRET, TOKEN, EXPIRATION, VERSION, MEMBER_COUNT };

static const char source_name[] = "process";

static enum vault_step fail(struct vault_credential_run *run, enum vault_status status,
                            const struct vault_message *amiss)
{
    vault_message_add(&run->why, "credential_process: %s",
                      amiss->length ? amiss->text : vault_status_row(status)->sentence);
    return vault_run_done(run, status);
}

static enum vault_step ask(struct vault_credential_run *run)
{
    struct vault_message amiss = {0};
    enum vault_status status;

    vault_exchange_clear(run->exchange);
    status = vault_command_line_split(run->plan->command, &run->exchange->program, &amiss);
    if (status == VAULT_TOO_LARGE)
        vault_message_add(&amiss, "the command is over %d bytes", VAULT_EXCHANGE_PROGRAM_MAX - 1);
    if (status == VAULT_BAD_CONFIG || status == VAULT_TOO_LARGE)
        status = VAULT_BAD_PROFILE;
    if (status != VAULT_OK)
        return fail(run, status, &amiss);
    run->exchange->timeout_ms = TIMEOUT_MS;
    run->step = READ;
    return VAULT_STEP_EXCHANGE;
}

/* ---- what it printed ---- */

static enum vault_status bad_part(const struct vault_json_member *member, const char *amiss,
                                  struct vault_message *why)
{
    vault_message_add(why, "%s %s", member->key, amiss);
    return VAULT_BAD_RESPONSE;
}

static bool is_absent(const struct vault_json_member *member)
{
    return member->type == VAULT_JSON_ABSENT || member->type == VAULT_JSON_NULL;
}

static enum vault_status check_version(const struct vault_json_member *version,
                                       struct vault_message *why)
{
    if (is_absent(version))
        return bad_part(version, "is absent", why);
    if (version->type != VAULT_JSON_NUMBER)
        return bad_part(version, "is not a number", why);
    if (version->length != 1 || *version->text != '1')
        return bad_part(version, "is not 1", why);
    return VAULT_OK;
}

/* `expires` stays as it is where the program names no moment. */
static enum vault_status read_expiration(const struct vault_json_member *expiration, int64_t now,
                                         int64_t *expires, struct vault_message *why)
{
    enum vault_status status;

    if (is_absent(expiration))
        return VAULT_OK;
    status = vault_json_time(expiration, expires, why);
    if (status == VAULT_OK && *expires <= now) {
        vault_message_add(why, "it prints credentials that have expired");
        status = VAULT_EXPIRED_TOKEN;
    }
    return status;
}

static enum vault_status read_members(const struct vault_json_member *members, int64_t now,
                                      struct vault_credential *credential,
                                      struct vault_message *why)
{
    size_t count = vault_json_lacks(&members[TOKEN]) ? 2 : 3;
    int64_t expires = 0;
    enum vault_status status = check_version(&members[VERSION], why);

    if (status == VAULT_OK)
        status = read_expiration(&members[EXPIRATION], now, &expires, why);
    if (status == VAULT_OK)
        status = vault_credential_json(members, count, source_name, credential, why);
    if (status == VAULT_OK)
        credential->expires = expires;
    return status;
}

static enum vault_status read_output(const struct vault_buffer *output, int64_t now,
                                     struct vault_credential *credential, struct vault_message *why)
{
    struct vault_json_member members[MEMBER_COUNT] = {
        [KEY_ID] = {.key = "AccessKeyId", .key_length = 11},
        [SECRET] = {.key = "SecretAccessKey", .key_length = 15},
        [TOKEN] = {.key = "SessionToken", .key_length = 12},
        [EXPIRATION] = {.key = "Expiration", .key_length = 10},
        [VERSION] = {.key = "Version", .key_length = 7},
    };
    size_t offset = 0;
    enum vault_status status = vault_json_members(output->length ? output->data : "",
                                                  output->length, members, MEMBER_COUNT, &offset);

    if (status == VAULT_OK)
        return read_members(members, now, credential, why);
    vault_message_add(why, "its output: %s, at byte %zu", vault_status_row(status)->sentence,
                      offset + 1);
    return VAULT_BAD_RESPONSE;
}

static enum vault_status judge(const struct vault_credential_run *run,
                               struct vault_credential *credential, struct vault_message *why)
{
    const struct vault_exchange *exchange = run->exchange;
    enum vault_status status = exchange->outcome;

    if (status == VAULT_OK && exchange->status == 0)
        return read_output(&exchange->answer, run->now, credential, why);
    if (status == VAULT_OK) {
        vault_message_add(why, "exit status %d%s", exchange->status,
                          exchange->why.length ? ": " : "");
        status = VAULT_CREDENTIALS_REFUSED;
    }
    vault_message_add(why, "%s", exchange->why.text);
    return status == VAULT_NOT_FOUND ? VAULT_BAD_PROFILE : status;
}

static enum vault_step hear(struct vault_credential_run *run)
{
    struct vault_message amiss = {0};
    enum vault_status status = judge(run, &run->credential, &amiss);

    return status == VAULT_OK ? vault_run_done(run, status) : fail(run, status, &amiss);
}

static enum vault_step next(struct vault_credential_run *run)
{
    return run->step == ASK ? ask(run) : hear(run);
}

const struct vault_credential_source vault_source_process = {source_name, next};
