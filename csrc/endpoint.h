/* endpoint - where a service of AWS is to be reached.
 *
 * For:   region -> partition -> host, or an override checked and taken apart. Partitions go by
 *        pattern, never by a list of regions.
 * Never: environment, sockets, which override applies (config decides).
 */
#ifndef VAULT_ENDPOINT_H
#define VAULT_ENDPOINT_H

#include "buffer.h"
#include "message.h"

struct vault_endpoint {
    struct vault_buffer url;  /* "https://host[:port]/path" to send to; path at least "/" */
    struct vault_buffer host; /* as the Host header and the signature have it: with the port where
                                 it is not the scheme's own */
    struct vault_buffer path; /* the URL's path, "/..." */
};

/* Empty, with its limits. Allocates nothing. */
void vault_endpoint_init(struct vault_endpoint *endpoint);
void vault_endpoint_free(struct vault_endpoint *endpoint);

/* Whether `region` can be a region at all: 1..32 of [a-z0-9-], a letter first, no '-' at the end.
 */
int vault_region_valid(const char *region);

/* Settle where `service` ("secretsmanager") of `region` is.
 *
 * override  NULL or "" for AWS's own host; else an http or https URL with a host and no userinfo,
 *           query or fragment, at most 2048 bytes of printable ASCII; IPv6 hosts in brackets, IPv4
 *           hosts as four decimal numbers, no empty or dot segments in the path
 * endpoint  filled on VAULT_OK, else unchanged
 *
 * VAULT_OK, VAULT_NO_REGION (empty), VAULT_BAD_CONFIG (no region can look like this),
 * VAULT_BAD_ENDPOINT (`why` names the fault; userinfo is never quoted), VAULT_NO_MEMORY. */
VAULT_MUST_CHECK enum vault_status vault_endpoint_settle(const char *service, const char *region,
                                                         const char *override,
                                                         struct vault_endpoint *endpoint,
                                                         struct vault_message *why);

#endif
