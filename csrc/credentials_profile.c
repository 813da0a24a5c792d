/* credentials_profile - single settings of the chosen profile.
 *
 * For:   what credentials_profile.h promises.
 * Never: a value of the files in a message; only names of files, profiles and properties.
 */
#include "credentials_profile.h"

#include <stdio.h>

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

enum vault_status vault_profile_service_endpoint(const struct vault_profile *profile,
                                                 const char *service_key, const char **url,
                                                 struct vault_message *why)
{
    enum vault_status status = vault_profile_check(profile, why);

    if (status == VAULT_OK)
        status = find_service(profile, service_key, url, why);
    if (status == VAULT_OK && !*url)
        *url = vault_profile_get(profile, "endpoint_url");
    return status;
}
