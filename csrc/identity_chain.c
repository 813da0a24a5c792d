/* identity_chain - the order in which the sources of credentials are asked.
 *
 * For:   what identity_chain.h promises.
 * Never: carrying a plan out, keeping credentials.
 */
#include "identity_chain.h"

#include "credentials_web_identity.h"
#include "profile_plan.h"

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

const struct vault_chain_link vault_chain[VAULT_CHAIN_LINKS] = {
    {"environment", false, plan_environment},    {"profile", true, vault_profile_plan},
    {"container", false, plan_container},        {"web identity", false, vault_web_identity_plan},
    {"instance metadata", false, plan_instance},
};
