/* credentials_sso - credentials of IAM Identity Center, for the token that a login left.
 *
 * For:   reading ~/.aws/sso/cache/<hash>.json, GetRoleCredentials of the portal, its answer.
 *        (docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/API_GetRoleCredentials.html)
 * Never: logging in, renewing the token (`aws sso login` does both), the profile (profile_plan),
 *        sockets, clocks.
 */
#ifndef VAULT_CREDENTIALS_SSO_H
#define VAULT_CREDENTIALS_SSO_H

#include "credential_source.h"

/* run->plan->sso says what is wanted. The token file is read before each exchange; the token goes
 * to the portal of the plan's region, or to where environment or profile say that the service
 * "sso" is (service_endpoint). Three attempts of 5 s, a second apart.
 *
 * VAULT_OK; VAULT_BAD_PROFILE (no token file, or it is not one), VAULT_EXPIRED_TOKEN (the token's
 * time is over, or HTTP 401), both with the command that logs in again; VAULT_ACCESS_DENIED (403,
 * 404: no such role for this login), VAULT_THROTTLED, VAULT_SERVER_ERROR, VAULT_BAD_RESPONSE (any
 * other status or shape, keys that have expired), VAULT_NO_MEMORY, VAULT_TOO_LARGE, what
 * vault_service_endpoint says, or the outcome of an exchange without an answer. */
extern const struct vault_credential_source vault_source_sso;

#endif
