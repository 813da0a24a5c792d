/* credentials_web_identity - what the environment says of a web identity (EKS: IRSA).
 *
 * For:   AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_SESSION_NAME -> a plan.
 *        (docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html)
 * Never: the token itself, STS (identity_role).
 */
#ifndef VAULT_CREDENTIALS_WEB_IDENTITY_H
#define VAULT_CREDENTIALS_WEB_IDENTITY_H

#include "credential_plan.h"

/* Fill in `plan`. VAULT_OK; VAULT_NOT_CONFIGURED (one of the two is not set; `why` says which);
 * VAULT_NO_MEMORY. */
VAULT_MUST_CHECK enum vault_status
vault_web_identity_plan(const struct vault_credential_query *query, struct vault_plan *plan,
                        struct vault_message *why);

#endif
