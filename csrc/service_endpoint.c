/* service_endpoint - where a service is, by all that may say so.
 *
 * For:   what service_endpoint.h promises.
 * Never: hosts, files, sockets.
 */
#include "service_endpoint.h"

#include <string.h>
#include <strings.h>

#include "credentials_profile.h"

#define VALUE_MAX 2048

static const struct service {
    const char *name;
    const char *own_variable; /* Kong's, before AWS's; Secrets Manager's comes as the override */
    const char *variable;
    const char *profile_key;
} services[] = {
    {"secretsmanager", NULL, "AWS_ENDPOINT_URL_SECRETS_MANAGER", "secrets_manager"},
    {"sts", "KONG_VAULT_AWS_STS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "sts"},
    {"sso", NULL, "AWS_ENDPOINT_URL_SSO", "sso"},
};

struct flag {
    const char *variable;
    const char *property;
    const char *word;
};

static const struct flag ignore = {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
                                   "ignore_configured_endpoint_urls", "true"};
static const struct flag fips = {"AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint", "true"};
static const struct flag dualstack = {"AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint",
                                      "true"};
static const struct flag sts_legacy = {"AWS_STS_REGIONAL_ENDPOINTS", "sts_regional_endpoints",
                                       "legacy"};

static const struct service *find(const char *name)
{
    for (size_t i = 0; i < sizeof services / sizeof *services; i++)
        if (strcmp(services[i].name, name) == 0)
            return &services[i];
    return NULL;
}

/* Whether the variable `name`, else the profile's `property`, is `word`. */
static enum vault_status is_set_to(const struct vault_credential_query *query,
                                   const struct flag *flag, bool *is, struct vault_message *why)
{
    const char *value = vault_environment_set(query->environment, flag->variable);
    struct vault_message lacks = {0};
    struct vault_buffer text;
    enum vault_status status = VAULT_OK;

    *is = value && strcasecmp(value, flag->word) == 0;
    if (value)
        return VAULT_OK;
    vault_buffer_init(&text, VALUE_MAX);
    status = vault_profile_value(query, flag->property, &text, &lacks);
    if (status == VAULT_OK)
        *is = strcasecmp(text.data, flag->word) == 0;
    else if (status == VAULT_NOT_CONFIGURED)
        status = VAULT_OK;
    else
        vault_message_add(why, "%s", lacks.text);
    vault_buffer_free(&text);
    return status;
}

/* The endpoint that environment or profile set, "" for none. */
static enum vault_status set_elsewhere(const struct vault_credential_query *query,
                                       const struct service *service, struct vault_buffer *url,
                                       struct vault_message *why)
{
    const char *value = NULL;
    bool ignored = false;
    enum vault_status status;

    if (service->own_variable)
        value = vault_environment_set(query->environment, service->own_variable);
    if (value) /* which AWS's switch does not turn off */
        return vault_buffer_text(url, value);
    value = vault_environment_set(query->environment, service->variable);
    status = is_set_to(query, &ignore, &ignored, why);
    if (status != VAULT_OK || ignored)
        return status;
    if (!value)
        value = vault_environment_set(query->environment, "AWS_ENDPOINT_URL");
    if (value)
        return vault_buffer_text(url, value);
    status = vault_profile_service_endpoint(query, service->profile_key, url, why);
    if (status == VAULT_NOT_CONFIGURED)
        vault_message_clear(why);
    return status == VAULT_NOT_CONFIGURED ? VAULT_OK : status;
}

/* FIPS and dual-stack beside an endpoint URL are for vault_endpoint_settle to refuse. */
static enum vault_status read_flags(const struct vault_credential_query *query,
                                    struct vault_endpoint_query *wanted, struct vault_message *why)
{
    enum vault_status status = is_set_to(query, &fips, &wanted->fips, why);

    if (status == VAULT_OK)
        status = is_set_to(query, &dualstack, &wanted->dualstack, why);
    if (status == VAULT_OK)
        status = is_set_to(query, &sts_legacy, &wanted->sts_legacy, why);
    return status;
}

enum vault_status vault_service_endpoint(const struct vault_credential_query *query,
                                         const struct vault_endpoint_query *asked,
                                         struct vault_endpoint *endpoint, struct vault_message *why)
{
    const struct service *service = find(asked->service);
    struct vault_endpoint_query wanted = *asked;
    struct vault_buffer url;
    enum vault_status status = VAULT_OK;

    if (!service)
        return VAULT_INTERNAL;
    vault_buffer_init(&url, VALUE_MAX);
    if (!wanted.override || !*wanted.override) {
        status = set_elsewhere(query, service, &url, why);
        wanted.override = url.data;
    }
    if (status == VAULT_OK)
        status = read_flags(query, &wanted, why);
    if (status == VAULT_OK)
        status = vault_endpoint_settle(&wanted, endpoint, why);
    vault_buffer_free(&url);
    return status;
}
