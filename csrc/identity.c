/* identity - who asks: one credential, out of the chain and through the roles on top of it.
 *
 * For:   what identity.h promises. Each link of the chain comes to a plan; every plan is carried
 *        out in the same way: its base, then its roles, then the vault's own role.
 * Never: reading and writing the protocols, sockets, the clock, keeping credentials.
 */
#include "identity.h"

#include <string.h>

#include "credentials_container.h"
#include "credentials_imds.h"
#include "credentials_process.h"
#include "credentials_sso.h"
#include "identity_chain.h"
#include "identity_role.h"

#define SESSION_NAME "KongVault"

enum stage {
    CHOOSE, /* find the next link of the chain that has a plan */
    BASE,   /* carry out the plan's base */
    ASSUME, /* assume the next role */
    OVER    /* the status stands */
};

struct vault_identity {
    const struct vault_identity_world *world;
    struct vault_credential_query query;
    struct vault_identity_request asked; /* NULL for none */
    struct vault_exchange exchange;
    int64_t pause_ms;

    enum stage stage;
    size_t link; /* of the chain, from 1 on once it was chosen */
    struct vault_plan plan;
    const struct vault_credential_source *source; /* NULL: the plan has the keys */
    struct vault_credential_run run;
    struct vault_role_run role;
    size_t roles_assumed;

    enum vault_status status;
    struct vault_credential credential;
    struct vault_message tried; /* the links passed over, and why */
    struct vault_message message;
};

/* The link of the chain whose plan is carried out. */
static const char *link_name(const struct vault_identity *identity)
{
    return identity->link ? vault_chain[identity->link - 1].name : "the vault's own keys";
}

static enum stage end(struct vault_identity *identity, enum vault_status status)
{
    identity->status = status;
    vault_exchange_clear(&identity->exchange);
    return OVER;
}

static enum stage fail(struct vault_identity *identity, enum vault_status status,
                       const struct vault_message *why)
{
    vault_message_add(&identity->message, "%s",
                      why->length ? why->text : vault_status_row(status)->sentence);
    vault_credential_clear(&identity->credential);
    vault_trail_add(identity->world->trail, link_name(identity), status, identity->message.text);
    return end(identity, status);
}

/* A link that has nothing to offer is passed over, with its reason. */
static enum stage pass_over(struct vault_identity *identity, const struct vault_message *why)
{
    vault_message_add(&identity->tried, "%s%s (%s)", identity->tried.length ? ", " : "",
                      link_name(identity), why->text);
    vault_trail_add(identity->world->trail, link_name(identity), VAULT_NOT_CONFIGURED, why->text);
    return CHOOSE;
}

/* The role that is to be assumed next, or false where none is left. */
static bool next_role(const struct vault_identity *identity, struct vault_role_wish *wish)
{
    const struct vault_identity_request *asked = &identity->asked;
    size_t i = identity->roles_assumed;

    *wish = (struct vault_role_wish){.query = &identity->query, .region = asked->region};
    if (i < identity->plan.role_count) {
        const struct vault_plan_role *role = &identity->plan.roles[i];

        wish->role = (struct vault_sts_role){role->arn, role->session_name, role->external_id,
                                             role->duration_seconds};
    } else if (i == identity->plan.role_count && asked->assume_role_arn) {
        wish->role = (struct vault_sts_role){asked->assume_role_arn, asked->role_session_name,
                                             asked->external_id, 0};
        wish->endpoint_url = asked->sts_endpoint_url;
    } else {
        return false;
    }
    if (!wish->role.session_name)
        wish->role.session_name = SESSION_NAME;
    if (identity->plan.base == VAULT_PLAN_WEB_IDENTITY && i == 0)
        wish->token_file = identity->plan.token_file;
    else
        wish->caller = &identity->credential;
    return true;
}

static void name_role(const struct vault_role_wish *wish, struct vault_message *message)
{
    vault_message_add(message, wish->caller ? "assuming the role " : "web identity for the role ");
    vault_message_quote(message, wish->role.arn, strlen(wish->role.arn), 256);
}

static void say_role(struct vault_identity *identity, const struct vault_role_wish *wish,
                     enum vault_status status, const struct vault_message *reason)
{
    vault_message_clear(&identity->message);
    name_role(wish, &identity->message);
    vault_message_add(&identity->message, ": %s",
                      reason->length ? reason->text : vault_status_row(status)->sentence);
}

static void tell_role(struct vault_identity *identity, const struct vault_role_wish *wish,
                      enum vault_status status, const char *why)
{
    struct vault_message what = {0};

    name_role(wish, &what);
    vault_trail_add(identity->world->trail, what.text, status, why);
}

static enum stage refuse_role(struct vault_identity *identity, const struct vault_role_wish *wish,
                              enum vault_status status, const struct vault_message *reason)
{
    say_role(identity, wish, status, reason);
    tell_role(identity, wish, status, reason->text);
    vault_credential_clear(&identity->credential);
    return end(identity, status);
}

/* A role that AWS would refuse whoever asks is refused before anybody is asked. */
static enum stage check_roles(struct vault_identity *identity)
{
    struct vault_message why = {0};
    struct vault_role_wish wish;
    enum vault_status status;

    for (; next_role(identity, &wish); identity->roles_assumed++) {
        status = vault_sts_check_role(&wish.role, &why);
        if (status != VAULT_OK)
            return refuse_role(identity, &wish, status, &why);
    }
    identity->roles_assumed = 0;
    return BASE;
}

static enum stage begin(struct vault_identity *identity)
{
    static const struct vault_credential_source *const sources[] = {
        [VAULT_PLAN_KEYS] = NULL,
        [VAULT_PLAN_ENVIRONMENT] = NULL,
        [VAULT_PLAN_CONTAINER] = &vault_source_container,
        [VAULT_PLAN_INSTANCE] = &vault_source_imds,
        [VAULT_PLAN_WEB_IDENTITY] = NULL,
        [VAULT_PLAN_PROCESS] = &vault_source_process,
        [VAULT_PLAN_SSO] = &vault_source_sso,
    };

    identity->source = sources[identity->plan.base];
    vault_credential_run_free(&identity->run);
    vault_credential_run_init(&identity->run, &identity->query, &identity->exchange);
    identity->run.plan = &identity->plan;
    return check_roles(identity);
}

static enum stage own_keys(struct vault_identity *identity)
{
    struct vault_message why = {0};
    enum vault_status status;

    identity->plan.base = VAULT_PLAN_KEYS;
    status = vault_own_keys(&identity->asked, &identity->plan.keys, &why);
    return status == VAULT_OK ? begin(identity) : fail(identity, status, &why);
}

static enum stage choose(struct vault_identity *identity)
{
    struct vault_message why = {0};
    enum vault_status status;

    if (identity->asked.access_key_id || identity->asked.secret_access_key)
        return own_keys(identity);
    if (identity->link == VAULT_CHAIN_LINKS) {
        vault_message_add(&identity->message, "no AWS credentials: %s", identity->tried.text);
        return end(identity, VAULT_NO_CREDENTIALS);
    }
    vault_plan_clear(&identity->plan);
    status = vault_chain[identity->link++].plan(&identity->query, &identity->plan, &why);
    if (status == VAULT_NOT_CONFIGURED)
        return pass_over(identity, &why);
    return status == VAULT_OK ? begin(identity) : fail(identity, status, &why);
}

/* The plan's base is had: what comes next are the roles. */
static enum stage take(struct vault_identity *identity, struct vault_credential *credential)
{
    vault_credential_clear(&identity->credential);
    identity->credential = *credential;
    *credential = (struct vault_credential){0};
    vault_exchange_clear(&identity->exchange);
    return ASSUME;
}

static enum stage take_base(struct vault_identity *identity, struct vault_credential *credential)
{
    vault_trail_add(identity->world->trail, link_name(identity), VAULT_OK, "");
    return take(identity, credential);
}

static enum stage lacks_source(struct vault_identity *identity, const struct vault_message *reason)
{
    struct vault_message why = {0};

    vault_message_add(&why, "the profile's credential_source has nothing to offer: %s",
                      reason->text);
    return fail(identity, VAULT_BAD_PROFILE, &why);
}

static enum stage take_environment(struct vault_identity *identity)
{
    struct vault_message why = {0};
    struct vault_credential keys = {0};
    enum vault_status status = vault_environment_keys(&identity->query, &keys, &why);

    if (status == VAULT_OK)
        return take_base(identity, &keys);
    return status == VAULT_NOT_CONFIGURED ? lacks_source(identity, &why)
                                          : fail(identity, status, &why);
}

/* The outcome of a source of the machine: asked by the chain it may have nothing, asked for by a
 * profile it may not. */
static enum stage take_source(struct vault_identity *identity)
{
    struct vault_credential_run *run = &identity->run;

    if (run->status == VAULT_OK)
        return take_base(identity, &run->credential);
    if (run->status != VAULT_NOT_CONFIGURED)
        return fail(identity, run->status, &run->why);
    if (vault_chain[identity->link - 1].must_have)
        return lacks_source(identity, &run->why);
    return pass_over(identity, &run->why);
}

static struct vault_role_tools tools_of(struct vault_identity *identity)
{
    return (struct vault_role_tools){
        .exchange = &identity->exchange,
        .signer = identity->world->signer,
        .budgets = identity->world->budgets,
        .random = identity->world->random,
        .random_at = identity->world->random_at,
        .skew_ms = identity->world->skew_ms,
    };
}

static enum vault_step assume(struct vault_identity *identity, int64_t now)
{
    const struct vault_role_tools tools = tools_of(identity);
    struct vault_role_wish wish;
    enum vault_step step;

    if (!next_role(identity, &wish)) {
        identity->stage = end(identity, VAULT_OK);
        return VAULT_STEP_DONE;
    }
    step = vault_role_next(&identity->role, &wish, &tools, now);
    identity->pause_ms = identity->role.pause_ms;
    if (step == VAULT_STEP_PAUSE)
        say_role(identity, &wish, VAULT_TIMEOUT, &identity->role.why);
    if (step != VAULT_STEP_DONE)
        return step;
    vault_message_clear(&identity->message);
    if (identity->role.status != VAULT_OK) {
        identity->stage = refuse_role(identity, &wish, identity->role.status, &identity->role.why);
        return VAULT_STEP_DONE;
    }
    tell_role(identity, &wish, VAULT_OK, "");
    identity->stage = take(identity, &identity->role.credential);
    identity->roles_assumed++;
    vault_role_free(&identity->role);
    vault_role_begin(&identity->role, identity->query.environment, &tools);
    return VAULT_STEP_DONE;
}

static enum vault_step base(struct vault_identity *identity, int64_t now)
{
    enum vault_step step = VAULT_STEP_DONE;

    if (identity->source) {
        identity->run.now = now;
        step = identity->source->next(&identity->run);
        identity->pause_ms = identity->run.pause_ms;
        if (step == VAULT_STEP_DONE)
            identity->stage = take_source(identity);
    } else if (identity->plan.base == VAULT_PLAN_ENVIRONMENT) {
        identity->stage = take_environment(identity);
    } else if (identity->plan.base == VAULT_PLAN_WEB_IDENTITY) {
        identity->stage = ASSUME;
    } else {
        identity->stage = take_base(identity, &identity->plan.keys);
    }
    return step;
}

enum vault_step vault_identity_next(struct vault_identity *identity, int64_t now)
{
    enum vault_step step = VAULT_STEP_DONE;

    while (identity->stage != OVER && step == VAULT_STEP_DONE) {
        if (identity->stage == CHOOSE)
            identity->stage = choose(identity);
        else if (identity->stage == BASE)
            step = base(identity, now);
        else
            step = assume(identity, now);
    }
    return step;
}

enum vault_status vault_identity_new(const struct vault_identity_request *request,
                                     const struct vault_identity_world *world,
                                     struct vault_identity **made)
{
    struct vault_identity *identity = vault_alloc(sizeof *identity);
    struct vault_role_tools tools;

    if (!identity)
        return VAULT_NO_MEMORY;
    identity->world = world;
    identity->query.environment = world->environment;
    vault_exchange_init(&identity->exchange);
    vault_credential_run_init(&identity->run, &identity->query, &identity->exchange);
    tools = tools_of(identity);
    vault_role_begin(&identity->role, world->environment, &tools);
    identity->asked = vault_identity_plain(request);
    *made = identity;
    return VAULT_OK;
}

void vault_identity_free(struct vault_identity *identity)
{
    if (!identity)
        return;
    /* Left in a role's pause: the attempt that it was for is not made. */
    if (identity->stage == ASSUME && !identity->role.asked)
        vault_retry_forgo(&identity->role.retry, identity->role.budget);
    vault_exchange_free(&identity->exchange);
    vault_plan_clear(&identity->plan);
    vault_credential_run_free(&identity->run);
    vault_role_free(&identity->role);
    vault_credential_clear(&identity->credential);
    vault_free(identity);
}

struct vault_exchange *vault_identity_exchange(struct vault_identity *identity)
{
    return &identity->exchange;
}

int64_t vault_identity_pause(const struct vault_identity *identity)
{
    return identity->pause_ms;
}

enum vault_status vault_identity_status(const struct vault_identity *identity)
{
    return identity->status;
}

const struct vault_message *vault_identity_message(const struct vault_identity *identity)
{
    return &identity->message;
}

void vault_identity_steal(struct vault_identity *identity, struct vault_credential *credential)
{
    *credential = identity->credential;
    identity->credential = (struct vault_credential){0};
}
