/* credentials_imds_settings - where and how EC2 instance metadata is asked.
 *
 * For:   what credentials_imds_settings.h promises.
 * Never: asking; a variable's value in a message.
 */
#include "credentials_imds_settings.h"

#include <string.h>
#include <strings.h>

#include "profile.h"
#include "url.h"

#define V1       "AWS_EC2_METADATA_V1_DISABLED"
#define ENDPOINT "AWS_EC2_METADATA_SERVICE_ENDPOINT"
#define MODE     "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"

#define TIMEOUT_MAX  60
#define ATTEMPTS_MAX 100

static bool is_true(const struct vault_environment *environment, const char *name)
{
    const char *value = vault_environment_set(environment, name);

    return value && strcasecmp(value, "true") == 0;
}

/* The service's paths begin with a slash: one behind the endpoint would make two. */
static enum vault_status read_endpoint(const char *endpoint, struct vault_imds_settings *settings,
                                       struct vault_message *why)
{
    struct vault_message amiss = {0};
    struct vault_url url;

    if (vault_url_read(endpoint, &url, &amiss) != VAULT_OK) {
        vault_message_add(why, "%s: %s", ENDPOINT, amiss.text);
        return VAULT_BAD_CONFIG;
    }
    settings->base = endpoint;
    settings->base_length = strlen(endpoint);
    if (endpoint[settings->base_length - 1] == '/')
        settings->base_length--;
    return VAULT_OK;
}

static enum vault_status read_mode(const char *mode, struct vault_imds_settings *settings,
                                   struct vault_message *why)
{
    if (!mode || strcasecmp(mode, "IPv4") == 0)
        settings->base = "http://169.254.169.254";
    else if (strcasecmp(mode, "IPv6") == 0)
        settings->base = "http://[fd00:ec2::254]";
    else {
        vault_message_add(why, "%s is neither IPv4 nor IPv6", MODE);
        return VAULT_BAD_CONFIG;
    }
    settings->base_length = strlen(settings->base);
    return VAULT_OK;
}

/* 1 where it is not set, as AWS has both. */
static enum vault_status read_number(const struct vault_environment *environment, const char *name,
                                     unsigned most, unsigned *number, struct vault_message *why)
{
    const char *text = vault_environment_set(environment, name);
    unsigned value = 0;

    *number = 1;
    if (!text)
        return VAULT_OK;
    for (; *text >= '0' && *text <= '9' && value <= most; text++)
        value = value * 10 + (unsigned)(*text - '0');
    if (*text || value < 1 || value > most) {
        vault_message_add(why, "%s is not a whole number from 1 to %u", name, most);
        return VAULT_BAD_CONFIG;
    }
    *number = value;
    return VAULT_OK;
}

enum vault_status vault_imds_settings_read(const struct vault_environment *environment,
                                           struct vault_imds_settings *settings,
                                           struct vault_message *why)
{
    const char *endpoint = vault_environment_set(environment, ENDPOINT);
    struct vault_imds_settings made = {0};
    unsigned seconds = 0;
    enum vault_status status;

    if (is_true(environment, "AWS_EC2_METADATA_DISABLED")) {
        vault_message_add(why, "AWS_EC2_METADATA_DISABLED is true");
        return VAULT_NOT_CONFIGURED;
    }
    status = endpoint ? read_endpoint(endpoint, &made, why)
                      : read_mode(vault_environment_set(environment, MODE), &made, why);
    if (status == VAULT_OK)
        status =
            read_number(environment, "AWS_METADATA_SERVICE_TIMEOUT", TIMEOUT_MAX, &seconds, why);
    if (status == VAULT_OK)
        status = read_number(environment, "AWS_METADATA_SERVICE_NUM_ATTEMPTS", ATTEMPTS_MAX,
                             &made.attempts, why);
    if (status != VAULT_OK)
        return status;
    made.timeout_ms = (int64_t)seconds * 1000;
    *settings = made;
    return VAULT_OK;
}

enum vault_status vault_imds_v1_disabled(const struct vault_credential_query *query,
                                         const char **by)
{
    static const char property[] = "ec2_metadata_v1_disabled";
    struct vault_profile_set *set = NULL;
    struct vault_profile profile;
    const char *value;
    enum vault_status status;

    *by = NULL;
    if (vault_environment_set(query->environment, V1)) {
        if (is_true(query->environment, V1))
            *by = V1;
        return VAULT_OK;
    }
    status = vault_profile_open(query, &set, &profile);
    value = status == VAULT_OK ? vault_profile_get(&profile, property) : NULL;
    if (value && strcasecmp(value, "true") == 0)
        *by = property;
    vault_profile_set_free(set);
    return status;
}
