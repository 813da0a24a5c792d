/* note - a message that is kept.
 *
 * For:   what note.h promises.
 * Never: building a message, what it says.
 */
#include "note.h"

#include <string.h>

#include "buffer.h"

void vault_note_init(struct vault_note *note)
{
    *note = (struct vault_note){.text = ""};
}

void vault_note_set(struct vault_note *note, const struct vault_message *message)
{
    vault_note_clear(note);
    if (message->length == 0)
        return;
    note->bytes = vault_copy(message->text, message->length);
    note->text = note->bytes ? note->bytes : vault_status_row(VAULT_NO_MEMORY)->sentence;
    note->length = strlen(note->text);
}

void vault_note_clear(struct vault_note *note)
{
    vault_free(note->bytes);
    vault_note_init(note);
}
