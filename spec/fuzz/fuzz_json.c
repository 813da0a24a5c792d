/* fuzz_json - vault_json_members, vault_json_extract, vault_json_unescape, vault_json_quote.
 *
 * For:   input is one byte (length of the key, 0..15), the key, the text. What one function says
 * must agree with what the others say, and a value must survive being quoted and read again. Never:
 * speed.
 */
#include <stdlib.h>
#include <string.h>

#include "json_extract.h"

#define LIMIT (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool held)
{
    if (!held)
        abort();
}

static void check_members(const char *text, size_t length, const char *key, size_t key_length)
{
    struct vault_json_member member = {.key = key, .key_length = key_length};
    size_t offset = 0;
    size_t offset_of_none = 0;
    enum vault_status of_none = vault_json_members(text, length, NULL, 0, &offset_of_none);
    enum vault_status status = vault_json_members(text, length, &member, 1, &offset);

    must(offset <= length && offset_of_none <= length);
    /* a wanted key can only add VAULT_JSON_DUPLICATE */
    must(status == VAULT_JSON_DUPLICATE || (status == of_none && offset == offset_of_none));
    if (status != VAULT_OK || member.type == VAULT_JSON_ABSENT)
        return;
    must(member.text > text && member.length < length);
    must(member.text + member.length < text + length);
    if (member.type != VAULT_JSON_STRING)
        must(member.length > 0);
}

/* {"<key>":"<value>"}, quoted by us, gives the value back; so does the text in white space. */
static void check_again(const char *text, size_t length, const char *key, size_t key_length,
                        const struct vault_buffer *value)
{
    struct vault_buffer again, out;

    vault_buffer_init(&again, 8 * LIMIT);
    vault_buffer_init(&out, LIMIT);
    must(vault_buffer_text(&again, "{") == VAULT_OK);
    must(vault_json_quote(key, key_length, &again) == VAULT_OK);
    must(vault_buffer_text(&again, ":") == VAULT_OK);
    must(vault_json_quote(value->data, value->length, &again) == VAULT_OK);
    must(vault_buffer_text(&again, "}") == VAULT_OK);
    must(vault_json_extract(again.data, again.length, key, key_length, &out, NULL, NULL) ==
         VAULT_OK);
    must(out.length == value->length && memcmp(out.data, value->data, out.length) == 0);

    vault_buffer_clear(&again);
    vault_buffer_clear(&out);
    must(vault_buffer_text(&again, " \t\r\n") == VAULT_OK);
    must(vault_buffer_append(&again, text, length) == VAULT_OK);
    must(vault_buffer_text(&again, " \t\r\n") == VAULT_OK);
    must(vault_json_extract(again.data, again.length, key, key_length, &out, NULL, NULL) ==
         VAULT_OK);
    must(out.length == value->length && memcmp(out.data, value->data, out.length) == 0);
    vault_buffer_free(&again);
    vault_buffer_free(&out);
}

static void check_extract(const char *text, size_t length, const char *key, size_t key_length)
{
    enum vault_json_type type = VAULT_JSON_ABSENT;
    struct vault_buffer out;
    size_t offset = 0;

    vault_buffer_init(&out, LIMIT);
    enum vault_status status =
        vault_json_extract(text, length, key, key_length, &out, &type, &offset);

    must(offset <= length);
    must(status == VAULT_OK || (out.data == NULL && out.length == 0));
    must((status == VAULT_OK) == (type == VAULT_JSON_STRING));
    if (status == VAULT_OK) {
        must(out.length <= length && out.data[out.length] == '\0');
        check_again(text, length, key, key_length, &out);
    }
    vault_buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > LIMIT)
        return 0;
    size_t key_length = data[0] & 15u;
    if (size - 1 < key_length)
        return 0;
    const char *key = (const char *)data + 1;
    const char *text = key + key_length;
    size_t length = size - 1 - key_length;

    check_members(text, length, key, key_length);
    check_extract(text, length, key, key_length);
    return 0;
}
