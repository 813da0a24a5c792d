/* fuzz_command_line - vault_command_line_split.
 *
 * For:   input is the text. Words hold no control byte but a tab, and no byte that the text has
 *        not; quoted in three ways they come out as they are. A refusal changes nothing, and says
 *        why in one printable line.
 * Never: speed.
 */
#include <stdlib.h>
#include <string.h>

#include "command_line.h"

#define TEXT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int held)
{
    if (!held)
        abort();
}

static void check_message(const struct vault_message *why)
{
    must(why->length > 0 && why->length < 80 && strlen(why->text) == why->length);
    for (size_t i = 0; i < why->length; i++)
        must(why->text[i] >= ' ' && why->text[i] <= '~');
}

static unsigned count_of(const struct vault_buffer *words)
{
    unsigned count = 0;

    for (size_t i = 0; i < words->length; i++)
        count += words->data[i] == '\0';
    return count;
}

static void check_words(const struct vault_buffer *words, const char *text)
{
    unsigned count = count_of(words);

    must(count >= 1 && count <= VAULT_COMMAND_WORDS_MAX);
    must(words->length <= strlen(text) + 1);
    must(words->data[0] != '\0' && words->data[words->length - 1] == '\0');
    must(words->data[words->length] == '\0');
    for (size_t i = 0; i < words->length; i++) {
        unsigned char byte = (unsigned char)words->data[i];

        must(byte == '\0' || byte == '\t' || (byte >= 0x20 && byte != 0x7f));
        must(byte == '\0' || strchr(text, byte) != NULL);
    }
}

static void add(struct vault_buffer *text, const char *piece)
{
    must(vault_buffer_text(text, piece) == VAULT_OK);
}

/* How each of the three ways writes a byte that is special in it. */
enum way { SINGLE, DOUBLE, BARE, WAYS };

static void add_byte(struct vault_buffer *text, enum way way, char byte)
{
    if (way == SINGLE && byte == '\'')
        add(text, "'\\''");
    else if (way == DOUBLE && (byte == '"' || byte == '\\'))
        must(vault_buffer_append(text, (const char[]){'\\', byte}, 2) == VAULT_OK);
    else if (way == BARE)
        must(vault_buffer_append(text, (const char[]){'\\', byte}, 2) == VAULT_OK);
    else
        must(vault_buffer_append(text, &byte, 1) == VAULT_OK);
}

static void add_word(struct vault_buffer *text, enum way way, const char *word)
{
    static const char *const marks[] = {[SINGLE] = "'", [DOUBLE] = "\"", [BARE] = ""};

    add(text, text->length ? " \t" : "");
    add(text, way == BARE && !*word ? "''" : marks[way]);
    for (; *word; word++)
        add_byte(text, way, *word);
    add(text, marks[way]);
}

static void check_again(const struct vault_buffer *words, enum way way)
{
    struct vault_buffer text, again;
    struct vault_message why = {0};

    vault_buffer_init(&text, 8 * TEXT_MAX);
    vault_buffer_init(&again, 8 * TEXT_MAX);
    for (size_t at = 0; at < words->length; at += strlen(words->data + at) + 1)
        add_word(&text, way, words->data + at);
    must(vault_command_line_split(text.data, &again, &why) == VAULT_OK);
    must(again.length == words->length && memcmp(again.data, words->data, again.length) == 0);
    vault_buffer_free(&text);
    vault_buffer_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TEXT_MAX];
    struct vault_message why = {0};
    struct vault_buffer words;
    enum vault_status status;

    if (size >= sizeof text)
        return 0;
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    vault_buffer_init(&words, 2 * TEXT_MAX);
    must(vault_buffer_append(&words, "before", 7) == VAULT_OK);
    status = vault_command_line_split(text, &words, &why);
    must(memcmp(words.data, "before", 7) == 0);
    if (status == VAULT_OK) {
        vault_buffer_clear(&words);
        must(vault_command_line_split(text, &words, &why) == VAULT_OK && why.length == 0);
        check_words(&words, text);
        for (enum way way = SINGLE; way < WAYS; way++)
            check_again(&words, way);
    } else {
        must(status == VAULT_BAD_CONFIG && words.length == 7 && words.data[7] == '\0');
        check_message(&why);
    }
    vault_buffer_free(&words);
    return 0;
}
