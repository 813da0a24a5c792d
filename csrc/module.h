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

/* The string field `name` of the table at `index`, or NULL where it is nil; borrowed as long as the
 * table. Raises for another type. `length` may be NULL; without it a NUL byte inside raises too. */
const char *vault_field_text(lua_State *state, int index, const char *name, size_t *length);

/* The number field `name`, or `otherwise` where it is nil. Raises for another type. */
lua_Number vault_field_number(lua_State *state, int index, const char *name, lua_Number otherwise);

/* Push a new port as a userdata with its methods. Raises without memory. */
void vault_push_port(lua_State *state);

/* core.run(request, settings) -> result | nil, message, word */
int vault_lua_run(lua_State *state);

#endif
