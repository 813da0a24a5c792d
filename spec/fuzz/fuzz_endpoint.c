/* fuzz_endpoint - vault_region_valid, vault_endpoint_settle, vault_url_read.
 *
 * For:   input is a region, LF, an override; each is asked for in every variant. What is taken is
 *        in one form: settled again it is the same, and libcurl's own parser reads the same host,
 *        port and path out of it.
 * Never: speed; which hosts AWS has (spec/vectors/endpoints.tsv).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "endpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int held)
{
    if (!held)
        abort();
}

static void check_message(enum vault_status status, const struct vault_message *why)
{
    must((status == VAULT_OK) == (why->length == 0));
    for (const char *at = why->text; *at; at++)
        must(*at >= 0x20 && *at < 0x7f);
}

/* What libcurl reads: nothing rewritten, so that what is signed is what is sent. */
static void check_part(CURLU *handle, CURLUPart part, const char *wanted, size_t length)
{
    char *got = NULL;

    must(curl_url_get(handle, part, &got, 0) == CURLUE_OK);
    must(strlen(got) == length && memcmp(got, wanted, length) == 0);
    curl_free(got);
}

static void check_absent(CURLU *handle, CURLUPart part)
{
    char *got = NULL;

    must(curl_url_get(handle, part, &got, 0) != CURLUE_OK);
}

static void check_curl(const struct vault_endpoint *endpoint)
{
    CURLU *handle = curl_url();
    const char *host = endpoint->host.data, *end = strchr(host, ']');
    size_t length;

    must(handle && curl_url_set(handle, CURLUPART_URL, endpoint->url.data, 0) == CURLUE_OK);
    end = strchr(end ? end : host, ':');
    length = end ? (size_t)(end - host) : endpoint->host.length;
    /* libcurl shortens IPv6 addresses to their one form; which, is its own affair */
    if (*host != '[') {
        check_part(handle, CURLUPART_HOST, host, length);
        check_part(handle, CURLUPART_URL, endpoint->url.data, endpoint->url.length);
    }
    if (end)
        check_part(handle, CURLUPART_PORT, end + 1, strlen(end + 1));
    else
        check_absent(handle, CURLUPART_PORT);
    check_part(handle, CURLUPART_PATH, endpoint->path.data, endpoint->path.length);
    check_absent(handle, CURLUPART_USER);
    check_absent(handle, CURLUPART_PASSWORD);
    check_absent(handle, CURLUPART_QUERY);
    check_absent(handle, CURLUPART_FRAGMENT);
    curl_url_cleanup(handle);
}

static void check_shape(const struct vault_endpoint *endpoint)
{
    int https = strncmp(endpoint->url.data, "https://", 8) == 0;
    const char *rest = endpoint->url.data + (https ? 8 : 7);
    const char *port;

    must(https || strncmp(endpoint->url.data, "http://", 7) == 0);
    must(strncmp(rest, endpoint->host.data, endpoint->host.length) == 0);
    must(strcmp(rest + endpoint->host.length, endpoint->path.data) == 0);
    must(endpoint->path.data[0] == '/' && endpoint->host.length > 0);
    for (const char *at = endpoint->host.data; *at; at++)
        must(*at > 0x20 && *at < 0x7f && !(*at >= 'A' && *at <= 'Z') && !strchr("/@?#\\", *at));
    port = strrchr(endpoint->host.data, ':');
    if (endpoint->host.data[endpoint->host.length - 1] != ']')
        must(!port || strcmp(port, https ? ":443" : ":80") != 0);
}

static void check_refused(struct vault_endpoint_query query)
{
    struct vault_endpoint endpoint;
    struct vault_message why = {0};
    enum vault_status status;

    vault_endpoint_init(&endpoint);
    query.fips = true;
    status = vault_endpoint_settle(&query, &endpoint, &why);
    check_message(status, &why);
    must(status == VAULT_BAD_CONFIG && !endpoint.url.data);
}

static void check_override(const char *override)
{
    struct vault_endpoint_query query = {
        .service = "sts", .region = "eu-west-1", .override = override, .sts_legacy = true};
    struct vault_endpoint endpoint, again;
    struct vault_message why = {0};
    enum vault_status status;

    vault_endpoint_init(&endpoint);
    vault_endpoint_init(&again);
    status = vault_endpoint_settle(&query, &endpoint, &why);
    check_message(status, &why);
    if (status == VAULT_OK) {
        check_shape(&endpoint);
        check_curl(&endpoint);
        must(strcmp(endpoint.region, "eu-west-1") == 0);
        query.override = endpoint.url.data;
        must(vault_endpoint_settle(&query, &again, &why) == VAULT_OK);
        must(strcmp(endpoint.url.data, again.url.data) == 0);
        must(strcmp(endpoint.host.data, again.host.data) == 0);
    } else {
        must(status == VAULT_BAD_ENDPOINT && !endpoint.url.data);
    }
    check_refused(query);
    vault_endpoint_free(&endpoint);
    vault_endpoint_free(&again);
}

/* STS's global host has no region in it, and is signed for us-east-1. */
static void check_own(const struct vault_endpoint_query *query,
                      const struct vault_endpoint *endpoint)
{
    const char *label = strcmp(query->service, "sso") == 0 ? "portal.sso" : query->service;
    size_t service = strlen(label), region = strlen(query->region);
    const char *rest = endpoint->host.data + service;

    check_shape(endpoint);
    check_curl(endpoint);
    must(strncmp(endpoint->host.data, label, service) == 0);
    if (strcmp(rest, ".amazonaws.com") == 0) {
        must(strcmp(query->service, "sts") == 0 && !query->fips && !query->dualstack);
        must(strcmp(endpoint->region, "us-east-1") == 0);
        return;
    }
    if (query->fips && strncmp(rest, "-fips", 5) == 0)
        rest += 5;
    must(*rest == '.' && strncmp(rest + 1, query->region, region) == 0 && rest[1 + region] == '.');
    must(strcmp(endpoint->region, query->region) == 0 || strcmp(query->region, "aws-global") == 0);
}

static void check_region(const struct vault_endpoint_query *query)
{
    struct vault_endpoint endpoint;
    struct vault_message why = {0};
    enum vault_status status;
    int valid = vault_region_valid(query->region);

    vault_endpoint_init(&endpoint);
    status = vault_endpoint_settle(query, &endpoint, &why);
    check_message(status, &why);
    if (status == VAULT_OK)
        check_own(query, &endpoint);
    else
        must(status == (*query->region ? VAULT_BAD_CONFIG : VAULT_NO_REGION));
    must(status == VAULT_OK ? valid : !valid || query->dualstack);
    vault_endpoint_free(&endpoint);
}

static void check_variants(const char *region)
{
    static const char *const services[] = {"secretsmanager", "sts", "sso"};

    for (unsigned i = 0; i < 3 * 8; i++) {
        const unsigned bits = i / 3;
        const struct vault_endpoint_query query = {
            .service = services[i % 3],
            .region = region,
            .fips = bits & 1,
            .dualstack = bits & 2,
            .sts_legacy = bits & 4,
        };

        check_region(&query);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *override;

    memcpy(text, data, size);
    text[size] = '\0';
    override = strchr(text, '\n');
    if (override)
        *override++ = '\0';
    check_variants(text);
    if (override && *override)
        check_override(override);
    free(text);
    return 0;
}
