/* credential_plan - how a credential is to be had: a base, and the roles to assume on it.
 *
 * For:   what credential_plan.h promises.
 * Never: carrying it out, reading files or the environment.
 */
#include "credential_plan.h"

#include <string.h>

static void clear_role(struct vault_plan_role *role)
{
    vault_free(role->arn);
    vault_free(role->session_name);
    vault_free(role->external_id);
    *role = (struct vault_plan_role){0};
}

static void clear_sso(struct vault_plan_sso *sso)
{
    vault_free(sso->account_id);
    vault_free(sso->role_name);
    vault_free(sso->region);
    vault_free(sso->token_file);
    vault_free(sso->login);
}

void vault_plan_clear(struct vault_plan *plan)
{
    vault_credential_clear(&plan->keys);
    vault_free(plan->token_file);
    vault_free(plan->command);
    clear_sso(&plan->sso);
    for (size_t i = 0; i < plan->role_count; i++)
        clear_role(&plan->roles[i]);
    *plan = (struct vault_plan){0};
}

static enum vault_status copy_set(const char *text, char **copy)
{
    if (!text || !*text)
        return VAULT_OK;
    *copy = vault_copy(text, strlen(text));
    return *copy ? VAULT_OK : VAULT_NO_MEMORY;
}

enum vault_status vault_plan_add_role(struct vault_plan *plan, const char *arn,
                                      const char *session_name, const char *external_id,
                                      int duration_seconds)
{
    struct vault_plan_role role = {.duration_seconds = duration_seconds};
    enum vault_status status;

    if (plan->role_count == VAULT_PLAN_ROLES_MAX)
        return VAULT_TOO_LARGE;
    status = copy_set(arn, &role.arn);
    if (status == VAULT_OK)
        status = copy_set(session_name, &role.session_name);
    if (status == VAULT_OK)
        status = copy_set(external_id, &role.external_id);
    if (status == VAULT_OK)
        plan->roles[plan->role_count++] = role;
    else
        clear_role(&role);
    return status;
}
