/* command_line - a command, as people write it into a file, taken apart into words.
 *
 * For:   what command_line.h promises.
 * Never: a byte of the command in a message: it may hold a password.
 */
#include "command_line.h"

#include <stdbool.h>
#include <string.h>

struct reader {
    const char *text;
    size_t at;  /* of the next byte */
    char *into; /* room for as many bytes as `text` has, and one */
    size_t length;
    unsigned count; /* words */
    bool in_word;
    char quote;         /* the one that is open, or NUL */
    size_t quote_start; /* where it was opened */
    struct vault_message *why;
};

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

/* Bytes over 0x7e are file names in UTF-8. */
static bool is_control(char byte)
{
    return byte == 0x7f || ((unsigned char)byte < 0x20 && byte != '\t');
}

static enum vault_status amiss(struct reader *reader, const char *what, size_t at)
{
    vault_message_add(reader->why, "%s at byte %zu", what, at + 1);
    return VAULT_BAD_CONFIG;
}

/* Whether a backslash here is one that keeps the next byte. */
static bool is_escape(const struct reader *reader)
{
    char next = reader->text[reader->at + 1];

    if (reader->text[reader->at] != '\\' || reader->quote == '\'')
        return false;
    return reader->quote == '\0' || next == '"' || next == '\\';
}

static enum vault_status put(struct reader *reader, char byte)
{
    if (!reader->in_word && ++reader->count > VAULT_COMMAND_WORDS_MAX) {
        vault_message_add(reader->why, "more than %d words", VAULT_COMMAND_WORDS_MAX);
        return VAULT_BAD_CONFIG;
    }
    reader->in_word = true;
    if (byte != '\0')
        reader->into[reader->length++] = byte;
    return VAULT_OK;
}

static void end_word(struct reader *reader)
{
    if (reader->in_word)
        reader->into[reader->length++] = '\0';
    reader->in_word = false;
}

static enum vault_status take_escape(struct reader *reader)
{
    reader->at++;
    if (reader->text[reader->at] == '\0')
        return amiss(reader, "nothing follows the backslash", reader->at - 1);
    if (is_control(reader->text[reader->at]))
        return amiss(reader, "a control byte", reader->at);
    return put(reader, reader->text[reader->at]);
}

static enum vault_status take_quote(struct reader *reader)
{
    if (reader->quote) {
        reader->quote = '\0';
        return VAULT_OK;
    }
    reader->quote = reader->text[reader->at];
    reader->quote_start = reader->at;
    return put(reader, '\0'); /* "" is a word too */
}

static enum vault_status take(struct reader *reader)
{
    char byte = reader->text[reader->at];

    if (is_control(byte))
        return amiss(reader, "a control byte", reader->at);
    if (is_escape(reader))
        return take_escape(reader);
    if (reader->quote ? byte == reader->quote : byte == '"' || byte == '\'')
        return take_quote(reader);
    if (!reader->quote && is_blank(byte)) {
        end_word(reader);
        return VAULT_OK;
    }
    return put(reader, byte);
}

static enum vault_status split(struct reader *reader)
{
    enum vault_status status;

    for (; reader->text[reader->at]; reader->at++) {
        status = take(reader);
        if (status != VAULT_OK)
            return status;
    }
    if (reader->quote)
        return amiss(reader, "no end of the quote", reader->quote_start);
    end_word(reader);
    if (reader->count == 0 || reader->into[0] == '\0') {
        vault_message_add(reader->why, "%s",
                          reader->count ? "the first word is empty" : "there is no word");
        return VAULT_BAD_CONFIG;
    }
    return VAULT_OK;
}

enum vault_status vault_command_line_split(const char *text, struct vault_buffer *words,
                                           struct vault_message *why)
{
    size_t room = strlen(text) + 1; /* quotes and blanks make up for the NULs, but for the last */
    enum vault_status status;
    struct reader reader = {
        .text = text,
        .into = vault_buffer_reserve(words, room, &status),
        .why = why,
    };

    if (!reader.into)
        return status;
    status = split(&reader);
    if (status == VAULT_OK)
        words->length += reader.length;
    else
        vault_wipe(reader.into, reader.length);
    words->data[words->length] = '\0';
    return status;
}
