/* credentials_imds_settings - where and how EC2 instance metadata is asked.
 *
 * For:   AWS_EC2_METADATA_* and AWS_METADATA_SERVICE_*, checked, with AWS's defaults; of the
 *        profile, whether version 1 is forbidden.
 *        (docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html)
 * Never: asking.
 */
#ifndef VAULT_CREDENTIALS_IMDS_SETTINGS_H
#define VAULT_CREDENTIALS_IMDS_SETTINGS_H

#include <stdint.h>

#include "credentials.h"
#include "environment.h"
#include "message.h"

struct vault_imds_settings {
    const char *base; /* "http://169.254.169.254"; no slash behind, not NUL-ended; borrowed from the
                         environment */
    size_t base_length;
    int64_t timeout_ms; /* of one exchange: AWS_METADATA_SERVICE_TIMEOUT, whole seconds, 1 .. 60 */
    unsigned attempts;  /* at one question: AWS_METADATA_SERVICE_NUM_ATTEMPTS, 1 .. 100 */
};

/* Empty variables are as if not set; "true" in any case.
 *
 * VAULT_OK; VAULT_NOT_CONFIGURED (AWS_EC2_METADATA_DISABLED is true), VAULT_BAD_CONFIG: `why` names
 * the variable, `settings` is unchanged. */
VAULT_MUST_CHECK enum vault_status
vault_imds_settings_read(const struct vault_environment *environment,
                         struct vault_imds_settings *settings, struct vault_message *why);

/* *by: which setting forbids IMDSv1, constant text; NULL where none does: the variable
 * AWS_EC2_METADATA_V1_DISABLED, and where it is not set ec2_metadata_v1_disabled of the profile.
 * Reads the shared files. VAULT_OK, VAULT_NO_MEMORY. */
VAULT_MUST_CHECK enum vault_status
vault_imds_v1_disabled(const struct vault_credential_query *query, const char **by);

#endif
