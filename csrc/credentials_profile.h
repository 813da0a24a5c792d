/* credentials_profile - what the shared config and credentials files say of one profile.
 *
 * For:   finding the two files (AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE, else ~/.aws/..),
 * reading them through file and ini, choosing the profile, merging (the credentials file wins).
 * Never: the grammar (ini), sockets, the order of the chain.
 */
#ifndef VAULT_CREDENTIALS_PROFILE_H
#define VAULT_CREDENTIALS_PROFILE_H

#include "credentials.h"

/* aws_access_key_id, aws_secret_access_key, aws_session_token of the profile: a complete pair of
 * one file, the credentials file first, never a mixture of both. The profile is query->profile,
 * else AWS_PROFILE, else AWS_DEFAULT_PROFILE, else "default".
 *
 * VAULT_BAD_PROFILE: a profile that was asked for by name stands in neither file (it is never
 * [default]'s keys), has half a pair, or uses a way to credentials that is not built yet; a file
 * that is needed is malformed or denied to this process's user. VAULT_NOT_CONFIGURED: absent files,
 * an absent [default], a profile without keys; also default files in a folder this user may not
 * look into, as when a worker inherits root's HOME. VAULT_TOO_LARGE, VAULT_NO_MEMORY. */
extern const struct vault_provider vault_provider_profile;

/* Append the profile's `region` to `region`; the credentials file wins. VAULT_OK;
 * VAULT_NOT_CONFIGURED (no file, no profile, no region in it; `why` says which); VAULT_BAD_PROFILE
 * (a file that might have it cannot be read), VAULT_NO_MEMORY, VAULT_TOO_LARGE. */
VAULT_MUST_CHECK enum vault_status vault_profile_region(const struct vault_credential_query *query,
                                                        struct vault_buffer *region,
                                                        struct vault_message *why);

#endif
