/* credentials_imds - credentials and region of the EC2 instance this process runs on.
 *
 * For:   instance metadata v2, and v1 by AWS's rules, never by a proxy.
 *        (docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html)
 * Never: sockets, the order of the chain.
 */
#ifndef VAULT_CREDENTIALS_IMDS_H
#define VAULT_CREDENTIALS_IMDS_H

#include "credential_source.h"

/* The instance's role's. Off AWS it gives up within AWS_METADATA_SERVICE_TIMEOUT (1 s) for each of
 * AWS_METADATA_SERVICE_NUM_ATTEMPTS (1). Keys that have expired by the Date of the service's own
 * answer are extended (static stability), from run->now on.
 *
 * VAULT_OK; NOT_CONFIGURED (AWS_EC2_METADATA_DISABLED, nobody answers, the service is turned off,
 * the instance has no role); BAD_CONFIG (a variable); CREDENTIALS_REFUSED, THROTTLED, SERVER_ERROR,
 * BAD_RESPONSE, NO_MEMORY; or the outcome of an exchange that came to nothing after the service had
 * answered another. */
extern const struct vault_credential_source vault_source_imds;

/* The same service asked for placement/region: on VAULT_OK run->memory holds the region's name and
 * no credential is set. */
extern const struct vault_credential_source vault_source_imds_region;

#endif
