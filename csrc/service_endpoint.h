/* service_endpoint - where a service is, by all that may say so.
 *
 * For:   an endpoint asked for by name, else the environment's (for STS Kong's variable before
 *        AWS's), else the profile's, else AWS's own, plain, FIPS or dual-stack as environment or
 *        profile say. (docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html)
 * Never: hosts (endpoint), files, sockets.
 */
#ifndef VAULT_SERVICE_ENDPOINT_H
#define VAULT_SERVICE_ENDPOINT_H

#include "credentials.h"
#include "endpoint.h"

/* Settle where `service` ("secretsmanager", "sts" or "sso") of `region` is. `override` may be NULL
 * or "". What vault_endpoint_settle and vault_profile_service_endpoint say,
 * and VAULT_NO_MEMORY. The shared files are read once. */
VAULT_MUST_CHECK enum vault_status
vault_service_endpoint(const struct vault_credential_query *query,
                       const struct vault_endpoint_query *asked, struct vault_endpoint *endpoint,
                       struct vault_message *why);

#endif
