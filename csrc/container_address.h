/* container_address - whom a container's credentials may be asked of over plain HTTP.
 *
 * For:   the addresses of loopback and of the agents of ECS and EKS, as the AWS SDKs have them.
 *        (docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html)
 * Never: sockets, resolving names.
 */
#ifndef VAULT_CONTAINER_ADDRESS_H
#define VAULT_CONTAINER_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

/* Whether this struct sockaddr may be asked: 127.0.0.0/8, ::1, 169.254.170.2, 169.254.170.23,
 * fd00:ec2::23, and the IPv4 ones mapped into IPv6. */
bool vault_container_address(const void *sockaddr);

/* False where `host` (of a struct vault_url: IPv6 in brackets) is an address that
 * vault_container_address refuses. A name is true: its addresses are seen when it is connected to.
 */
bool vault_container_host(const char *host, size_t length);

#endif
