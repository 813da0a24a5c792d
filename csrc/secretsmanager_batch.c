/* secretsmanager_batch - up to twenty secrets by one call.
 *
 * For:   BatchGetSecretValue in AWS's JSON protocol 1.1. The answer is walked twice: first each id
 *        finds its element, then that alone is read.
 * Never: sockets, signing, retries, caching; what refusals mean (aws_error).
 */
#include "secretsmanager_batch.h"

#include <string.h>

#include "json_elements.h"

#define BODY_MAX   (VAULT_BATCH_MAX * (6 * VAULT_SECRET_ID_MAX + 3) + 64) /* each byte as \u00NN */
#define SUFFIX     7 /* what AWS puts behind a name in an ARN: a dash, six characters */
#define PART       ":secret:"
#define CODE_MAX   256
#define REFUSED_AT 400 /* the HTTP status that an error would have had alone */

/* How well an element of the answer fits an id. */
enum fit { FIT_NONE, FIT_BUT_FOR_SUFFIX, FIT_EXACT };

struct found {
    enum fit fit;
    bool refused; /* it is one of Errors */
    const char *text;
    size_t length;
};

struct search {
    const struct vault_secret_id *ids;
    size_t count;
    struct found found[VAULT_BATCH_MAX];
    struct vault_buffer arn, name; /* of the element at hand */
};

void vault_batch_free(struct vault_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        vault_secret_free(&batch->entries[i].secret);
    vault_free(batch->entries);
    *batch = (struct vault_batch){0};
}

static enum vault_status build_body(struct vault_buffer *body, const struct vault_secret_id *ids,
                                    size_t count)
{
    enum vault_status status = VAULT_OK;

    for (size_t i = 0; i < count && status == VAULT_OK; i++) {
        status = vault_buffer_text(body, i == 0 ? "{\"SecretIdList\":[" : ",");
        if (status == VAULT_OK)
            status = vault_secretsmanager_quote(body, ids[i].text, ids[i].length);
    }
    return status == VAULT_OK ? vault_buffer_text(body, "]}") : status;
}

enum vault_status vault_secretsmanager_ask_batch(struct vault_exchange *exchange,
                                                 const struct vault_secret_id *ids, size_t count)
{
    struct vault_buffer body;
    enum vault_status status;

    if (count == 0 || count > VAULT_BATCH_MAX)
        return VAULT_BAD_REFERENCE;
    for (size_t i = 0; i < count; i++) {
        if (ids[i].length == 0 || ids[i].length > VAULT_SECRET_ID_MAX)
            return VAULT_BAD_REFERENCE;
    }
    vault_buffer_init(&body, BODY_MAX);
    status = build_body(&body, ids, count);
    if (status == VAULT_OK)
        status = vault_secretsmanager_ask(exchange, "BatchGetSecretValue", &body);
    if (status == VAULT_OK)
        exchange->answer.limit = VAULT_BATCH_ANSWER_MAX;
    vault_buffer_free(&body);
    return status;
}

static enum fit fit_of(struct vault_secret_id id, const char *text, size_t length)
{
    if (length < id.length || memcmp(text, id.text, id.length) != 0)
        return FIT_NONE;
    if (length == id.length)
        return FIT_EXACT;
    return length == id.length + SUFFIX && text[id.length] == '-' ? FIT_BUT_FOR_SUFFIX : FIT_NONE;
}

static bool is_arn(const char *text, size_t length)
{
    return length > 4 && memcmp(text, "arn:", 4) == 0;
}

/* What AWS calls the id of an error may be the ARN where a name was asked for. */
static enum fit fit_of_arns_name(struct vault_secret_id id, const struct vault_buffer *arn)
{
    const char *part = memmem(arn->data, arn->length, PART, strlen(PART));
    const char *end = arn->data + arn->length;

    if (!part || fit_of(id, part + strlen(PART), (size_t)(end - part) - strlen(PART)) == FIT_NONE)
        return FIT_NONE;
    return FIT_BUT_FOR_SUFFIX;
}

static enum fit fit_of_element(const struct search *search, struct vault_secret_id id)
{
    const struct vault_buffer *arn = &search->arn, *name = &search->name;

    if (is_arn(id.text, id.length))
        return arn->length ? fit_of(id, arn->data, arn->length) : FIT_NONE;
    if (name->length && is_arn(name->data, name->length))
        return fit_of_arns_name(id, name);
    return name->length && fit_of(id, name->data, name->length) == FIT_EXACT ? FIT_EXACT : FIT_NONE;
}

/* Where it is no string, or longer than any id, it fits none: `text` stays empty. */
static enum vault_status read_id(const struct vault_json_member *member, struct vault_buffer *text)
{
    enum vault_status status = VAULT_OK;

    vault_buffer_clear(text);
    if (member->type == VAULT_JSON_STRING)
        status = vault_json_unescape(member->text, member->length, text);
    return status == VAULT_NO_MEMORY ? status : VAULT_OK;
}

static enum vault_status find_element(struct search *search,
                                      const struct vault_json_member *element, bool refused)
{
    struct vault_json_member members[] = {
        {.key = refused ? "SecretId" : "ARN", .key_length = refused ? 8 : 3},
        {.key = "Name", .key_length = 4},
    };
    enum vault_status status =
        vault_json_members(element->text, element->length, members, refused ? 1 : 2, NULL);

    if (status != VAULT_OK)
        return VAULT_OK; /* nobody can tell whose it is */
    status = read_id(&members[0], &search->arn);
    if (status == VAULT_OK)
        status = read_id(&members[refused ? 0 : 1], &search->name);
    for (size_t i = 0; i < search->count && status == VAULT_OK; i++) {
        enum fit fit = fit_of_element(search, search->ids[i]);

        if (fit > search->found[i].fit)
            search->found[i] = (struct found){fit, refused, element->text, element->length};
    }
    return status;
}

static enum vault_status find_elements(struct search *search, const struct vault_json_member *list,
                                       bool refused)
{
    struct vault_json_elements elements = vault_json_elements_of(list);
    struct vault_json_member element;
    enum vault_status status = VAULT_OK;

    while (status == VAULT_OK && vault_json_elements_next(&elements, &element))
        status = find_element(search, &element, refused);
    return status;
}

static enum vault_status find_all(struct search *search, const struct vault_buffer *answer,
                                  struct vault_message *why)
{
    struct vault_json_member lists[] = {
        {.key = "SecretValues", .key_length = 12},
        {.key = "Errors", .key_length = 6},
    };
    size_t offset = 0;
    enum vault_status status = vault_json_members(answer->data, answer->length, lists, 2, &offset);

    if (status != VAULT_OK)
        return vault_secretsmanager_not_json(status, offset, why);
    for (int i = 0; i < 2; i++) {
        if (lists[i].type != VAULT_JSON_ARRAY && lists[i].type != VAULT_JSON_ABSENT &&
            lists[i].type != VAULT_JSON_NULL) {
            vault_message_add(why, "HTTP 200: SecretValues or Errors is not an array");
            return VAULT_BAD_RESPONSE;
        }
    }
    status = find_elements(search, &lists[0], false);
    return status == VAULT_OK ? find_elements(search, &lists[1], true) : status;
}

static enum vault_status read_text(const struct vault_json_member *member,
                                   struct vault_buffer *text)
{
    if (member->type == VAULT_JSON_ABSENT || member->type == VAULT_JSON_NULL)
        return VAULT_OK;
    if (member->type != VAULT_JSON_STRING)
        return VAULT_BAD_RESPONSE;
    return vault_json_unescape(member->text, member->length, text);
}

/* The refusal as if it had come alone. */
static enum vault_status tell_refusal(const struct vault_exchange *exchange,
                                      const struct vault_buffer *code,
                                      const struct vault_buffer *message, struct vault_message *why)
{
    struct vault_exchange alone = *exchange; /* borrows what it holds */

    alone.status = REFUSED_AT;
    alone.error_type[0] = '\0';
    return vault_aws_tell_error(&alone, code, message, why);
}

/* Never OK. */
static enum vault_status read_refusal(const struct vault_exchange *exchange,
                                      const struct found *found, struct vault_message *why)
{
    struct vault_json_member members[] = {
        {.key = "ErrorCode", .key_length = 9},
        {.key = "Message", .key_length = 7},
    };
    struct vault_buffer code, message;
    enum vault_status status;

    vault_buffer_init(&code, CODE_MAX);
    vault_buffer_init(&message, VAULT_EXCHANGE_ANSWER_MAX);
    status = vault_json_members(found->text, found->length, members, 2, NULL);
    if (status == VAULT_OK)
        status = read_text(&members[0], &code);
    if (status == VAULT_OK)
        status = read_text(&members[1], &message);
    if (status == VAULT_OK && code.length > 0)
        status = tell_refusal(exchange, &code, &message, why);
    else if (status != VAULT_NO_MEMORY)
        status = VAULT_BAD_RESPONSE;
    if (why->length == 0)
        vault_message_add(why, "HTTP 200: the error for this secret is malformed");
    vault_buffer_free(&code);
    vault_buffer_free(&message);
    return status;
}

static void read_entry(const struct vault_exchange *exchange, const struct found *found,
                       struct vault_batch_entry *entry)
{
    if (found->fit == FIT_NONE) {
        entry->status = VAULT_BAD_RESPONSE;
        vault_message_add(&entry->why, "HTTP 200: the answer has nothing for this secret");
    } else if (found->refused) {
        entry->status = read_refusal(exchange, found, &entry->why);
    } else {
        entry->status = vault_secretsmanager_read_object(found->text, found->length, &entry->secret,
                                                         &entry->why);
    }
}

static enum vault_status open_batch(struct vault_batch *batch, size_t count)
{
    batch->entries = vault_alloc(count * sizeof *batch->entries);
    if (!batch->entries)
        return VAULT_NO_MEMORY;
    batch->count = count;
    for (size_t i = 0; i < count; i++)
        vault_secret_init(&batch->entries[i].secret);
    return VAULT_OK;
}

static enum vault_status read_entries(const struct vault_exchange *exchange,
                                      const struct search *search, struct vault_batch *batch)
{
    enum vault_status status = open_batch(batch, search->count);

    for (size_t i = 0; i < search->count && status == VAULT_OK; i++) {
        read_entry(exchange, &search->found[i], &batch->entries[i]);
        if (batch->entries[i].status == VAULT_NO_MEMORY)
            status = VAULT_NO_MEMORY;
    }
    return status;
}

enum vault_status vault_secretsmanager_read_batch(const struct vault_exchange *exchange,
                                                  const struct vault_secret_id *ids, size_t count,
                                                  struct vault_batch *batch,
                                                  struct vault_message *why)
{
    struct search search = {.ids = ids, .count = count};
    struct vault_batch fresh = {0};
    enum vault_status status;

    if (exchange->status != 200)
        return vault_aws_read_error(exchange, why);
    vault_message_clear(why);
    vault_buffer_init(&search.arn, VAULT_SECRET_ID_MAX);
    vault_buffer_init(&search.name, VAULT_SECRET_ID_MAX);
    status = find_all(&search, &exchange->answer, why);
    if (status == VAULT_OK)
        status = read_entries(exchange, &search, &fresh);
    vault_buffer_free(&search.arn);
    vault_buffer_free(&search.name);
    if (status == VAULT_OK) {
        vault_batch_free(batch);
        *batch = fresh;
    } else {
        vault_batch_free(&fresh);
    }
    return status;
}
