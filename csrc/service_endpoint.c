/* service_endpoint - where a service is, by all that may say so.
 *
 * For:   what service_endpoint.h promises.
 * Never: hosts, files, sockets.
 */
#include "service_endpoint.h"

#include <string.h>
#include <strings.h>

#include "credentials_profile.h"

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

/* What may say so beside the caller. */
struct settings {
    const struct vault_environment *environment;
    struct vault_profile profile;
};

/* Whether the variable, else the profile's property, is the word. */
static enum vault_status is_set_to(const struct settings *settings, const struct flag *flag,
                                   bool *is, struct vault_message *why)
{
    const char *value = vault_environment_set(settings->environment, flag->variable);

    if (!value)
        value = vault_profile_get(&settings->profile, flag->property);
    *is = value && strcasecmp(value, flag->word) == 0;
    return value ? VAULT_OK : vault_profile_check(&settings->profile, why);
}

/* The endpoint that environment or profile set, NULL for none; borrowed. */
static enum vault_status set_elsewhere(const struct settings *settings,
                                       const struct service *service, const char **url,
                                       struct vault_message *why)
{
    const struct vault_environment *environment = settings->environment;
    const char *value = vault_environment_set(environment, service->variable);
    bool ignored = false;
    enum vault_status status;

    *url = service->own_variable ? vault_environment_set(environment, service->own_variable) : NULL;
    if (*url) /* which AWS's switch does not turn off */
        return VAULT_OK;
    status = is_set_to(settings, &ignore, &ignored, why);
    if (status != VAULT_OK || ignored)
        return status;
    *url = value ? value : vault_environment_set(environment, "AWS_ENDPOINT_URL");
    return *url
               ? VAULT_OK
               : vault_profile_service_endpoint(&settings->profile, service->profile_key, url, why);
}

/* FIPS and dual-stack beside an endpoint URL are for vault_endpoint_settle to refuse. */
static enum vault_status read_flags(const struct settings *settings,
                                    struct vault_endpoint_query *wanted, struct vault_message *why)
{
    enum vault_status status = is_set_to(settings, &fips, &wanted->fips, why);

    if (status == VAULT_OK)
        status = is_set_to(settings, &dualstack, &wanted->dualstack, why);
    if (status == VAULT_OK)
        status = is_set_to(settings, &sts_legacy, &wanted->sts_legacy, why);
    return status;
}

enum vault_status vault_service_endpoint(const struct vault_credential_query *query,
                                         const struct vault_endpoint_query *asked,
                                         struct vault_endpoint *endpoint, struct vault_message *why)
{
    const struct service *service = find(asked->service);
    struct vault_endpoint_query wanted = *asked;
    struct settings settings = {.environment = query->environment};
    struct vault_profile_set *set = NULL;
    enum vault_status status;

    if (!service)
        return VAULT_INTERNAL;
    status = vault_profile_open(query, &set, &settings.profile);
    if (status == VAULT_OK && (!wanted.override || !*wanted.override))
        status = set_elsewhere(&settings, service, &wanted.override, why);
    if (status == VAULT_OK)
        status = read_flags(&settings, &wanted, why);
    if (status == VAULT_OK)
        status = vault_endpoint_settle(&wanted, endpoint, why);
    vault_profile_set_free(set);
    return status;
}
