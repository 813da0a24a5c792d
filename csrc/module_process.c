/* module_process - processes as Lua sees them: core.process and core.is_alive.
 *
 * For:   what a lock is signed with, and whether who signed it still lives.
 * Never: decisions.
 */
#include "module.h"

#include <unistd.h>

#include "process.h"

#define EXACT_MAX 9007199254740992.0 /* 2^53 */

int vault_lua_process(lua_State *state)
{
    lua_pushnumber(state, (lua_Number)getpid());
    lua_pushnumber(state, (lua_Number)vault_process_started(getpid()));
    return 2;
}

int vault_lua_is_alive(lua_State *state)
{
    lua_Number pid = luaL_checknumber(state, 1);
    lua_Number started = luaL_checknumber(state, 2);
    bool possible = pid >= 1 && pid <= INT32_MAX; /* NaN is neither */

    luaL_argcheck(state, started >= 0 && started <= EXACT_MAX, 2, "not a start time");
    lua_pushboolean(state, possible && vault_process_alive((pid_t)pid, (uint64_t)started));
    return 1;
}
