/* credentials_profile - single settings of the chosen profile.
 *
 * For:   what credentials_profile.h promises.
 * Never: a value of the files in a message; only names of files, profiles and properties.
 */
#include "credentials_profile.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "profile.h"

#define IGNORE_VARIABLE "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"
#define IGNORE_PROPERTY "ignore_configured_endpoint_urls"

static enum vault_status value_in(const struct vault_profile *profile, const char *property,
                                  struct vault_buffer *value, struct vault_message *why)
{
    const char *text = vault_profile_get(profile, property);
    enum vault_status status;

    if (text)
        return vault_buffer_text(value, text);
    status = vault_profile_check(profile, why);
    if (status != VAULT_OK)
        return status;
    vault_profile_say_lacks(profile, property, why);
    return VAULT_NOT_CONFIGURED;
}

enum vault_status vault_profile_value(const struct vault_credential_query *query,
                                      const char *property, struct vault_buffer *value,
                                      struct vault_message *why)
{
    struct vault_profile_set *set = NULL;
    struct vault_profile profile;
    enum vault_status status = vault_profile_open(query, &set, &profile);

    if (status == VAULT_OK)
        status = value_in(&profile, property, value, why);
    vault_profile_set_free(set);
    return status;
}

enum vault_status vault_profile_region(const struct vault_credential_query *query,
                                       struct vault_buffer *region, struct vault_message *why)
{
    return vault_profile_value(query, "region", region, why);
}

static bool is_true(const char *text)
{
    return text && strcasecmp(text, "true") == 0;
}

/* *url is NULL where the profile names no [services], or that has no endpoint for the service. */
static enum vault_status find_service(const struct vault_profile *profile, const char *service_key,
                                      const char **url, struct vault_message *why)
{
    const char *name = vault_profile_get(profile, "services");
    char property[64];
    int length = snprintf(property, sizeof property, "%s.endpoint_url", service_key);

    *url = NULL;
    if (!name || length < 0 || (size_t)length >= sizeof property)
        return VAULT_OK;
    if (!vault_profile_has_section(profile, "services", name)) {
        vault_profile_say(profile, why);
        vault_message_add(why, " names a section [services] that does not stand in ");
        vault_profile_say_path(profile, VAULT_PROFILE_CONFIG, why);
        return VAULT_BAD_PROFILE;
    }
    *url = vault_profile_get_of(profile, "services", name, property);
    return VAULT_OK;
}

static enum vault_status endpoint_in(const struct vault_profile *profile, bool may_ignore,
                                     const char *service_key, struct vault_buffer *value,
                                     struct vault_message *why)
{
    enum vault_status status = vault_profile_check(profile, why);
    const char *url;

    if (status != VAULT_OK)
        return status;
    if (may_ignore && is_true(vault_profile_get(profile, IGNORE_PROPERTY))) {
        vault_profile_say(profile, why);
        vault_message_add(why, " has %s", IGNORE_PROPERTY);
        return VAULT_NOT_CONFIGURED;
    }
    status = find_service(profile, service_key, &url, why);
    if (status != VAULT_OK)
        return status;
    return url ? vault_buffer_text(value, url) : value_in(profile, "endpoint_url", value, why);
}

enum vault_status vault_profile_service_endpoint(const struct vault_credential_query *query,
                                                 const char *service_key,
                                                 struct vault_buffer *value,
                                                 struct vault_message *why)
{
    const char *ignore = vault_environment_get(query->environment, IGNORE_VARIABLE);
    struct vault_profile_set *set = NULL;
    struct vault_profile profile;
    enum vault_status status;

    if (is_true(ignore)) {
        vault_message_add(why, "%s is set", IGNORE_VARIABLE);
        return VAULT_NOT_CONFIGURED;
    }
    status = vault_profile_open(query, &set, &profile);
    if (status == VAULT_OK)
        status = endpoint_in(&profile, !ignore || !*ignore, service_key, value, why);
    vault_profile_set_free(set);
    return status;
}
