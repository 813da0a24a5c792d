/* credentials_web_identity - what the environment says of a web identity (EKS: IRSA).
 *
 * For:   what credentials_web_identity.h promises.
 * Never: the token itself, STS.
 */
#include "credentials_web_identity.h"

#include <string.h>

enum vault_status vault_web_identity_plan(const struct vault_credential_query *query,
                                          struct vault_plan *plan, struct vault_message *why)
{
    static const char role_name[] = "AWS_ROLE_ARN", file_name[] = "AWS_WEB_IDENTITY_TOKEN_FILE";
    const char *role = vault_environment_set(query->environment, role_name);
    const char *file = vault_environment_set(query->environment, file_name);
    const char *session = vault_environment_set(query->environment, "AWS_ROLE_SESSION_NAME");
    struct vault_plan made = {.base = VAULT_PLAN_WEB_IDENTITY};
    enum vault_status status;

    if (!role || !file) {
        vault_message_add(why, "%s is not set", file ? role_name : file_name);
        if (role || file)
            vault_message_add(why, " although %s is set", role ? role_name : file_name);
        return VAULT_NOT_CONFIGURED;
    }
    made.token_file = vault_copy(file, strlen(file));
    status = made.token_file ? vault_plan_add_role(&made, role, session, NULL, 0) : VAULT_NO_MEMORY;
    if (status == VAULT_OK)
        *plan = made;
    else
        vault_plan_clear(&made);
    return status;
}
