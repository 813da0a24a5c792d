/* module_values - values across the Lua border: failures out, fields of option tables in.
 *
 * For:   what all files of the border do alike; comparing texts.
 * Never: what a field means.
 */
#include "module.h"

#include <string.h>

#include "buffer.h"
#include "json_extract.h"

int vault_push_failure(lua_State *state, enum vault_status status, const char *why)
{
    const struct vault_status_row *row = vault_status_row(status);

    lua_pushnil(state);
    lua_pushstring(state, why && *why ? why : row->sentence);
    lua_pushstring(state, row->word);
    return 3;
}

void vault_set_gc(lua_State *state, const char *type, lua_CFunction free_it)
{
    if (luaL_newmetatable(state, type)) {
        lua_pushcfunction(state, free_it);
        lua_setfield(state, -2, "__gc");
    }
    lua_setmetatable(state, -2);
}

/* Raw: what an __index metamethod returns would be held by nothing once it is popped. */
static void raw_field(lua_State *state, int index, const char *name)
{
    lua_pushstring(state, name);
    lua_rawget(state, index);
}

const char *vault_field_text(lua_State *state, int index, const char *name, size_t *length)
{
    const char *text = NULL;
    size_t own_length = 0;

    raw_field(state, index, name);
    if (lua_type(state, -1) == LUA_TSTRING)
        text = lua_tolstring(state, -1, length ? length : &own_length);
    else if (!lua_isnil(state, -1))
        luaL_error(state, "%s must be a string", name);
    if (text && !length && strlen(text) != own_length)
        luaL_error(state, "%s holds a NUL byte", name);
    lua_pop(state, 1);
    return text;
}

lua_Number vault_field_number(lua_State *state, int index, const char *name, lua_Number otherwise)
{
    lua_Number number = otherwise;

    raw_field(state, index, name);
    if (lua_type(state, -1) == LUA_TNUMBER)
        number = lua_tonumber(state, -1);
    else if (!lua_isnil(state, -1))
        luaL_error(state, "%s must be a number", name);
    lua_pop(state, 1);
    return number;
}

enum vault_status vault_extract(const char *text, size_t length, const char *key, size_t key_length,
                                struct vault_buffer *out, struct vault_message *why)
{
    enum vault_json_type type = VAULT_JSON_ABSENT;
    size_t offset = 0;
    enum vault_status status =
        vault_json_extract(text, length, key, key_length, out, &type, &offset);

    if (status == VAULT_OK)
        return status;
    vault_message_add(why, "%s", vault_status_row(status)->sentence);
    if (status == VAULT_NOT_A_STRING)
        vault_message_add(why, " but %s", vault_json_type_name(type));
    else if (status != VAULT_KEY_NOT_FOUND && status != VAULT_NO_MEMORY &&
             status != VAULT_TOO_LARGE)
        vault_message_add(why, ", at byte %zu", offset + 1);
    return status;
}

int vault_lua_equal(lua_State *state)
{
    size_t left_length;
    size_t right_length;
    const char *left = luaL_checklstring(state, 1, &left_length);
    const char *right = luaL_checklstring(state, 2, &right_length);

    lua_pushboolean(state, left_length == right_length && vault_equal(left, right, left_length));
    return 1;
}
