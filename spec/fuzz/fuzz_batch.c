/* fuzz_batch - vault_secretsmanager_read_batch, vault_json_elements_next.
 *
 * For:   input is the ids, each ended by a line feed, at most VAULT_BATCH_MAX, the last by two;
 *        then the answer's body. A result is whole or nothing; each id has a whole secret or a
 *        printable reason; an ARN never has the value of another. Elements lie in their array, in
 *        order, and each is JSON.
 * Never: speed.
 */
#include <stdlib.h>
#include <string.h>

#include "json_elements.h"
#include "secretsmanager_batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool held)
{
    if (!held)
        abort();
}

static void check_message(const struct vault_message *why)
{
    must(why->length < VAULT_MESSAGE_MAX && strlen(why->text) == why->length);
    for (size_t i = 0; i < why->length; i++)
        must(why->text[i] >= ' ' && why->text[i] <= '~');
}

static void check_entry(struct vault_secret_id id, const struct vault_batch_entry *entry)
{
    const struct vault_buffer *payload = &entry->secret.payload;

    must((unsigned)entry->status < VAULT_STATUS_COUNT && entry->status != VAULT_INTERNAL &&
         entry->status != VAULT_NO_MEMORY);
    check_message(&entry->why);
    must((entry->status == VAULT_OK) == (entry->why.length == 0));
    must((entry->status == VAULT_OK) == (payload->data != NULL));
    if (entry->status != VAULT_OK)
        return;
    must(payload->length <= VAULT_SECRET_MAX && payload->data[payload->length] == '\0');
    if (id.length > 4 && memcmp(id.text, "arn:", 4) == 0) {
        must(strncmp(entry->secret.arn.data, id.text, id.length) == 0);
        must(entry->secret.arn.length == id.length || entry->secret.arn.length == id.length + 7);
    }
}

static void check_answer(const struct vault_exchange *exchange, const struct vault_secret_id *ids,
                         size_t count)
{
    struct vault_batch batch = {0};
    struct vault_message why;
    enum vault_status status = vault_secretsmanager_read_batch(exchange, ids, count, &batch, &why);

    check_message(&why);
    must(status == VAULT_OK || status == VAULT_BAD_RESPONSE);
    must((status == VAULT_OK) == (why.length == 0));
    must(batch.count == (status == VAULT_OK ? count : 0));
    for (size_t i = 0; i < batch.count; i++)
        check_entry(ids[i], &batch.entries[i]);
    vault_batch_free(&batch);
}

/* An element wrapped up as an array's only one is JSON as well. */
static void check_element(const struct vault_json_member *element)
{
    struct vault_buffer alone;
    struct vault_json_member none;
    size_t quote = element->type == VAULT_JSON_STRING ? 1 : 0;

    vault_buffer_init(&alone, 1 << 20);
    if (vault_buffer_text(&alone, "{\"a\":") == VAULT_OK &&
        vault_buffer_append(&alone, element->text - quote, element->length + 2 * quote) ==
            VAULT_OK &&
        vault_buffer_text(&alone, "}") == VAULT_OK)
        must(vault_json_members(alone.data, alone.length, &none, 0, NULL) == VAULT_OK);
    vault_buffer_free(&alone);
}

static void check_elements(const struct vault_buffer *answer)
{
    struct vault_json_member list = {.key = "SecretValues", .key_length = 12}, element;
    struct vault_json_elements elements;
    size_t seen = 0;

    if (vault_json_members(answer->data, answer->length, &list, 1, NULL) != VAULT_OK)
        return;
    elements = vault_json_elements_of(&list);
    const char *behind = list.text;
    while (vault_json_elements_next(&elements, &element)) {
        must(element.type != VAULT_JSON_ABSENT && element.text > behind);
        behind = element.text + element.length;
        must(behind < list.text + list.length);
        if (seen++ < 20)
            check_element(&element);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data, *end = at + size;
    struct vault_secret_id ids[VAULT_BATCH_MAX];
    struct vault_exchange exchange;
    size_t count = 0;

    while (count < VAULT_BATCH_MAX && at < end && *at != '\n') {
        const char *stop = memchr(at, '\n', (size_t)(end - at));

        if (!stop)
            return 0;
        ids[count++] = (struct vault_secret_id){at, (size_t)(stop - at)};
        at = stop + 1;
    }
    if (count == 0 || at == end)
        return 0;
    at++;
    vault_exchange_init(&exchange);
    exchange.outcome = VAULT_OK;
    exchange.status = 200;
    if (vault_buffer_append(&exchange.answer, at, (size_t)(end - at)) == VAULT_OK) {
        check_answer(&exchange, ids, count);
        check_elements(&exchange.answer);
    }
    vault_exchange_free(&exchange);
    return 0;
}
