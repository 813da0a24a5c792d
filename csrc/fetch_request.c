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

/* One allocation: the ids, and behind them their bytes. */
static enum vault_status copy_batch(const struct vault_fetch_request *request,
                                    struct vault_fetch_copy *copy)
{
    size_t room = request->batch_count * sizeof *copy->batch;
    char *bytes;

    if (request->batch_count == 0)
        return VAULT_OK;
    for (size_t i = 0; i < request->batch_count; i++)
        room += request->batch[i].length;
    copy->batch = vault_alloc(room);
    if (!copy->batch)
        return VAULT_NO_MEMORY;
    copy->batch_count = request->batch_count;
    bytes = (char *)(copy->batch + copy->batch_count);
    for (size_t i = 0; i < copy->batch_count; i++) {
        copy->batch[i] = (struct vault_secret_id){bytes, request->batch[i].length};
        if (copy->batch[i].length)
            memcpy(bytes, request->batch[i].text, copy->batch[i].length);
        bytes += copy->batch[i].length;
    }
    return VAULT_OK;
}

enum vault_status vault_fetch_copy_make(const struct vault_fetch_request *request,
                                        struct vault_fetch_copy *copy)
{
    enum vault_status status = VAULT_NO_MEMORY;

    *copy = (struct vault_fetch_copy){.secret_id_length = request->secret_id_length};
    vault_buffer_init(&copy->region, VAULT_FETCH_REGION_MAX);
    copy->secret_id =
        vault_copy(request->secret_id ? request->secret_id : "", request->secret_id_length);
    if (copy->secret_id)
        status = copy_batch(request, copy);
    if (status == VAULT_OK)
        status = copy_text(request->stage, &copy->stage);
    if (status == VAULT_OK)
        status = copy_text(request->endpoint_url, &copy->endpoint_url);
    if (status == VAULT_OK && request->region)
        status = vault_buffer_text(&copy->region, request->region);
    if (status == VAULT_OK)
        status = vault_identity_copy(&request->caller, copy->texts, &copy->caller);
    return status;
}

static void say_secret(const char *id, size_t length, struct vault_message *message)
{
    vault_message_add(message, "secret \"");
    vault_message_quote(message, id, length, NAME_SHOWN);
    vault_message_add(message, "\"");
}

static void say_region(const struct vault_fetch_copy *copy, struct vault_message *message)
{
    if (copy->region.length == 0)
        return;
    vault_message_add(message, " in ");
    vault_message_quote(message, copy->region.data, copy->region.length, VAULT_FETCH_REGION_MAX);
}

void vault_fetch_copy_say(const struct vault_fetch_copy *copy, struct vault_message *message)
{
    if (copy->batch_count > 0)
        vault_message_add(message, "batch of %zu secret%s", copy->batch_count,
                          copy->batch_count > 1 ? "s" : "");
    else
        say_secret(copy->secret_id, copy->secret_id_length, message);
    say_region(copy, message);
}

void vault_fetch_copy_say_one(const struct vault_fetch_copy *copy, size_t index,
                              struct vault_message *message)
{
    say_secret(copy->batch[index].text, copy->batch[index].length, message);
    say_region(copy, message);
}

void vault_fetch_copy_forget_caller(struct vault_fetch_copy *copy)
{
    vault_identity_forget(copy->texts);
    copy->caller = (struct vault_identity_request){0};
}

void vault_fetch_copy_free(struct vault_fetch_copy *copy)
{
    vault_free(copy->secret_id);
    vault_free(copy->batch);
    vault_free(copy->stage);
    vault_free(copy->endpoint_url);
    vault_buffer_free(&copy->region);
    vault_fetch_copy_forget_caller(copy);
}
