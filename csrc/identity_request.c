/* identity_request - what decides who asks, as texts.
 *
 * For:   what identity_request.h promises.
 * Never: what comes of them, the cache.
 */
#include "identity_request.h"

#include <string.h>

static void texts_of(const struct vault_identity_request *request,
                     const char *texts[VAULT_IDENTITY_TEXTS])
{
    const char *const given[VAULT_IDENTITY_TEXTS] = {
        request->access_key_id, request->secret_access_key, request->session_token,
        request->region,        request->assume_role_arn,   request->role_session_name,
        request->external_id,   request->sts_endpoint_url,
    };

    for (size_t i = 0; i < VAULT_IDENTITY_TEXTS; i++)
        texts[i] = given[i] && *given[i] ? given[i] : NULL;
}

static struct vault_identity_request made_of(const char *const texts[VAULT_IDENTITY_TEXTS])
{
    return (struct vault_identity_request){texts[0], texts[1], texts[2], texts[3],
                                           texts[4], texts[5], texts[6], texts[7]};
}

struct vault_identity_request vault_identity_plain(const struct vault_identity_request *request)
{
    const char *texts[VAULT_IDENTITY_TEXTS];

    texts_of(request, texts);
    return made_of(texts);
}

enum vault_status vault_identity_copy(const struct vault_identity_request *from,
                                      char *texts[VAULT_IDENTITY_TEXTS],
                                      struct vault_identity_request *to)
{
    const char *given[VAULT_IDENTITY_TEXTS];

    texts_of(from, given);
    for (size_t i = 0; i < VAULT_IDENTITY_TEXTS; i++) {
        if (given[i] && !(texts[i] = vault_copy(given[i], strlen(given[i]))))
            return VAULT_NO_MEMORY;
        given[i] = texts[i];
    }
    *to = made_of(given);
    return VAULT_OK;
}

void vault_identity_forget(char *texts[VAULT_IDENTITY_TEXTS])
{
    for (size_t i = 0; i < VAULT_IDENTITY_TEXTS; i++) {
        vault_free(texts[i]);
        texts[i] = NULL;
    }
}

enum vault_status vault_identity_key(const struct vault_identity_request *request,
                                     struct vault_buffer *key)
{
    const char *texts[VAULT_IDENTITY_TEXTS];
    enum vault_status status = VAULT_OK;
    uint32_t length;

    texts_of(request, texts);
    for (size_t i = 0; i < VAULT_IDENTITY_TEXTS && status == VAULT_OK; i++) {
        length = texts[i] ? (uint32_t)strlen(texts[i]) + 1 : 0;
        status = vault_buffer_append(key, &length, sizeof length);
        if (status == VAULT_OK && texts[i])
            status = vault_buffer_append(key, texts[i], length - 1);
    }
    return status;
}
