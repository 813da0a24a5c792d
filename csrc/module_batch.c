/* module_batch - batches of secrets across the Lua border.
 *
 * For:   the ids in a request table, the entries of a result.
 * Never: decisions; what is asked (secretsmanager_batch).
 */
#include "module.h"

void vault_read_batch(lua_State *state, int index, struct vault_fetch_request *request)
{
    struct vault_secret_id *ids;
    size_t count;

    lua_pushliteral(state, "batch");
    lua_rawget(state, index);
    if (lua_isnil(state, -1)) {
        lua_pop(state, 1);
        return;
    }
    luaL_argcheck(state, lua_istable(state, -1), index, "batch must be a table");
    count = lua_objlen(state, -1);
    luaL_argcheck(state, count >= 1 && count <= VAULT_BATCH_MAX, index,
                  "batch must be a list of 1 to 20 names or ARNs");
    ids = lua_newuserdata(state, count * sizeof *ids);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(state, -2, (int)i + 1);
        luaL_argcheck(state, lua_type(state, -1) == LUA_TSTRING, index,
                      "batch must be a list of strings");
        ids[i].text = lua_tolstring(state, -1, &ids[i].length);
        lua_pop(state, 1);
    }
    lua_remove(state, -2);
    request->batch = ids;
    request->batch_count = count;
}

static void push_bytes(lua_State *state, const struct vault_buffer *bytes)
{
    lua_pushlstring(state, bytes->length ? bytes->data : "", bytes->length);
}

void vault_push_secret(lua_State *state, const struct vault_secret *secret)
{
    lua_createtable(state, 0, 8); /* with what the cache adds */
    push_bytes(state, &secret->payload);
    lua_setfield(state, -2, "payload");
    lua_pushboolean(state, secret->binary);
    lua_setfield(state, -2, "binary");
    push_bytes(state, &secret->version_id);
    lua_setfield(state, -2, "version_id");
    push_bytes(state, &secret->arn);
    lua_setfield(state, -2, "arn");
}

static void push_refusal(lua_State *state, const struct vault_batch_entry *entry)
{
    lua_createtable(state, 0, 2);
    lua_pushstring(state, vault_status_row(entry->status)->word);
    lua_setfield(state, -2, "word");
    lua_pushlstring(state, entry->why.text, entry->why.length);
    lua_setfield(state, -2, "message");
}

void vault_push_batch(lua_State *state, const struct vault_batch *batch)
{
    lua_createtable(state, 0, 2);
    lua_createtable(state, (int)batch->count, 0);
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->entries[i].status == VAULT_OK)
            vault_push_secret(state, &batch->entries[i].secret);
        else
            push_refusal(state, &batch->entries[i]);
        lua_rawseti(state, -2, (int)i + 1);
    }
    lua_setfield(state, -2, "entries");
}
