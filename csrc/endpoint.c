/* endpoint - where a service of AWS is to be reached.
 *
 * For:   what endpoint.h promises: the partitions, and the texts of an endpoint.
 * Never: taking a URL apart (url), a list of regions; STS's old ones are the one that is closed.
 */
#include "endpoint.h"

#include <stdio.h>
#include <string.h>

#include "url.h"

/* Where a service does not go by its partition's own rule. */
enum peculiarity {
    SECRETS_DUALSTACK_PLAIN = 1,      /* secretsmanager: the plain host is the dual-stack one */
    SECRETS_FIPS_DUALSTACK_PLAIN = 2, /* secretsmanager: and so is the FIPS host */
    OTHERS_FIPS_PLAIN = 4             /* sts and sso: the plain host is the FIPS one */
};

/* Regions of a partition are its prefix, a word, '-' and digits. All else is in "aws", as AWS's own
 * clients have it. */
struct partition {
    const char *name;
    const char *prefix;
    const char *suffix;
    const char *dualstack; /* the suffix of dual-stack hosts; NULL: none */
    unsigned peculiarities;
};

/* Of the last two, botocore's clients refuse dual-stack, though its rules name suffixes for them:
 * api.cloud-aws.adc-e.uk and api.aws.hci.ic.gov. */
static const struct partition partitions[] = {
    {"aws-cn", "cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn", SECRETS_DUALSTACK_PLAIN},
    {"aws-us-gov", "us-gov-", "amazonaws.com", "api.aws",
     SECRETS_DUALSTACK_PLAIN | SECRETS_FIPS_DUALSTACK_PLAIN | OTHERS_FIPS_PLAIN},
    {"aws-eusc", "eusc-de-", "amazonaws.eu", "api.amazonwebservices.eu", 0},
    {"aws-iso", "us-iso-", "c2s.ic.gov", "api.aws.ic.gov", 0},
    {"aws-iso-b", "us-isob-", "sc2s.sgov.gov", "api.aws.scloud", 0},
    {"aws-iso-e", "eu-isoe-", "cloud.adc-e.uk", NULL, 0},
    {"aws-iso-f", "us-isof-", "csp.hci.ic.gov", NULL, 0},
};

static const struct partition partition_aws = {
    "aws", "", "amazonaws.com", "api.aws", SECRETS_DUALSTACK_PLAIN | SECRETS_FIPS_DUALSTACK_PLAIN};

#define STS_GLOBAL_NAME   "aws-global"
#define STS_GLOBAL_HOST   "sts.amazonaws.com"
#define STS_GLOBAL_REGION "us-east-1"

/* Closed: regions that came later never used the global endpoint. */
static const char *const sts_legacy_regions[] = {
    "ap-northeast-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ca-central-1",
    "eu-central-1",   "eu-north-1", "eu-west-1",      "eu-west-2",      "eu-west-3",
    "sa-east-1",      "us-east-1",  "us-east-2",      "us-west-1",      "us-west-2",
};

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_lower(char byte)
{
    return byte >= 'a' && byte <= 'z';
}

void vault_endpoint_init(struct vault_endpoint *endpoint)
{
    vault_buffer_init(&endpoint->url, VAULT_URL_MAX + 16);
    vault_buffer_init(&endpoint->host, VAULT_URL_HOST_MAX + 16);
    vault_buffer_init(&endpoint->path, VAULT_URL_MAX + 16);
    *endpoint->region = '\0';
}

void vault_endpoint_free(struct vault_endpoint *endpoint)
{
    vault_buffer_free(&endpoint->url);
    vault_buffer_free(&endpoint->host);
    vault_buffer_free(&endpoint->path);
    *endpoint->region = '\0';
}

int vault_region_valid(const char *region)
{
    size_t length = strlen(region);

    if (length == 0 || length > VAULT_REGION_MAX || !is_lower(region[0]) ||
        region[length - 1] == '-')
        return 0;
    for (size_t i = 0; i < length; i++)
        if (!is_lower(region[i]) && !is_digit(region[i]) && region[i] != '-')
            return 0;
    return 1;
}

static bool is_in(const struct partition *partition, const char *region)
{
    size_t prefix = strlen(partition->prefix);
    const char *dash;

    if (strncmp(region, partition->prefix, prefix) != 0)
        return false;
    dash = strchr(region + prefix, '-');
    if (!dash || dash == region + prefix || !dash[1])
        return false;
    return dash[1 + strspn(dash + 1, "0123456789")] == '\0';
}

static const struct partition *partition_of(const char *region)
{
    for (size_t i = 0; i < sizeof partitions / sizeof *partitions; i++)
        if (is_in(&partitions[i], region))
            return &partitions[i];
    return &partition_aws;
}

static enum vault_status put_host(struct vault_buffer *host, const struct vault_url *url)
{
    enum vault_status status = vault_buffer_append(host, url->host, url->host_length);
    char port[16];

    for (size_t i = 0; i < host->length; i++)
        if (host->data[i] >= 'A' && host->data[i] <= 'Z')
            host->data[i] = (char)(host->data[i] - 'A' + 'a');
    if (status != VAULT_OK || url->port == 0)
        return status;
    snprintf(port, sizeof port, ":%u", url->port);
    return vault_buffer_text(host, port);
}

static enum vault_status put_url(struct vault_endpoint *endpoint, bool https)
{
    enum vault_status status = vault_buffer_text(&endpoint->url, https ? "https://" : "http://");

    if (status == VAULT_OK)
        status = vault_buffer_append(&endpoint->url, endpoint->host.data, endpoint->host.length);
    if (status == VAULT_OK)
        status = vault_buffer_append(&endpoint->url, endpoint->path.data, endpoint->path.length);
    return status;
}

/* FIPS and dual-stack choose among AWS's hosts, so beside an override they would be lost unsaid:
 * a caller who must have FIPS would not get it. */
static enum vault_status settle_override(const struct vault_endpoint_query *query,
                                         struct vault_endpoint *made, struct vault_message *why)
{
    struct vault_url url = {0};
    enum vault_status status;

    if (query->fips || query->dualstack) {
        vault_message_add(why, "%s endpoints cannot be asked for together with an endpoint URL",
                          !query->dualstack ? "FIPS"
                          : !query->fips    ? "dual-stack"
                                            : "FIPS and dual-stack");
        return VAULT_BAD_CONFIG;
    }
    status = vault_url_read(query->override, &url, why);
    if (status == VAULT_OK)
        status = put_host(&made->host, &url);
    if (status == VAULT_OK)
        status = vault_buffer_text(&made->path, *url.path ? url.path : "/");
    if (status == VAULT_OK)
        status = put_url(made, url.https);
    return status;
}

static bool is_for(const struct vault_endpoint_query *query, const char *service)
{
    return strcmp(query->service, service) == 0;
}

static bool is_sts_global(const struct vault_endpoint_query *query)
{
    if (!is_for(query, "sts") || query->fips || query->dualstack)
        return false;
    if (strcmp(query->region, STS_GLOBAL_NAME) == 0)
        return true;
    for (size_t i = 0; i < sizeof sts_legacy_regions / sizeof *sts_legacy_regions; i++)
        if (query->sts_legacy && strcmp(query->region, sts_legacy_regions[i]) == 0)
            return true;
    return false;
}

/* Of IAM Identity Center it is the portal that is asked. */
static const char *host_label(const struct vault_endpoint_query *query)
{
    return is_for(query, "sso") ? "portal.sso" : query->service;
}

static const char *fips_label(const struct vault_endpoint_query *query,
                              const struct partition *partition)
{
    bool plain = !is_for(query, "secretsmanager") && !query->dualstack &&
                 partition->peculiarities & OTHERS_FIPS_PLAIN;

    return query->fips && !plain ? "-fips" : "";
}

static const char *suffix_of(const struct vault_endpoint_query *query,
                             const struct partition *partition)
{
    unsigned plain = query->fips ? SECRETS_FIPS_DUALSTACK_PLAIN : SECRETS_DUALSTACK_PLAIN;

    if (!query->dualstack || (is_for(query, "secretsmanager") && partition->peculiarities & plain))
        return partition->suffix;
    return partition->dualstack;
}

static enum vault_status put_own_host(const struct vault_endpoint_query *query,
                                      struct vault_buffer *host, struct vault_message *why)
{
    const struct partition *partition = partition_of(query->region);
    const char *suffix = suffix_of(query, partition);
    const char *const parts[] = {
        host_label(query), fips_label(query, partition), ".", query->region, ".", suffix};
    enum vault_status status = VAULT_OK;

    if (is_sts_global(query))
        return vault_buffer_text(host, STS_GLOBAL_HOST);
    if (!suffix) {
        vault_message_add(why, "AWS has no dual-stack endpoints in the partition %s",
                          partition->name);
        return VAULT_BAD_CONFIG;
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts && status == VAULT_OK; i++)
        status = vault_buffer_text(host, parts[i]);
    return status;
}

static enum vault_status settle_own(const struct vault_endpoint_query *query,
                                    struct vault_endpoint *made, struct vault_message *why)
{
    enum vault_status status = put_own_host(query, &made->host, why);

    if (status == VAULT_OK)
        status = vault_buffer_text(&made->path, "/");
    return status == VAULT_OK ? put_url(made, true) : status;
}

/* No place is called aws-global: even FIPS and dual-stack hosts of that name are us-east-1's. */
static const char *region_to_sign(const struct vault_endpoint_query *query)
{
    bool own = !query->override || !*query->override;

    if (own && is_for(query, "sts") &&
        (is_sts_global(query) || strcmp(query->region, STS_GLOBAL_NAME) == 0))
        return STS_GLOBAL_REGION;
    return query->region;
}

enum vault_status vault_endpoint_settle(const struct vault_endpoint_query *query,
                                        struct vault_endpoint *endpoint, struct vault_message *why)
{
    const char *region = query->region;
    struct vault_endpoint made;
    enum vault_status status;

    if (!region || !*region) {
        vault_message_add(why, "no AWS region is set");
        return VAULT_NO_REGION;
    }
    if (!vault_region_valid(region)) {
        vault_message_add(why, "no AWS region looks like \"");
        vault_message_quote(why, region, strlen(region), 64);
        vault_message_add(why, "\"");
        return VAULT_BAD_CONFIG;
    }
    vault_endpoint_init(&made);
    if (query->override && *query->override)
        status = settle_override(query, &made, why);
    else
        status = settle_own(query, &made, why);
    if (status == VAULT_OK) {
        snprintf(made.region, sizeof made.region, "%s", region_to_sign(query));
        vault_endpoint_free(endpoint);
        *endpoint = made;
        vault_endpoint_init(&made);
    }
    vault_endpoint_free(&made);
    return status;
}

const char *vault_region_partition(const char *region)
{
    return partition_of(region)->name;
}
