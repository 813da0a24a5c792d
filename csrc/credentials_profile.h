/* credentials_profile - single settings of the chosen profile.
 *
 * For:   region, endpoints and whatever else a profile says beside its credentials. The profile
 *        is query->profile, else AWS_PROFILE, else AWS_DEFAULT_PROFILE, else "default".
 * Never: roles (profile_plan), the files (profile), sockets, the order of the chain.
 */
#ifndef VAULT_CREDENTIALS_PROFILE_H
#define VAULT_CREDENTIALS_PROFILE_H

#include "profile.h"

/* Append the profile's `property` ("region", "ca_bundle") to `value`, as written; the credentials
 * file wins. VAULT_OK; VAULT_NOT_CONFIGURED (no file, no profile, no such property in it; `why`
 * says which); VAULT_BAD_PROFILE (a file that might have it cannot be read), VAULT_NO_MEMORY,
 * VAULT_TOO_LARGE. Unchanged unless VAULT_OK. */
VAULT_MUST_CHECK enum vault_status vault_profile_value(const struct vault_credential_query *query,
                                                       const char *property,
                                                       struct vault_buffer *value,
                                                       struct vault_message *why);

/* The same for "region". */
VAULT_MUST_CHECK enum vault_status vault_profile_region(const struct vault_credential_query *query,
                                                        struct vault_buffer *region,
                                                        struct vault_message *why);

/* The profile's endpoint for a service ("secrets_manager", "sts" or "sso"): `endpoint_url` below
 * `service_key` in the [services x] that the profile's `services` names, else the profile's
 * endpoint_url; NULL for none, else it lives as long as the profile's set. VAULT_OK;
 * VAULT_BAD_PROFILE where the named section is absent, and where either file cannot be read: a
 * request must not go elsewhere than was meant; VAULT_TOO_LARGE. */
VAULT_MUST_CHECK enum vault_status
vault_profile_service_endpoint(const struct vault_profile *profile, const char *service_key,
                               const char **url, struct vault_message *why);

#endif
