/* identity_role - one role assumed: asked for, read, and tried again where that may help.
 *
 * For:   what identity_role.h promises.
 * Never: which role, the XML, sockets, the clock.
 */
#include "identity_role.h"

#include <stdatomic.h>
#include <string.h>

#include "clock_skew.h"
#include "file.h"
#include "service_endpoint.h"
#include "signed_exchange.h"

#define TIMEOUT_MS      5000 /* a fetch that only renews early must not spend its time on STS */
#define TOKEN_FILE_MAX  20000
#define PATH_SHOW       256
#define SOURCE_ROLE     "assumed role"
#define SOURCE_IDENTITY "web identity"

void vault_role_begin(struct vault_role_run *run, const struct vault_environment *environment,
                      const struct vault_role_tools *tools)
{
    *run = (struct vault_role_run){0};
    vault_endpoint_init(&run->endpoint);
    vault_retry_init(&run->retry, environment, tools->random, tools->random_at);
}

void vault_role_free(struct vault_role_run *run)
{
    vault_endpoint_free(&run->endpoint);
    vault_credential_clear(&run->credential);
}

static enum vault_step done(struct vault_role_run *run, enum vault_status status)
{
    run->status = status;
    return VAULT_STEP_DONE;
}

/* A vault's own endpoint is for signed calls: the token of a web identity would go to whoever wrote
 * it there. */
static enum vault_status settle(struct vault_role_run *run, const struct vault_role_wish *wish,
                                const struct vault_role_tools *tools)
{
    const struct vault_endpoint_query asked = {
        .service = vault_sts_service,
        .region = wish->region,
        .override = wish->caller ? wish->endpoint_url : NULL,
    };
    enum vault_status status =
        vault_service_endpoint(wish->query, &asked, &run->endpoint, &run->why);

    if (status == VAULT_OK)
        run->budget = vault_retry_budget_of(tools->budgets, run->endpoint.host.data);
    return status;
}

/* `token` is trimmed. What is amiss with it is said of its file. */
static enum vault_status ask_with_token(struct vault_role_run *run,
                                        const struct vault_role_wish *wish,
                                        struct vault_exchange *exchange, struct vault_buffer *token)
{
    struct vault_message amiss = {0};
    enum vault_status status;

    while (token->length && strchr(" \t\r\n", token->data[token->length - 1]))
        token->data[--token->length] = '\0';
    status = vault_sts_ask_web_identity(exchange, &wish->role, token->data ? token->data : "",
                                        token->length, &amiss);
    if (status == VAULT_BAD_CONFIG) {
        vault_message_quote(&run->why, wish->token_file, strlen(wish->token_file), PATH_SHOW);
        vault_message_add(&run->why, ": %s", amiss.text);
    }
    return status;
}

static enum vault_status ask_web_identity(struct vault_role_run *run,
                                          const struct vault_role_wish *wish,
                                          struct vault_exchange *exchange)
{
    struct vault_buffer token;
    enum vault_status status = vault_sts_check_role(&wish->role, &run->why);

    if (status != VAULT_OK)
        return status;
    vault_buffer_init(&token, TOKEN_FILE_MAX);
    status = vault_file_read(wish->token_file, &token, &run->why);
    if (status == VAULT_OK)
        status = ask_with_token(run, wish, exchange, &token);
    else if (status != VAULT_NO_MEMORY && status != VAULT_INTERNAL)
        status = VAULT_BAD_CONFIG;
    if (status == VAULT_OK)
        status =
            vault_buffer_append(&exchange->url, run->endpoint.url.data, run->endpoint.url.length);
    vault_buffer_free(&token);
    return status;
}

static enum vault_status ask_role(struct vault_role_run *run, const struct vault_role_wish *wish,
                                  const struct vault_role_tools *tools, int64_t now)
{
    const struct vault_signing signing = {
        .signer = tools->signer,
        .endpoint = &run->endpoint,
        .credential = wish->caller,
        .region = run->endpoint.region,
        .service = vault_sts_service,
    };
    enum vault_status status = vault_sts_ask_role(tools->exchange, &wish->role, &run->why);

    return status == VAULT_OK ? vault_exchange_sign(tools->exchange, &signing, now) : status;
}

static enum vault_step ask(struct vault_role_run *run, const struct vault_role_wish *wish,
                           const struct vault_role_tools *tools, int64_t now)
{
    enum vault_status status = VAULT_OK;

    vault_message_clear(&run->why);
    vault_exchange_clear(tools->exchange);
    if (!run->endpoint.url.length)
        status = settle(run, wish, tools);
    if (status == VAULT_OK)
        status = wish->caller ? ask_role(run, wish, tools, now)
                              : ask_web_identity(run, wish, tools->exchange);
    if (status != VAULT_OK)
        return done(run, status);
    tools->exchange->wants_date = true;
    tools->exchange->timeout_ms = TIMEOUT_MS;
    run->signed_at = now;
    run->retry.attempts++;
    run->asked = true;
    return VAULT_STEP_EXCHANGE;
}

/* Whether a wrong clock was why; then the right one is kept for all, and this is signed again. */
static bool correct_clock(struct vault_role_run *run, const struct vault_role_tools *tools,
                          enum vault_status status, int64_t now)
{
    int64_t wall_ms;

    if (run->clock_corrected || !tools->skew_ms)
        return false;
    wall_ms = now * 1000 - atomic_load(tools->skew_ms);
    run->clock_corrected = vault_clock_skew_correct(
        tools->exchange, status, wall_ms, run->signed_at * 1000 - wall_ms, tools->skew_ms);
    return run->clock_corrected;
}

static enum vault_status hear(struct vault_role_run *run, const struct vault_role_wish *wish,
                              const struct vault_exchange *exchange, int64_t now)
{
    enum vault_status status = exchange->outcome;

    if (status != VAULT_OK) {
        vault_message_add(&run->why, "%s", exchange->why.text);
        return status;
    }
    status = vault_sts_read(exchange, wish->caller ? SOURCE_ROLE : SOURCE_IDENTITY,
                            &run->credential, &run->why);
    /* Who is asked without a signature does not mind a wrong clock. */
    if (status == VAULT_OK && vault_clock_skew_expired(exchange, &run->credential, now)) {
        vault_credential_clear(&run->credential);
        vault_message_add(&run->why, "STS hands out credentials that have expired");
        return VAULT_BAD_RESPONSE;
    }
    return status;
}

enum vault_step vault_role_next(struct vault_role_run *run, const struct vault_role_wish *wish,
                                const struct vault_role_tools *tools, int64_t now)
{
    const struct vault_exchange *exchange = tools->exchange;
    enum vault_status status;

    if (!run->asked)
        return ask(run, wish, tools, now);
    run->asked = false;
    status = hear(run, wish, exchange, now);
    if (status == VAULT_OK) {
        vault_retry_succeeded(&run->retry, run->budget);
        return done(run, VAULT_OK);
    }
    if (wish->caller && correct_clock(run, tools, status, now))
        return ask(run, wish, tools, exchange->date);
    run->pause_ms = vault_retry_pause(&run->retry, run->budget, status, exchange->retry_after_ms);
    return run->pause_ms < 0 ? done(run, status) : VAULT_STEP_PAUSE;
}
