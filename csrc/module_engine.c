/* module_engine - the engine as Lua sees it: core.port and core.run.
 *
 * For:   one port per Lua VM, made when the module is opened; its __gc is how the engine counts
 *        VMs.
 * Never: decisions; waiting (fetch.lua knows the phases).
 */
#include "module.h"

#define PORT_TYPE   "vault.port"
#define FETCH_TYPE  "vault.fetch"
#define FOLDERS_MAX 8

struct fetch_box {
    struct vault_fetch *fetch;
};

struct port_box {
    struct vault_port *port;   /* NULL once closed */
    struct vault_fetch *taken; /* being turned into Lua values */
};

static int fetch_gc(lua_State *state)
{
    struct fetch_box *box = luaL_checkudata(state, 1, FETCH_TYPE);

    vault_fetch_free(box->fetch);
    box->fetch = NULL;
    return 0;
}

struct vault_fetch **vault_push_fetch(lua_State *state)
{
    struct fetch_box *box = lua_newuserdata(state, sizeof *box);

    box->fetch = NULL;
    vault_set_gc(state, FETCH_TYPE, fetch_gc);
    return &box->fetch;
}

/* Push what came of `fetch`: a table, or nil, message, word. Returns how many. */
static int push_result(lua_State *state, const struct vault_fetch *fetch)
{
    enum vault_status status = vault_fetch_status(fetch);

    if (status != VAULT_OK)
        return vault_push_failure(state, status, vault_fetch_message(fetch)->text);
    if (vault_fetch_batch(fetch)->count > 0)
        vault_push_batch(state, vault_fetch_batch(fetch));
    else
        vault_push_secret(state, vault_fetch_secret(fetch));
    lua_pushnumber(state, vault_fetch_attempts(fetch));
    lua_setfield(state, -2, "attempts");
    return 1;
}

int vault_lua_run(lua_State *state)
{
    struct vault_fetch_request request = {0};
    struct vault_engine_settings settings = {0};
    struct vault_message why = {0};
    struct vault_fetch **fetch;
    enum vault_status status;
    int count;

    vault_read_request(state, 1, &request, &settings);
    fetch = vault_push_fetch(state);
    status = vault_engine_run(&request, &settings, fetch, &why);
    if (status != VAULT_OK)
        return vault_push_failure(state, status, why.text);
    count = push_result(state, *fetch);
    vault_fetch_free(*fetch);
    *fetch = NULL;
    return count;
}

/* The metatable is the upvalue of each method: its name need not be hashed for each call. */
static struct port_box *port_at(lua_State *state)
{
    if (!lua_getmetatable(state, 1) || !lua_rawequal(state, -1, lua_upvalueindex(1)))
        luaL_checkudata(state, 1, PORT_TYPE); /* raises */
    lua_pop(state, 1);
    return lua_touserdata(state, 1);
}

static struct port_box *check_port(lua_State *state)
{
    struct port_box *box = port_at(state);

    luaL_argcheck(state, box->port, 1, "the port is closed");
    return box;
}

/* port:submit(request, settings) -> number | nil, message, word */
static int port_submit(lua_State *state)
{
    struct port_box *box = check_port(state);
    struct vault_fetch_request request = {0};
    struct vault_engine_settings settings = {0};
    struct vault_message why = {0};
    enum vault_status status;
    uint64_t number;

    vault_read_request(state, 2, &request, &settings);
    status = vault_port_submit(box->port, &request, &settings, &number, &why);
    if (status != VAULT_OK)
        return vault_push_failure(state, status, why.text);
    lua_pushnumber(state, (lua_Number)number);
    return 1;
}

/* port:take() -> number, result | number, nil, message, word | nil where none waits */
static int port_take(lua_State *state)
{
    struct port_box *box = check_port(state);
    uint64_t number;
    int count;

    vault_fetch_free(box->taken);
    box->taken = vault_port_take(box->port, &number);
    if (!box->taken) {
        lua_pushnil(state);
        return 1;
    }
    lua_pushnumber(state, (lua_Number)number);
    count = push_result(state, box->taken);
    vault_fetch_free(box->taken);
    box->taken = NULL;
    return count + 1;
}

/* port:pending() -> fetches submitted and not yet taken */
static int port_pending(lua_State *state)
{
    lua_pushnumber(state, (lua_Number)vault_port_pending(check_port(state)->port));
    return 1;
}

/* port:listen(folder, ...) -> path to connect to | nil, message, word */
static int port_listen(lua_State *state)
{
    struct port_box *box = check_port(state);
    const char *folders[FOLDERS_MAX + 1] = {0};
    char path[VAULT_WAKE_PATH_MAX];
    enum vault_status status;

    for (int i = 0; i < FOLDERS_MAX && i + 2 <= lua_gettop(state); i++)
        folders[i] = luaL_checkstring(state, i + 2);
    status = vault_port_listen(box->port, folders, path);
    if (status != VAULT_OK)
        return vault_push_failure(state, status, "no folder takes a Unix socket");
    lua_pushstring(state, path);
    return 1;
}

/* port:accept() -> true | nil, message, word */
static int port_accept(lua_State *state)
{
    enum vault_status status = vault_port_accept(check_port(state)->port);

    if (status != VAULT_OK)
        return vault_push_failure(state, status, "the collector's connection did not come");
    lua_pushboolean(state, 1);
    return 1;
}

/* port:hang_up(): end the wake-up connection */
static int port_hang_up(lua_State *state)
{
    vault_port_hang_up(check_port(state)->port);
    return 0;
}

/* port:close(); also __gc */
static int port_close(lua_State *state)
{
    struct port_box *box = port_at(state);

    vault_fetch_free(box->taken);
    box->taken = NULL;
    if (box->port)
        vault_port_close(box->port);
    box->port = NULL;
    return 0;
}

static const luaL_Reg port_methods[] = {
    {"submit", port_submit}, {"take", port_take},     {"pending", port_pending},
    {"listen", port_listen}, {"accept", port_accept}, {"hang_up", port_hang_up},
    {"close", port_close},   {"__gc", port_close},    {NULL, NULL},
};

void vault_push_port(lua_State *state)
{
    struct port_box *box = lua_newuserdata(state, sizeof *box);

    *box = (struct port_box){0};
    if (luaL_newmetatable(state, PORT_TYPE)) {
        for (const luaL_Reg *method = port_methods; method->name; method++) {
            lua_pushvalue(state, -1);
            lua_pushcclosure(state, method->func, 1);
            lua_setfield(state, -2, method->name);
        }
        lua_pushvalue(state, -1);
        lua_setfield(state, -2, "__index");
    }
    lua_setmetatable(state, -2);
    if (vault_port_new(&box->port) != VAULT_OK)
        luaL_error(state, "out of memory");
}
