/* module_engine - the engine as Lua sees it: core.port and core.run.
 *
 * For:   one port per Lua VM, made when the module is opened; its __gc is how the engine counts
 *        VMs.
 * Never: decisions; waiting (fetch.lua knows the phases).
 */
#include "module.h"

#include <math.h>
#include <string.h>

#define PORT_TYPE    "vault.port"
#define FETCH_TYPE   "vault.fetch"
#define FOLDERS_MAX  8
#define ATTEMPTS_MAX 10

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

static void read_caller(lua_State *state, int index, struct vault_identity_request *caller)
{
    caller->access_key_id = vault_field_text(state, index, "access_key_id", NULL);
    caller->secret_access_key = vault_field_text(state, index, "secret_access_key", NULL);
    caller->session_token = vault_field_text(state, index, "session_token", NULL);
    caller->assume_role_arn = vault_field_text(state, index, "assume_role_arn", NULL);
    caller->role_session_name = vault_field_text(state, index, "role_session_name", NULL);
    caller->external_id = vault_field_text(state, index, "external_id", NULL);
    caller->sts_endpoint_url = vault_field_text(state, index, "sts_endpoint_url", NULL);
}

/* What many requests have in common may stand in a table of its own, the field `terms`. Leaves the
 * table that has it on the stack; returns its index. */
static int push_terms(lua_State *state, int index)
{
    lua_pushliteral(state, "terms");
    lua_rawget(state, index);
    if (lua_isnil(state, -1)) {
        lua_pop(state, 1);
        lua_pushvalue(state, index);
    }
    luaL_argcheck(state, lua_istable(state, -1), index, "terms must be a table");
    return lua_gettop(state);
}

void vault_read_request(lua_State *state, int index, struct vault_fetch_request *request,
                        struct vault_engine_settings *settings)
{
    lua_Number seconds, attempts;
    int terms;

    luaL_checktype(state, index, LUA_TTABLE);
    luaL_checktype(state, index + 1, LUA_TTABLE);
    terms = push_terms(state, index);
    request->secret_id = vault_field_text(state, index, "secret_id", &request->secret_id_length);
    vault_read_batch(state, index, request);
    luaL_argcheck(state, request->secret_id || request->batch, index, "secret_id is missing");
    luaL_argcheck(state, !request->secret_id || !request->batch, index,
                  "secret_id and batch exclude each other");
    request->stage = vault_field_text(state, terms, "stage", NULL);
    luaL_argcheck(state,
                  !request->batch || !request->stage || strcmp(request->stage, "AWSCURRENT") == 0,
                  index, "a batch is always of AWSCURRENT");
    request->region = vault_field_text(state, terms, "region", NULL);
    request->endpoint_url = vault_field_text(state, terms, "endpoint_url", NULL);
    read_caller(state, terms, &request->caller);
    seconds = vault_field_number(state, index, "timeout", 10);
    luaL_argcheck(state, seconds >= 0.001 && seconds <= 3600, index,
                  "timeout must be from 0.001 to 3600 seconds");
    request->timeout_ms = (int64_t)(seconds * 1000);
    attempts = vault_field_number(state, index, "attempts", 0);
    luaL_argcheck(state, attempts >= 0 && attempts <= ATTEMPTS_MAX, index,
                  "attempts must be from 0 to 10");
    request->attempts = (unsigned)attempts;
    settings->ca_file = vault_field_text(state, index + 1, "ca_file", NULL);
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
    /* Left out where it is 1: with what the cache adds a secret's table has eight fields, and a
     * ninth would double it. */
    if (vault_fetch_attempts(fetch) > 1) {
        lua_pushnumber(state, vault_fetch_attempts(fetch));
        lua_setfield(state, -2, "attempts");
    }
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

static struct port_box *check_port(lua_State *state)
{
    struct port_box *box = luaL_checkudata(state, 1, PORT_TYPE);

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
    struct port_box *box = luaL_checkudata(state, 1, PORT_TYPE);

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
        luaL_register(state, NULL, port_methods);
        lua_pushvalue(state, -1);
        lua_setfield(state, -2, "__index");
    }
    lua_setmetatable(state, -2);
    if (vault_port_new(&box->port) != VAULT_OK)
        luaL_error(state, "out of memory");
}
