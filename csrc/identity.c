/* identity - who asks: one credential, out of the chain and through the roles on top of it.
 *
 * For:   what identity.h promises. Each link of the chain comes to a plan; every plan is carried out
 *        in the same way: its base, then its roles, then the vault's own role.
 * Never: reading and writing the protocols, sockets, the clock, keeping credentials.
 */
#include "identity.h"

#include <string.h>

#include "credential_plan.h"
#include "credentials_imds.h"
#include "credentials_container.h"
#include "profile_plan.h"
#include "credentials_web_identity.h"
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
    const char *texts[VAULT_IDENTITY_TEXTS]; /* the request's; NULL for none */
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

enum { KEY_ID, KEY_SECRET, KEY_TOKEN, REGION, ROLE_ARN, ROLE_SESSION, EXTERNAL_ID, STS_URL };

static void texts_of(const struct vault_identity_request *request,
                     const char *texts[VAULT_IDENTITY_TEXTS])
{
    texts[KEY_ID] = request->access_key_id;
    texts[KEY_SECRET] = request->secret_access_key;
    texts[KEY_TOKEN] = request->session_token;
    texts[REGION] = request->region;
    texts[ROLE_ARN] = request->assume_role_arn;
    texts[ROLE_SESSION] = request->role_session_name;
    texts[EXTERNAL_ID] = request->external_id;
    texts[STS_URL] = request->sts_endpoint_url;
    for (size_t i = 0; i < VAULT_IDENTITY_TEXTS; i++)
        if (texts[i] && !*texts[i])
            texts[i] = NULL;
}

enum vault_status vault_identity_copy(const struct vault_identity_request *from,
                                      char *texts[VAULT_IDENTITY_TEXTS],
                                      struct vault_identity_request *to)
{
    const char *given[VAULT_IDENTITY_TEXTS];

    texts_of(from, given);
    for (size_t i = 0; i < VAULT_IDENTITY_TEXTS; i++) {
        if (given[i] && !(texts[i] = vault_copy(given[i], strlen(given[i]))))
            return VAULT_NO_MEMORY;
    }
    *to = (struct vault_identity_request){
        texts[KEY_ID],   texts[KEY_SECRET],   texts[KEY_TOKEN],   texts[REGION],
        texts[ROLE_ARN], texts[ROLE_SESSION], texts[EXTERNAL_ID], texts[STS_URL]};
    return VAULT_OK;
}

enum vault_status vault_identity_key(const struct vault_identity_request *request,
                                     struct vault_buffer *key)
{
    const char *texts[VAULT_IDENTITY_TEXTS];
    enum vault_status status = VAULT_OK;
    uint32_t length;

    texts_of(request, texts);
    for (size_t i = 0; i < VAULT_IDENTITY_TEXTS && status == VAULT_OK; i++) {
        length = texts[i] ? (uint32_t)strlen(texts[i]) + 1 : 0;
        status = vault_buffer_append(key, &length, sizeof length);
        if (status == VAULT_OK && texts[i])
            status = vault_buffer_append(key, texts[i], length - 1);
    }
    return status;
}

static enum vault_status plan_source(enum vault_plan_base base, struct vault_plan *plan)
{
    plan->base = base;
    return VAULT_OK;
}

static enum vault_status plan_environment(const struct vault_credential_query *query,
                                          struct vault_plan *plan, struct vault_message *why)
{
    plan->base = VAULT_PLAN_KEYS;
    return vault_environment_keys(query, &plan->keys, why);
}

static enum vault_status plan_container(const struct vault_credential_query *query,
                                        struct vault_plan *plan, struct vault_message *why)
{
    (void)query;
    (void)why;
    return plan_source(VAULT_PLAN_CONTAINER, plan);
}

static enum vault_status plan_instance(const struct vault_credential_query *query,
                                       struct vault_plan *plan, struct vault_message *why)
{
    (void)query;
    (void)why;
    return plan_source(VAULT_PLAN_INSTANCE, plan);
}

static const struct link {
    const char *name;
    enum vault_status (*plan)(const struct vault_credential_query *query, struct vault_plan *plan,
                              struct vault_message *why);
} chain[] = {
    {"environment", plan_environment},    {"profile", vault_profile_plan},
    {"container", plan_container},        {"web identity", vault_web_identity_plan},
    {"instance metadata", plan_instance},
};
#define LINKS (sizeof chain / sizeof *chain)

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
    return end(identity, status);
}

/* A link that has nothing to offer is passed over, with its reason. */
static enum stage pass_over(struct vault_identity *identity, const struct vault_message *why)
{
    vault_message_add(&identity->tried, "%s%s (%s)", identity->tried.length ? ", " : "",
                      chain[identity->link - 1].name, why->text);
    return CHOOSE;
}

static enum stage begin(struct vault_identity *identity)
{
    static const struct vault_credential_source *const sources[] = {
        [VAULT_PLAN_KEYS] = NULL,
        [VAULT_PLAN_ENVIRONMENT] = NULL,
        [VAULT_PLAN_CONTAINER] = &vault_source_container,
        [VAULT_PLAN_INSTANCE] = &vault_source_imds,
        [VAULT_PLAN_WEB_IDENTITY] = NULL,
    };

    identity->source = sources[identity->plan.base];
    vault_credential_run_free(&identity->run);
    vault_credential_run_init(&identity->run, &identity->query, &identity->exchange);
    return BASE;
}

static enum stage own_keys(struct vault_identity *identity)
{
    struct vault_message why = {0};
    enum vault_status status;

    identity->plan.base = VAULT_PLAN_KEYS;
    status = vault_credential_set(&identity->plan.keys, identity->texts[KEY_ID],
                                  identity->texts[KEY_SECRET], identity->texts[KEY_TOKEN],
                                  "the vault's own keys", &why);
    return status == VAULT_OK ? begin(identity) : fail(identity, status, &why);
}

static enum stage choose(struct vault_identity *identity)
{
    struct vault_message why = {0};
    enum vault_status status;

    if (identity->texts[KEY_ID])
        return own_keys(identity);
    if (identity->link == LINKS) {
        vault_message_add(&identity->message, "no AWS credentials: %s", identity->tried.text);
        return end(identity, VAULT_NO_CREDENTIALS);
    }
    vault_plan_clear(&identity->plan);
    status = chain[identity->link++].plan(&identity->query, &identity->plan, &why);
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

static enum stage take_environment(struct vault_identity *identity)
{
    struct vault_message why = {0};
    struct vault_credential keys = {0};
    enum vault_status status = vault_environment_keys(&identity->query, &keys, &why);

    if (status == VAULT_OK)
        return take(identity, &keys);
    return fail(identity, status == VAULT_NOT_CONFIGURED ? VAULT_BAD_PROFILE : status, &why);
}

/* The outcome of a source of the machine: asked by the chain it may have nothing, asked for by a
 * profile it may not. */
static enum stage take_source(struct vault_identity *identity)
{
    struct vault_credential_run *run = &identity->run;

    if (run->status == VAULT_OK)
        return take(identity, &run->credential);
    if (run->status != VAULT_NOT_CONFIGURED)
        return fail(identity, run->status, &run->why);
    if (chain[identity->link - 1].plan == vault_profile_plan)
        return fail(identity, VAULT_BAD_PROFILE, &run->why);
    return pass_over(identity, &run->why);
}

static struct vault_role_tools tools_of(struct vault_identity *identity)
{
    return (struct vault_role_tools){
        .exchange = &identity->exchange,
        .signer = identity->world->signer,
        .budget = identity->world->budget,
        .random = identity->world->random,
        .random_at = identity->world->random_at,
    };
}

/* The role that is to be assumed next, or false where none is left. */
static bool next_role(const struct vault_identity *identity, struct vault_role_wish *wish)
{
    const char *const *texts = identity->texts;
    size_t i = identity->roles_assumed;

    *wish = (struct vault_role_wish){.query = &identity->query, .region = texts[REGION]};
    if (i < identity->plan.role_count) {
        const struct vault_plan_role *role = &identity->plan.roles[i];

        wish->role = (struct vault_sts_role){role->arn, role->session_name, role->external_id,
                                             role->duration_seconds};
    } else if (i == identity->plan.role_count && texts[ROLE_ARN]) {
        wish->role =
            (struct vault_sts_role){texts[ROLE_ARN], texts[ROLE_SESSION], texts[EXTERNAL_ID], 0};
        wish->endpoint_url = texts[STS_URL];
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

static enum stage refuse_role(struct vault_identity *identity, const struct vault_role_wish *wish)
{
    struct vault_message why = {0};

    vault_message_add(&why, wish->caller ? "assuming the role " : "web identity for the role ");
    vault_message_quote(&why, wish->role.arn, strlen(wish->role.arn), 256);
    vault_message_add(&why, ": %s",
                      identity->role.why.length
                          ? identity->role.why.text
                          : vault_status_row(identity->role.status)->sentence);
    return fail(identity, identity->role.status, &why);
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
    if (step != VAULT_STEP_DONE)
        return step;
    if (identity->role.status != VAULT_OK) {
        identity->stage = refuse_role(identity, &wish);
        return VAULT_STEP_DONE;
    }
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
        identity->stage = take(identity, &identity->plan.keys);
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
    texts_of(request, identity->texts);
    *made = identity;
    return VAULT_OK;
}

void vault_identity_free(struct vault_identity *identity)
{
    if (!identity)
        return;
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
