/* endpoint - where a service of AWS is to be reached.
 *
 * For:   region -> partition -> host, plain, FIPS or dual-stack, or an override checked and taken
 *        apart; and the region to sign for. Partitions go by pattern, never by a list of regions.
 * Never: environment, sockets, which override or variant applies (config decides).
 */
#ifndef VAULT_ENDPOINT_H
#define VAULT_ENDPOINT_H

#include <stdbool.h>

#include "buffer.h"
#include "message.h"

#define VAULT_REGION_MAX 32

/* What is asked. All borrowed for the call. */
struct vault_endpoint_query {
    const char *service; /* "secretsmanager", "sts" or "sso" */
    const char *region;
    const char *override; /* NULL or "" for AWS's own host; else an http or https URL with a host
                             and no userinfo, query or fragment, at most 2048 bytes of printable
                             ASCII; IPv6 hosts in brackets, IPv4 hosts as four decimal numbers, no
                             empty or dot segments in the path */
    bool fips;
    bool dualstack;  /* a host with IPv4 and IPv6 addresses */
    bool sts_legacy; /* sts_regional_endpoints = legacy: fifteen old regions use STS's global
                        endpoint; means nothing to other services, nor beside an override, FIPS or
                        dual-stack */
};

struct vault_endpoint {
    struct vault_buffer url;  /* "https://host[:port]/path" to send to; path at least "/" */
    struct vault_buffer host; /* as the Host header and the signature have it: with the port where
                                 it is not the scheme's own */
    struct vault_buffer path; /* the URL's path, "/..." */
    char region[VAULT_REGION_MAX + 1]; /* to sign for; "us-east-1" for STS's global endpoint, else
                                          the region asked for */
};

/* Empty, with its limits. Allocates nothing. */
void vault_endpoint_init(struct vault_endpoint *endpoint);
void vault_endpoint_free(struct vault_endpoint *endpoint);

/* Whether `region` can be a region at all: 1..32 of [a-z0-9-], a letter first, no '-' at the end.
 */
int vault_region_valid(const char *region);

/* Settle where a service is. `endpoint` is filled on VAULT_OK, else unchanged.
 *
 * Hosts, signed regions and refusals are botocore's (endpoint-rule-set-1.json of all services,
 * partitions.json, endpoints.json), as spec/support/endpoint_vectors.py has them from it.
 *
 * VAULT_OK, VAULT_NO_REGION (empty), VAULT_BAD_CONFIG (no region can look like this; FIPS or
 * dual-stack together with an override, or where the partition has none), VAULT_BAD_ENDPOINT (`why`
 * names the fault; userinfo is never quoted), VAULT_NO_MEMORY. */
VAULT_MUST_CHECK enum vault_status vault_endpoint_settle(const struct vault_endpoint_query *query,
                                                         struct vault_endpoint *endpoint,
                                                         struct vault_message *why);

/* The partition of `region`, as ARNs have it: "aws", "aws-cn", .. */
const char *vault_region_partition(const char *region);

#endif
