/* identity_chain - the order in which the sources of credentials are asked.
 *
 * For:   what identity_chain.h promises.
 * Never: carrying a plan out, keeping credentials.
 */
#include "identity_chain.h"

#include "credentials_web_identity.h"
#include "profile_plan.h"

#define GOOD_MS 1000

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
    plan->base = VAULT_PLAN_CONTAINER;
    return VAULT_OK;
}

static enum vault_status plan_instance(const struct vault_credential_query *query,
                                       struct vault_plan *plan, struct vault_message *why)
{
    (void)query;
    (void)why;
    plan->base = VAULT_PLAN_INSTANCE;
    return VAULT_OK;
}

enum vault_status vault_own_keys(const struct vault_identity_request *request,
                                 struct vault_credential *credential, struct vault_message *why)
{
    enum vault_status status =
        vault_credential_set(credential, request->access_key_id, request->secret_access_key,
                             request->session_token, "the vault's own keys", why);

    if (status == VAULT_BAD_CONFIG)
        vault_message_add(why, " (the vault's own keys)");
    return status;
}

const struct vault_chain_link vault_chain[VAULT_CHAIN_LINKS] = {
    {"environment", false, plan_environment},    {"profile", true, vault_profile_plan},
    {"container", false, plan_container},        {"web identity", false, vault_web_identity_plan},
    {"instance metadata", false, plan_instance},
};

static bool is_set(const char *text)
{
    return text && *text;
}

enum vault_status vault_chain_at_hand(const struct vault_identity_request *request,
                                      const struct vault_credential_query *query,
                                      struct vault_credential *credential)
{
    struct vault_message unsaid;

    vault_message_clear(&unsaid);
    if (is_set(request->assume_role_arn))
        return VAULT_NOT_CONFIGURED;
    if (is_set(request->access_key_id) || is_set(request->secret_access_key))
        return vault_own_keys(request, credential, &unsaid);
    return vault_environment_keys(query, credential, &unsaid);
}

/* `last`: whoever looks for a credential goes no further. */
static enum vault_status look_at(const struct vault_chain_link *link,
                                 const struct vault_credential_query *query, bool *roles,
                                 bool *last)
{
    struct vault_message unsaid;
    struct vault_plan plan = {0};
    enum vault_status status;

    vault_message_clear(&unsaid);
    status = link->plan(query, &plan, &unsaid);
    /* What cannot be read at the moment may have some. */
    *roles = plan.role_count > 0 || status == VAULT_INTERNAL;
    *last = status == VAULT_OK ? link->must_have || plan.base == VAULT_PLAN_KEYS
                               : status != VAULT_NOT_CONFIGURED;
    vault_plan_clear(&plan);
    return status == VAULT_NO_MEMORY ? status : VAULT_OK;
}

enum vault_status vault_chain_regional(const struct vault_identity_request *request,
                                       const struct vault_credential_query *query,
                                       struct vault_chain_roles *roles, int64_t now_ms,
                                       bool *regional)
{
    enum vault_status status = VAULT_OK;
    bool last = false;

    *regional = is_set(request->assume_role_arn);
    if (*regional || is_set(request->access_key_id) || is_set(request->secret_access_key))
        return VAULT_OK;
    if (roles && now_ms < roles->until_ms) {
        *regional = roles->any;
        return VAULT_OK;
    }
    for (size_t i = 0; i < VAULT_CHAIN_LINKS && status == VAULT_OK && !*regional && !last; i++)
        status = look_at(&vault_chain[i], query, regional, &last);
    if (roles && status == VAULT_OK)
        *roles = (struct vault_chain_roles){*regional, now_ms + GOOD_MS};
    return status;
}
