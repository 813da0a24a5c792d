/* message - the sentence for people that goes with a status.
 *
 * For:   what message.h promises.
 * Never: allocation, so that "out of memory" can be said as well.
 */
#include "message.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void vault_message_clear(struct vault_message *message)
{
    message->length = 0;
    message->text[0] = '\0';
}

void vault_message_add(struct vault_message *message, const char *format, ...)
{
    size_t room = sizeof message->text - message->length;
    va_list arguments;
    int wanted;

    va_start(arguments, format);
    wanted = vsnprintf(message->text + message->length, room, format, arguments);
    va_end(arguments);
    if (wanted < 0)
        message->text[message->length] = '\0';
    else
        message->length += (size_t)wanted < room ? (size_t)wanted : room - 1;
}

static void add_byte(struct vault_message *message, unsigned char byte)
{
    if (byte == '\\')
        vault_message_add(message, "\\\\");
    else if (byte < 0x20 || byte > 0x7e)
        vault_message_add(message, "\\x%02X", byte);
    else if (message->length + 1 < sizeof message->text) {
        message->text[message->length++] = (char)byte;
        message->text[message->length] = '\0';
    }
}

void vault_message_quote(struct vault_message *message, const char *bytes, size_t length,
                         size_t most)
{
    size_t shown = length < most ? length : most;

    for (size_t i = 0; i < shown; i++)
        add_byte(message, (unsigned char)bytes[i]);
    if (shown < length)
        vault_message_add(message, "...");
}
