/* credential_json - a credential out of the members of a JSON object.
 *
 * For:   what credential_json.h promises.
 * Never: a byte of a key or a token in a message.
 */
#include "credential_json.h"

#include <string.h>

#include "iso8601.h"

#define MEMBERS_MAX 3

static enum vault_status amiss(const struct vault_json_member *member, const char *text,
                               struct vault_message *why)
{
    vault_message_add(why, "%s %s", member->key, text);
    return VAULT_BAD_RESPONSE;
}

bool vault_json_lacks(const struct vault_json_member *member)
{
    return member->type == VAULT_JSON_ABSENT || member->type == VAULT_JSON_NULL ||
           (member->type == VAULT_JSON_STRING && member->length == 0);
}

enum vault_status vault_json_part(const struct vault_json_member *member, struct vault_buffer *part,
                                  struct vault_message *why)
{
    enum vault_status status;

    if (vault_json_lacks(member))
        return amiss(member, "is absent or empty", why);
    if (member->type != VAULT_JSON_STRING)
        return amiss(member, "is not a string", why);
    status = vault_json_unescape(member->text, member->length, part);
    if (status == VAULT_TOO_LARGE)
        return amiss(member, "is too long", why);
    if (status == VAULT_OK && strlen(part->data) != part->length)
        return amiss(member, "holds a NUL", why);
    return status;
}

enum vault_status vault_json_time(const struct vault_json_member *member, int64_t *seconds,
                                  struct vault_message *why)
{
    struct vault_buffer text;
    enum vault_status status;

    vault_buffer_init(&text, VAULT_CREDENTIAL_PART_MAX);
    status = vault_json_part(member, &text, why);
    if (status == VAULT_OK && !vault_iso8601_read(text.data, text.length, seconds))
        status = amiss(member, "is not a time", why);
    vault_buffer_free(&text);
    return status;
}

enum vault_status vault_credential_json(const struct vault_json_member *members, size_t count,
                                        const char *source, struct vault_credential *credential,
                                        struct vault_message *why)
{
    struct vault_buffer parts[MEMBERS_MAX];
    enum vault_status status = VAULT_OK;

    for (size_t i = 0; i < MEMBERS_MAX; i++)
        vault_buffer_init(&parts[i], VAULT_CREDENTIAL_PART_MAX);
    for (size_t i = 0; i < count && i < MEMBERS_MAX && status == VAULT_OK; i++)
        status = vault_json_part(&members[i], &parts[i], why);
    if (status == VAULT_OK)
        status = vault_credential_set(credential, parts[0].data, parts[1].data, parts[2].data,
                                      source, why);
    for (size_t i = 0; i < MEMBERS_MAX; i++)
        vault_buffer_free(&parts[i]);
    return status == VAULT_BAD_CONFIG ? VAULT_BAD_RESPONSE : status;
}
