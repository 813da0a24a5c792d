/* module - what the files of the Lua border share.
 *
 * For:   reading option tables, pushing failures, what the module is put together of.
 * Never: decisions.
 */
#ifndef VAULT_MODULE_H
#define VAULT_MODULE_H

#include <lauxlib.h>
#include <lua.h>

#include "io_thread.h"

/* nil, message, word. `why` may be NULL or empty: then the table's sentence. Returns 3. */
int vault_push_failure(lua_State *state, enum vault_status status, const char *why);

/* Have `free_it` called when the userdata on top of the stack, of the C type `type`, is collected:
 * so a Lua error leaks nothing of what it holds. */
void vault_set_gc(lua_State *state, const char *type, lua_CFunction free_it);

/* The string field `name` of the table at `index`, or NULL where it is nil; borrowed as long as the
 * table. Raises for another type. `length` may be NULL; without it a NUL byte inside raises too. */
const char *vault_field_text(lua_State *state, int index, const char *name, size_t *length);

/* The number field `name`, or `otherwise` where it is nil. Raises for another type. */
lua_Number vault_field_number(lua_State *state, int index, const char *name, lua_Number otherwise);

/* Append the string that is member `key` of the JSON object `text` to `out`, as vault_json_extract;
 * `why` receives what is amiss: a sentence, the member's type, where it is; never a byte of it. */
VAULT_MUST_CHECK enum vault_status vault_extract(const char *text, size_t length, const char *key,
                                                 size_t key_length, struct vault_buffer *out,
                                                 struct vault_message *why);

/* Read the request table at `index` and the settings table after it; borrowed from them. Raises for
 * what is malformed. Leaves values on the stack that have to stay there as long. */
void vault_read_request(lua_State *state, int index, struct vault_fetch_request *request,
                        struct vault_engine_settings *settings);

/* Read field `batch` of the request table at `index`, where it is not nil: a list of 1 to 20
 * strings. Leaves a value on the stack, and raises, as vault_read_request. */
void vault_read_batch(lua_State *state, int index, struct vault_fetch_request *request);

/* Push { payload, binary, version_id, arn }. */
void vault_push_secret(lua_State *state, const struct vault_secret *secret);

/* Push { entries = { .. } }: for each id a secret's table, or { word, message }. */
void vault_push_batch(lua_State *state, const struct vault_batch *batch);

/* Push a userdata with room for a fetch, which it frees when it is collected: a Lua error leaks
 * nothing. Who frees the fetch sets it to NULL. */
struct vault_fetch **vault_push_fetch(lua_State *state);

/* Push a new port as a userdata with its methods. Raises without memory. */
void vault_push_port(lua_State *state);

/* core.run(request, settings) -> result | nil, message, word */
int vault_lua_run(lua_State *state);

/* core.explain(request, settings) -> how it went, without the value | nil, message, word */
int vault_lua_explain(lua_State *state);

/* core.credentials() -> { { source, expires (seconds since 1970; 0: never) }, .. }: what this
 * process keeps and will renew */
int vault_lua_credentials(lua_State *state);

/* core.credential_files(ca_file?) -> { { path, readable, of_profile, name, lost }, .. }, user |
 * nil, message, word: what credential_files.h lists for this process, and the number of its user */
int vault_lua_credential_files(lua_State *state);

/* core.readable(path) -> boolean: whether this process may read that file */
int vault_lua_readable(lua_State *state);

/* core.replaceable(path) -> boolean: whether this process may write into that file's folder */
int vault_lua_replaceable(lua_State *state);

/* core.read_file(path) -> text | nil, message, word: a regular file of 1 MB at most */
int vault_lua_read_file(lua_State *state);

/* core.replace_file(path, text) -> true | nil, message, word: what atomic_file.h promises */
int vault_lua_replace_file(lua_State *state);

/* core.process() -> number of this process, when it began (ticks since the system booted; 0: not
 * known) */
int vault_lua_process(lua_State *state);

/* core.is_alive(pid, started) -> boolean: whether that very process still lives; 0 for `started`:
 * whether one of that number does */
int vault_lua_is_alive(lua_State *state);

/* core.variables(starts) -> { { name, value }, .. }: the variables of the environment whose value
 * begins, in upper or lower case, with one of the texts in the list */
int vault_lua_variables(lua_State *state);

/* core.exec(words, entries, without?): this process becomes the program words[1]; see program_exec.
 * Its environment: this process's, with the list `entries` ("NAME=value") in the place of those of
 * these names, and without what else begins with `without`. Where it returns: nil, message, word */
int vault_lua_exec(lua_State *state);

/* core.equal(left, right) -> whether the two strings are the same, in a time that tells nothing of
 * them but their lengths */
int vault_lua_equal(lua_State *state);

#endif
