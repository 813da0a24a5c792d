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
    const char *variable;
    const char *profile_key;
} services[] = {
    {"secretsmanager", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "secrets_manager"},
    {"sts", "AWS_ENDPOINT_URL_STS", "sts"},
};

static const char *set_variable(const struct vault_environment *environment, const char *name)
{
    const char *value = vault_environment_get(environment, name);

    return value && *value ? value : NULL;
}

static const struct service *find(const char *name)
{
    for (size_t i = 0; i < sizeof services / sizeof *services; i++)
        if (strcmp(services[i].name, name) == 0)
            return &services[i];
    return NULL;
}

/* The endpoint that environment or profile set, "" for none. */
static enum vault_status set_elsewhere(const struct vault_credential_query *query,
                                       const struct service *service, struct vault_buffer *url,
                                       struct vault_message *why)
{
    const char *ignore = set_variable(query->environment, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
    const char *value = set_variable(query->environment, service->variable);
    enum vault_status status;

    if (ignore && strcasecmp(ignore, "true") == 0)
        return VAULT_OK;
    if (!value)
        value = set_variable(query->environment, "AWS_ENDPOINT_URL");
    if (value)
        return vault_buffer_text(url, value);
    status = vault_profile_service_endpoint(query, service->profile_key, url, why);
    if (status == VAULT_NOT_CONFIGURED)
        vault_message_clear(why);
    return status == VAULT_NOT_CONFIGURED ? VAULT_OK : status;
}

/* Whether the variable `name`, else the profile's `property`, is `word`. */
static bool is_set_to(const struct vault_credential_query *query, const char *name,
                      const char *property, const char *word)
{
    const char *value = set_variable(query->environment, name);
    struct vault_message ignored = {0};
    struct vault_buffer text;
    bool is;

    if (value)
        return strcasecmp(value, word) == 0;
    vault_buffer_init(&text, VALUE_MAX);
    is = vault_profile_value(query, property, &text, &ignored) == VAULT_OK && text.data &&
         strcasecmp(text.data, word) == 0;
    vault_buffer_free(&text);
    return is;
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
    if (wanted.override && *wanted.override)
        goto settle;
    status = set_elsewhere(query, service, &url, why);
    if (status != VAULT_OK)
        goto out;
    wanted.override = url.data;
    if (!url.length) {
        wanted.fips = is_set_to(query, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint", "true");
        wanted.dualstack =
            is_set_to(query, "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint", "true");
        wanted.sts_legacy =
            is_set_to(query, "AWS_STS_REGIONAL_ENDPOINTS", "sts_regional_endpoints", "legacy");
    }
settle:
    status = vault_endpoint_settle(&wanted, endpoint, why);
out:
    vault_buffer_free(&url);
    return status;
}
