/* credentials - a credential, and the one the environment holds.
 *
 * For:   what credentials.h promises.
 * Never: a text of a credential in a message.
 */
#include "credentials.h"

#include <string.h>

#define PART_MAX  4096
#define TOKEN_MAX 16384

void vault_credential_clear(struct vault_credential *credential)
{
    vault_free(credential->access_key_id);
    vault_free(credential->secret_access_key);
    vault_free(credential->session_token);
    *credential = (struct vault_credential){0};
}

/* These texts go into headers and signatures: a line's end there would be another header. */
static enum vault_status check_part(const char *part, const char *text, size_t most,
                                    struct vault_message *why)
{
    size_t length = text ? strlen(text) : 0;

    if (length == 0) {
        vault_message_add(why, "the %s is empty", part);
        return VAULT_BAD_CONFIG;
    }
    if (length > most) {
        vault_message_add(why, "the %s is over %zu bytes", part, most);
        return VAULT_BAD_CONFIG;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] < 0x21 || text[i] > 0x7e) {
            vault_message_add(why, "the %s holds white space or a byte that is not printable ASCII",
                              part);
            return VAULT_BAD_CONFIG;
        }
    }
    return VAULT_OK;
}

static enum vault_status copy_part(char **into, const char *text)
{
    *into = vault_copy(text, strlen(text));
    return *into ? VAULT_OK : VAULT_NO_MEMORY;
}

enum vault_status vault_credential_set(struct vault_credential *credential,
                                       const char *access_key_id, const char *secret_access_key,
                                       const char *session_token, const char *source,
                                       struct vault_message *why)
{
    struct vault_credential made = {.source = source};
    bool has_token = session_token && *session_token;
    enum vault_status status = check_part("access key id", access_key_id, PART_MAX, why);

    if (status == VAULT_OK)
        status = check_part("secret access key", secret_access_key, PART_MAX, why);
    if (status == VAULT_OK && has_token)
        status = check_part("session token", session_token, TOKEN_MAX, why);
    if (status == VAULT_OK)
        status = copy_part(&made.access_key_id, access_key_id);
    if (status == VAULT_OK)
        status = copy_part(&made.secret_access_key, secret_access_key);
    if (status == VAULT_OK && has_token)
        status = copy_part(&made.session_token, session_token);
    if (status == VAULT_OK) {
        vault_credential_clear(credential);
        *credential = made;
        made = (struct vault_credential){0};
    }
    vault_credential_clear(&made);
    return status;
}

static enum vault_status environment_lacks(const char *missing, const char *value,
                                           const char *present, struct vault_message *why)
{
    vault_message_add(why, "%s is %s", missing, value ? "empty" : "not set");
    if (present)
        vault_message_add(why, " although %s is set", present);
    return VAULT_NOT_CONFIGURED;
}

enum vault_status vault_environment_keys(const struct vault_credential_query *query,
                                         struct vault_credential *credential,
                                         struct vault_message *why)
{
    static const char id_name[] = "AWS_ACCESS_KEY_ID", secret_name[] = "AWS_SECRET_ACCESS_KEY";
    const char *id = vault_environment_get(query->environment, id_name);
    const char *secret = vault_environment_get(query->environment, secret_name);
    const char *token = vault_environment_get(query->environment, "AWS_SESSION_TOKEN");
    bool has_id = id && *id, has_secret = secret && *secret;
    enum vault_status status;

    if (!has_id)
        return environment_lacks(id_name, id, has_secret ? secret_name : NULL, why);
    if (!has_secret)
        return environment_lacks(secret_name, secret, id_name, why);
    status = vault_credential_set(credential, id, secret, token, "environment", why);
    if (status == VAULT_BAD_CONFIG)
        vault_message_add(why, " (environment: AWS_ACCESS_KEY_ID and what goes with it)");
    return status;
}
