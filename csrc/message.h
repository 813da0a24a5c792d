/* message - the sentence for people that goes with a status.
 *
 * For:   building one bounded line of text; bytes from outside go in escaped, so that a name or an
 *        answer can neither forge a log line nor fill the log.
 * Never: secrets, credentials, response bodies. Whoever adds text answers for that.
 */
#ifndef VAULT_MESSAGE_H
#define VAULT_MESSAGE_H

#include <stddef.h>

#define VAULT_MESSAGE_MAX 2048

struct vault_message {
    size_t length;
    char text[VAULT_MESSAGE_MAX]; /* always ends in NUL */
};

/* Make `message` empty. Needed before first use; {0} does as well. */
void vault_message_clear(struct vault_message *message);

/* Append like printf. Only constant text, numbers and words of this library: anything else goes
 * through vault_message_quote. What does not fit is cut off. */
__attribute__((format(printf, 2, 3))) void vault_message_add(struct vault_message *message,
                                                             const char *format, ...);

/* Append at most `most` of the `length` bytes, printable ASCII as it is, backslash and all else as
 * \\ or \xNN; "..." where bytes were left out. */
void vault_message_quote(struct vault_message *message, const char *bytes, size_t length,
                         size_t most);

#endif
