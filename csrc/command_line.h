/* command_line - a command, as people write it into a file, taken apart into words.
 *
 * For:   the words of a credential_process without a shell: blanks part them, 'single quotes' keep
 *        all, "double quotes" keep blanks, a backslash keeps the next byte (inside double quotes
 *        only a '"' or another backslash).
 * Never: variables, wildcards, pipes: whoever needs them names a shell.
 */
#ifndef VAULT_COMMAND_LINE_H
#define VAULT_COMMAND_LINE_H

#include "buffer.h"
#include "message.h"

#define VAULT_COMMAND_WORDS_MAX 64

/* Append the words of `text` to `words`, each ended by NUL. Unchanged unless VAULT_OK.
 * VAULT_OK, VAULT_BAD_CONFIG (`why`, without a byte of the text: no word, an empty first one, a
 * quote that is not closed, a backslash at the end, a control byte, too many words),
 * VAULT_TOO_LARGE (`text` is longer than what `words` may still hold), VAULT_NO_MEMORY. */
VAULT_MUST_CHECK enum vault_status
vault_command_line_split(const char *text, struct vault_buffer *words, struct vault_message *why);

#endif
