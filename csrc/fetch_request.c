/* fetch_request - what a fetch is asked to get, and a copy of it that a fetch keeps.
 *
 * For:   what fetch_request.h promises.
 * Never: what is made of them, references, settings.
 */
#include "fetch_request.h"

#include <string.h>

#define NAME_SHOWN 256

static enum vault_status copy_text(const char *text, char **copy)
{
    if (!text || !*text)
        return VAULT_OK;
    *copy = vault_copy(text, strlen(text));
    return *copy ? VAULT_OK : VAULT_NO_MEMORY;
}

enum vault_status vault_fetch_copy_make(const struct vault_fetch_request *request,
                                        struct vault_fetch_copy *copy)
{
    enum vault_status status = VAULT_NO_MEMORY;

    *copy = (struct vault_fetch_copy){.secret_id_length = request->secret_id_length};
    vault_buffer_init(&copy->region, VAULT_FETCH_REGION_MAX);
    copy->secret_id = vault_copy(request->secret_id, request->secret_id_length);
    if (copy->secret_id)
        status = copy_text(request->stage, &copy->stage);
    if (status == VAULT_OK)
        status = copy_text(request->endpoint_url, &copy->endpoint_url);
    if (status == VAULT_OK && request->region)
        status = vault_buffer_text(&copy->region, request->region);
    if (status == VAULT_OK)
        status = vault_identity_copy(&request->caller, copy->texts, &copy->caller);
    return status;
}

void vault_fetch_copy_say(const struct vault_fetch_copy *copy, struct vault_message *message)
{
    vault_message_add(message, "secret \"");
    vault_message_quote(message, copy->secret_id, copy->secret_id_length, NAME_SHOWN);
    vault_message_add(message, "\"");
    if (copy->region.length == 0)
        return;
    vault_message_add(message, " in ");
    vault_message_quote(message, copy->region.data, copy->region.length, VAULT_FETCH_REGION_MAX);
}

void vault_fetch_copy_forget_caller(struct vault_fetch_copy *copy)
{
    vault_identity_forget(copy->texts);
    copy->caller = (struct vault_identity_request){0};
}

void vault_fetch_copy_free(struct vault_fetch_copy *copy)
{
    vault_free(copy->secret_id);
    vault_free(copy->stage);
    vault_free(copy->endpoint_url);
    vault_buffer_free(&copy->region);
    vault_fetch_copy_forget_caller(copy);
}
