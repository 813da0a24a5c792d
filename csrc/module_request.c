/* module_request - a request for the engine, out of a Lua table.
 *
 * For:   vault_read_request.
 * Never: decisions; what a batch's ids are (module_batch).
 *
 * The tables are walked through instead of asked for each name: a name that C pushes is hashed each
 * time, and most are not there.
 */
#include "module.h"

#include <string.h>

#define ATTEMPTS_MAX 10

enum kind {
    KIND_TEXT,   /* const char *, without a NUL byte */
    KIND_BYTES,  /* struct bytes */
    KIND_NUMBER, /* lua_Number */
    KIND_VALUE   /* int: where it stays on the stack */
};

struct bytes {
    const char *text;
    size_t length;
};

struct field {
    const char *name;
    size_t name_length;
    enum kind kind;
    size_t at;
};

/* What stands in the request itself. */
struct own {
    struct bytes secret_id;
    lua_Number seconds, attempts;
    int batch, terms;
};

#define FIELD(kind, type, member, name)                                                            \
    {                                                                                              \
        name, sizeof(name) - 1, kind, offsetof(type, member)                                       \
    }
#define OWN(kind, member, name) FIELD(kind, struct own, member, name)
#define TERM(member)            FIELD(KIND_TEXT, struct vault_fetch_request, member, #member)
#define CALLER(member)          FIELD(KIND_TEXT, struct vault_fetch_request, caller.member, #member)

static const struct field own_fields[] = {
    OWN(KIND_BYTES, secret_id, "secret_id"), OWN(KIND_NUMBER, seconds, "timeout"),
    OWN(KIND_NUMBER, attempts, "attempts"),  OWN(KIND_VALUE, batch, "batch"),
    OWN(KIND_VALUE, terms, "terms"),         {0},
};

static const struct field term_fields[] = {
    TERM(stage),
    TERM(region),
    TERM(endpoint_url),
    CALLER(access_key_id),
    CALLER(secret_access_key),
    CALLER(session_token),
    CALLER(assume_role_arn),
    CALLER(role_session_name),
    CALLER(external_id),
    CALLER(sts_endpoint_url),
    {0},
};

static const struct field setting_fields[] = {
    FIELD(KIND_TEXT, struct vault_engine_settings, ca_file, "ca_file"),
    {0},
};

static const struct field *find(const struct field *fields, const char *name, size_t length)
{
    for (; fields->name; fields++)
        if (fields->name_length == length && memcmp(fields->name, name, length) == 0)
            return fields;
    return NULL;
}

/* The value on top of the stack. */
static struct bytes text_of(lua_State *state, const struct field *field)
{
    struct bytes bytes;

    if (lua_type(state, -1) != LUA_TSTRING)
        luaL_error(state, "%s must be a string", field->name);
    bytes.text = lua_tolstring(state, -1, &bytes.length);
    if (field->kind == KIND_TEXT && strlen(bytes.text) != bytes.length)
        luaL_error(state, "%s holds a NUL byte", field->name);
    return bytes;
}

static lua_Number number_of(lua_State *state, const struct field *field)
{
    if (lua_type(state, -1) != LUA_TNUMBER)
        luaL_error(state, "%s must be a number", field->name);
    return lua_tonumber(state, -1);
}

/* Key and value are on top of the stack; the key is left there. */
static void take(lua_State *state, const struct field *field, char *into)
{
    switch (field->kind) {
    case KIND_TEXT:
        *(const char **)(void *)(into + field->at) = text_of(state, field).text;
        break;
    case KIND_BYTES:
        *(struct bytes *)(void *)(into + field->at) = text_of(state, field);
        break;
    case KIND_NUMBER:
        *(lua_Number *)(void *)(into + field->at) = number_of(state, field);
        break;
    case KIND_VALUE:
        lua_insert(state, -2);
        *(int *)(void *)(into + field->at) = lua_gettop(state) - 1;
        return;
    }
    lua_pop(state, 1);
}

/* Those of `fields` that the table at `index` has; what else is in it is not looked at. */
static void read_fields(lua_State *state, int index, const struct field *fields, void *into)
{
    const struct field *field;
    const char *name;
    size_t length;

    lua_pushnil(state);
    while (lua_next(state, index)) {
        field = NULL;
        if (lua_type(state, -2) == LUA_TSTRING) {
            name = lua_tolstring(state, -2, &length);
            field = find(fields, name, length);
        }
        if (field)
            take(state, field, into);
        else
            lua_pop(state, 1);
    }
}

static struct own read_own(lua_State *state, int index)
{
    struct own own = {.seconds = 10};

    read_fields(state, index, own_fields, &own);
    luaL_argcheck(state, own.secret_id.text || own.batch, index, "secret_id is missing");
    luaL_argcheck(state, !own.secret_id.text || !own.batch, index,
                  "secret_id and batch exclude each other");
    luaL_argcheck(state, own.seconds >= 0.001 && own.seconds <= 3600, index,
                  "timeout must be from 0.001 to 3600 seconds");
    luaL_argcheck(state, own.attempts >= 0 && own.attempts <= ATTEMPTS_MAX, index,
                  "attempts must be from 0 to 10");
    luaL_argcheck(state, !own.terms || lua_istable(state, own.terms), index,
                  "terms must be a table");
    return own;
}

void vault_read_request(lua_State *state, int index, struct vault_fetch_request *request,
                        struct vault_engine_settings *settings)
{
    struct own own;

    luaL_checktype(state, index, LUA_TTABLE);
    luaL_checktype(state, index + 1, LUA_TTABLE);
    own = read_own(state, index);
    request->secret_id = own.secret_id.text;
    request->secret_id_length = own.secret_id.length;
    request->timeout_ms = (int64_t)(own.seconds * 1000);
    request->attempts = (unsigned)own.attempts;
    read_fields(state, own.terms ? own.terms : index, term_fields, request);
    if (own.batch)
        vault_read_batch(state, index, own.batch, request);
    luaL_argcheck(state, !own.batch || !request->stage || strcmp(request->stage, "AWSCURRENT") == 0,
                  index, "a batch is always of AWSCURRENT");
    read_fields(state, index + 1, setting_fields, settings);
}
