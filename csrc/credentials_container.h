/* credentials_container - credentials of the container this process runs in.
 *
 * For:   ECS and EKS Pod Identity, over plain HTTP to an agent on this host or HTTPS to any other,
 *        never by a proxy. (docs.aws.amazon.com/sdkref/latest/guide/
 *        feature-container-credentials.html)
 * Never: sockets, the order of the chain.
 */
#ifndef VAULT_CREDENTIALS_CONTAINER_H
#define VAULT_CREDENTIALS_CONTAINER_H

#include "credential_source.h"

/* AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, else _FULL_URI (https, or an address that
 * vault_container_address allows: exchange->may_connect is set to it), with
 * AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, read before each exchange, else _TOKEN. Three attempts of
 * 2 s, a second apart.
 *
 * VAULT_OK, NOT_CONFIGURED (neither URI is set), BAD_CONFIG (a variable or the token's file),
 * CREDENTIALS_REFUSED, EXPIRED_TOKEN (the agent's keys have expired by the Date of its own
 * answer), THROTTLED, SERVER_ERROR, BAD_RESPONSE, NO_MEMORY, or the outcome of an exchange without
 * an answer. */
extern const struct vault_credential_source vault_source_container;

#endif
