/* credentials_process - credentials that a program of the profile prints.
 *
 * For:   credential_process: the words of its command, the JSON of Version 1 that it prints.
 *        (docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html)
 * Never: running it (program), the files (profile), clocks.
 */
#ifndef VAULT_CREDENTIALS_PROCESS_H
#define VAULT_CREDENTIALS_PROCESS_H

#include "credential_source.h"

/* run->plan->command is the command. One exchange, of 10 s at most. `expires` is 0 where the
 * program names no Expiration. VAULT_OK; VAULT_BAD_PROFILE (the command is malformed, or there is
 * no such program), VAULT_CREDENTIALS_REFUSED (another exit status than 0), VAULT_TIMEOUT,
 * VAULT_BAD_RESPONSE (not such JSON, another Version, a field missing), VAULT_EXPIRED_TOKEN (it
 * prints credentials that have expired), VAULT_TOO_LARGE, VAULT_NO_MEMORY, VAULT_INTERNAL. */
extern const struct vault_credential_source vault_source_process;

#endif
