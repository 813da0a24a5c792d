/* profile_sso - what a profile says of IAM Identity Center.
 *
 * For:   sso_session or sso_start_url and sso_region, with sso_account_id and sso_role_name -> a
 *        plan. Every rule with its case is in docs/profile-files.md.
 *        (docs.aws.amazon.com/sdkref/latest/guide/feature-sso-credentials.html)
 * Never: reading the token, asking the portal (credentials_sso); what goes before or after it in a
 *        profile (profile_plan).
 */
#ifndef VAULT_PROFILE_SSO_H
#define VAULT_PROFILE_SSO_H

#include "credential_plan.h"
#include "profile.h"

/* Where the profile has sso_account_id or sso_role_name, it means IAM Identity Center.
 *
 * plan  {0} or filled; what it held is freed. Unchanged unless VAULT_OK
 *
 * VAULT_OK; VAULT_NOT_CONFIGURED, `why` untouched (it has neither); VAULT_BAD_PROFILE (one of the
 * four properties or the [sso-session] missing, profile and section at odds, no HOME, no such
 * region; either file cannot be read), VAULT_TOO_LARGE, VAULT_NO_MEMORY, VAULT_INTERNAL. */
VAULT_MUST_CHECK enum vault_status vault_profile_sso(const struct vault_environment *environment,
                                                     const struct vault_profile *profile,
                                                     struct vault_plan *plan,
                                                     struct vault_message *why);

/* VAULT_BAD_PROFILE where the profile speaks of IAM Identity Center, but of no account and no role:
 * that is a login for other uses than credentials. Else VAULT_OK. */
VAULT_MUST_CHECK enum vault_status vault_profile_sso_refuse(const struct vault_profile *profile,
                                                            struct vault_message *why);

#endif
