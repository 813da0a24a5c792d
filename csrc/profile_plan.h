/* profile_plan - how the chosen profile's credential is to be had.
 *
 * For:   keys, roles and their sources in the shared files -> a plan. Every rule with its case is
 *        in docs/profile-files.md.
 *        (docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html)
 * Never: carrying the plan out; what the files' grammar is (ini) or where they lie (profile).
 */
#ifndef VAULT_PROFILE_PLAN_H
#define VAULT_PROFILE_PLAN_H

#include "credential_plan.h"

/* Read the profile (query->profile, else AWS_PROFILE, else AWS_DEFAULT_PROFILE, else "default") and
 * the profiles it names as source_profile. A role goes before keys of the chosen profile; keys go
 * before a role in a source_profile. Names and ids are passed on as written: credentials_sts checks
 * them before any call.
 *
 * plan  {0} or filled; what it held is freed. Unchanged unless VAULT_OK. vault_plan_clear frees it
 *
 * VAULT_BAD_PROFILE: a profile that was asked for by name stands in neither file (it is never
 * [default]'s keys); half a pair of keys; a role whose source is amiss or goes in a circle; a
 * property that is malformed, that no gateway can use or that is not built yet; a file that is
 * needed is malformed or denied to this process's user. VAULT_NOT_CONFIGURED: absent files, an
 * absent [default], a profile without keys or role; also default files in a folder this user may
 * not look into, as when a worker inherits root's HOME. VAULT_TOO_LARGE, VAULT_NO_MEMORY. */
VAULT_MUST_CHECK enum vault_status vault_profile_plan(const struct vault_credential_query *query,
                                                      struct vault_plan *plan,
                                                      struct vault_message *why);

#endif
