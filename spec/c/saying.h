/* saying - between messages and notes, for tests.
 *
 * For:   a planted text as a note; a note's text as a message that outlives it.
 * Never: what is said.
 */
#ifndef VAULT_TEST_SAYING_H
#define VAULT_TEST_SAYING_H

#include "note.h"

static inline void plant_note(struct vault_note *note, const char *text)
{
    struct vault_message message = {0};

    vault_message_add(&message, "%s", text);
    vault_note_set(note, &message);
}

static inline void copy_note(const struct vault_note *note, struct vault_message *message)
{
    vault_message_clear(message);
    vault_message_add(message, "%s", note->text);
}

#endif
