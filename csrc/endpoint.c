/* endpoint - where a service of AWS is to be reached.
 *
 * For:   what endpoint.h promises: the partitions, and the three texts of an endpoint.
 * Never: taking a URL apart (url), a list of regions.
 */
#include "endpoint.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "url.h"

#define REGION_MAX 32

/* Regions of a partition are its prefix, a word, '-' and digits. All else is in "aws", as AWS's own
 * clients have it. */
struct partition {
    const char *prefix;
    const char *suffix;
};

static const struct partition partitions[] = {
    {"cn-", "amazonaws.com.cn"},    /* aws-cn */
    {"us-gov-", "amazonaws.com"},   /* aws-us-gov */
    {"eusc-de-", "amazonaws.eu"},   /* aws-eusc */
    {"us-iso-", "c2s.ic.gov"},      /* aws-iso */
    {"us-isob-", "sc2s.sgov.gov"},  /* aws-iso-b */
    {"eu-isoe-", "cloud.adc-e.uk"}, /* aws-iso-e */
    {"us-isof-", "csp.hci.ic.gov"}, /* aws-iso-f */
};

static const struct partition partition_aws = {"", "amazonaws.com"};

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
}

void vault_endpoint_free(struct vault_endpoint *endpoint)
{
    vault_buffer_free(&endpoint->url);
    vault_buffer_free(&endpoint->host);
    vault_buffer_free(&endpoint->path);
}

int vault_region_valid(const char *region)
{
    size_t length = strlen(region);

    if (length == 0 || length > REGION_MAX || !is_lower(region[0]) || region[length - 1] == '-')
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

static enum vault_status settle_override(const char *override, struct vault_endpoint *made,
                                         struct vault_message *why)
{
    struct vault_url url = {0};
    enum vault_status status = vault_url_read(override, &url, why);

    if (status == VAULT_OK)
        status = put_host(&made->host, &url);
    if (status == VAULT_OK)
        status = vault_buffer_text(&made->path, *url.path ? url.path : "/");
    if (status == VAULT_OK)
        status = put_url(made, url.https);
    return status;
}

static enum vault_status settle_own(const char *service, const char *region,
                                    struct vault_endpoint *made)
{
    const char *const parts[] = {service, ".", region, ".", partition_of(region)->suffix};
    enum vault_status status = vault_buffer_text(&made->path, "/");

    for (size_t i = 0; i < sizeof parts / sizeof *parts && status == VAULT_OK; i++)
        status = vault_buffer_text(&made->host, parts[i]);
    return status == VAULT_OK ? put_url(made, true) : status;
}

enum vault_status vault_endpoint_settle(const char *service, const char *region,
                                        const char *override, struct vault_endpoint *endpoint,
                                        struct vault_message *why)
{
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
    if (override && *override)
        status = settle_override(override, &made, why);
    else
        status = settle_own(service, region, &made);
    if (status == VAULT_OK) {
        vault_endpoint_free(endpoint);
        *endpoint = made;
        vault_endpoint_init(&made);
    }
    vault_endpoint_free(&made);
    return status;
}
