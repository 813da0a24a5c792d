/* module_credentials - the credentials that this process keeps, as Lua sees them: core.credentials.
 *
 * For:   when each runs out, for metrics.
 * Never: the credentials.
 */
#include "credential_cache.h"
#include "module.h"

int vault_lua_credentials(lua_State *state)
{
    struct vault_kept_credential list[VAULT_CREDENTIAL_CACHE_MAX];
    size_t count = vault_credential_cache_list(list, VAULT_CREDENTIAL_CACHE_MAX);

    lua_createtable(state, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_createtable(state, 0, 2);
        lua_pushstring(state, list[i].source);
        lua_setfield(state, -2, "source");
        lua_pushnumber(state, (lua_Number)list[i].expires);
        lua_setfield(state, -2, "expires");
        lua_rawseti(state, -2, (int)i + 1);
    }
    return 1;
}
