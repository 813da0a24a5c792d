/* note - a message that is kept.
 *
 * For:   what was amiss, for as long as what it was amiss with lives: its own bytes and no more, so
 *        that where nothing is amiss there is nothing to clear and to wipe.
 * Never: building a message (message), what it says.
 */
#ifndef VAULT_NOTE_H
#define VAULT_NOTE_H

#include "message.h"

struct vault_note {
    const char *text; /* never NULL; "" for none */
    size_t length;
    char *bytes; /* the note's own, NULL where there are none */
};

/* Empty. */
void vault_note_init(struct vault_note *note);

/* Keep a copy of `message`, in the place of what was kept. Where there is no memory for it, it says
 * that. */
void vault_note_set(struct vault_note *note, const struct vault_message *message);

/* Wipe and free; empty again. */
void vault_note_clear(struct vault_note *note);

#endif
