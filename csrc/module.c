/* module - luaopen_vault_core: what C offers to Lua.
 *
 * For:   argument checks, conversion, one call, the result. Nothing here holds C memory while a Lua
 *        function may throw, but in boxes that Lua collects.
 * Never: decisions.
 */
#include "module.h"

#include <string.h>

#include "arena.h"
#include "base64.h"
#include "digest.h"
#include "environment.h"
#include "http_settings.h"
#include "json_extract.h"
#include "sigv4.h"
#include "version.h"

#define SCRATCH_TYPE     "vault.scratch"
#define SCRATCH_MAX      VAULT_EXCHANGE_ANSWER_MAX
#define SIGN_HEADERS_MAX 64

/* One per VM, the upvalue of the functions that need C memory. */
struct scratch {
    struct vault_buffer buffer;
    struct vault_sigv4_stages stages;
    struct vault_signer *signer;
    struct vault_digest *digest;
};

static struct scratch *scratch_of(lua_State *state)
{
    return lua_touserdata(state, lua_upvalueindex(1));
}

static void clear_scratch(struct scratch *scratch)
{
    vault_buffer_clear(&scratch->buffer);
    vault_buffer_clear(&scratch->stages.canonical_request);
    vault_buffer_clear(&scratch->stages.string_to_sign);
    vault_buffer_clear(&scratch->stages.signature);
    vault_buffer_clear(&scratch->stages.authorization);
}

/* core.extract(text, key) -> string | nil, message, word */
static int core_extract(lua_State *state)
{
    struct scratch *scratch = scratch_of(state);
    size_t length, key_length;
    const char *text = luaL_checklstring(state, 1, &length);
    const char *key = luaL_checklstring(state, 2, &key_length);
    struct vault_message why = {0};
    enum vault_status status;

    vault_buffer_clear(&scratch->buffer);
    status = vault_extract(text, length, key, key_length, &scratch->buffer, &why);
    if (status == VAULT_OK) {
        lua_pushlstring(state, scratch->buffer.data ? scratch->buffer.data : "",
                        scratch->buffer.length);
        vault_buffer_clear(&scratch->buffer);
        return 1;
    }
    return vault_push_failure(state, status, why.text);
}

/* core.base64_decode(text) -> bytes | nil, message, word */
static int core_base64_decode(lua_State *state)
{
    struct scratch *scratch = scratch_of(state);
    size_t length;
    const char *text = luaL_checklstring(state, 1, &length);
    enum vault_status status;

    vault_buffer_clear(&scratch->buffer);
    status = vault_base64_decode(text, length, &scratch->buffer);
    if (status != VAULT_OK)
        return vault_push_failure(state, status, NULL);
    lua_pushlstring(state, scratch->buffer.data ? scratch->buffer.data : "",
                    scratch->buffer.length);
    vault_buffer_clear(&scratch->buffer);
    return 1;
}

static enum vault_status hash_of(struct scratch *scratch, const char *text, size_t length,
                                 unsigned char hash[VAULT_DIGEST_SIZE])
{
    enum vault_status status = VAULT_OK;

    if (!scratch->digest)
        status = vault_digest_new(&scratch->digest);
    if (status == VAULT_OK)
        status = vault_digest_sha256(scratch->digest, text, length, hash);
    return status;
}

/* core.sha256(text, raw?) -> 64 hex digits, or the 32 bytes | nil, message, word */
static int core_sha256(lua_State *state)
{
    size_t length;
    const char *text = luaL_checklstring(state, 1, &length);
    unsigned char hash[VAULT_DIGEST_SIZE];
    char hex[VAULT_DIGEST_HEX];
    enum vault_status status = hash_of(scratch_of(state), text, length, hash);

    if (status != VAULT_OK)
        return vault_push_failure(state, status, NULL);
    if (lua_toboolean(state, 2)) {
        lua_pushlstring(state, (const char *)hash, sizeof hash);
        return 1;
    }
    vault_digest_hex(hash, hex);
    lua_pushlstring(state, hex, sizeof hex);
    return 1;
}

/* core.key(text, ...) -> the 32 bytes of the SHA-256 of the texts, each with its length in front,
 * so that no two lists are the same | nil, message, word */
static int core_key(lua_State *state)
{
    struct vault_buffer *list = &scratch_of(state)->buffer;
    unsigned char hash[VAULT_DIGEST_SIZE];
    enum vault_status status = VAULT_OK;

    vault_buffer_clear(list);
    for (int i = 1; status == VAULT_OK && i <= lua_gettop(state); i++) {
        size_t length;
        const char *text = luaL_checklstring(state, i, &length);

        status = vault_buffer_append(list, &length, sizeof length);
        if (status == VAULT_OK)
            status = vault_buffer_append(list, text, length);
    }
    if (status == VAULT_OK)
        status = hash_of(scratch_of(state), list->data ? list->data : "", list->length, hash);
    vault_buffer_clear(list);
    if (status != VAULT_OK)
        return vault_push_failure(state, status, NULL);
    lua_pushlstring(state, (const char *)hash, sizeof hash);
    return 1;
}

/* core.getenv(name) -> value | nil | nil, message, "refused" */
static int core_getenv(lua_State *state)
{
    /* What identifies the gateway itself stays in C. */
    static const char *const kept[] = {"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
                                       "AWS_SECURITY_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                                       "VAULTS_ADMIN_TOKEN"};
    const char *name = luaL_checkstring(state, 1), *value;
    struct vault_message why = {0};

    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        if (strcmp(name, kept[i]) != 0)
            continue;
        vault_message_add(&why, "%s is the gateway's own, and not for references", kept[i]);
        return vault_push_failure(state, VAULT_REFUSED, why.text);
    }
    value = vault_environment_get(vault_environment_process(), name);
    if (value)
        lua_pushstring(state, value);
    else
        lua_pushnil(state);
    return 1;
}

/* core.about() -> one line: versions, and where SSL_new comes from */
static int core_about(lua_State *state)
{
    struct vault_message line = {0};

    vault_http_describe(&line);
    lua_pushlstring(state, line.text, line.length);
    return 1;
}

/* core.check() -> true | nil, message, word: whether the engine can run in this process */
static int core_check(lua_State *state)
{
    struct vault_message why = {0};
    enum vault_status status = vault_http_start(&why);

    if (status != VAULT_OK)
        return vault_push_failure(state, status, why.text);
    lua_pushboolean(state, 1);
    return 1;
}

static size_t read_headers(lua_State *state, struct vault_sigv4_header *headers)
{
    size_t count;

    lua_pushliteral(state, "headers");
    lua_rawget(state, 1);
    luaL_checktype(state, -1, LUA_TTABLE);
    count = lua_objlen(state, -1);
    luaL_argcheck(state, count <= SIGN_HEADERS_MAX, 1, "more than 64 headers");
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(state, -1, (int)i + 1);
        luaL_checktype(state, -1, LUA_TTABLE);
        lua_rawgeti(state, -1, 1);
        lua_rawgeti(state, -2, 2);
        luaL_argcheck(state,
                      lua_type(state, -1) == LUA_TSTRING && lua_type(state, -2) == LUA_TSTRING, 1,
                      "a header must be {name, value}");
        headers[i].name = lua_tolstring(state, -2, &headers[i].name_length);
        headers[i].value = lua_tolstring(state, -1, &headers[i].value_length);
        lua_pop(state, 3);
    }
    lua_pop(state, 1);
    return count;
}

static const char *needed(lua_State *state, const char *name, size_t *length)
{
    const char *text = vault_field_text(state, 1, name, length);

    if (!text)
        luaL_error(state, "%s is missing", name);
    return text;
}

static int push_stages(lua_State *state, const struct vault_sigv4_stages *stages)
{
    lua_createtable(state, 0, 4);
    lua_pushlstring(state, stages->authorization.data, stages->authorization.length);
    lua_setfield(state, -2, "authorization");
    lua_pushlstring(state, stages->canonical_request.data, stages->canonical_request.length);
    lua_setfield(state, -2, "canonical_request");
    lua_pushlstring(state, stages->string_to_sign.data, stages->string_to_sign.length);
    lua_setfield(state, -2, "string_to_sign");
    lua_pushlstring(state, stages->signature.data, stages->signature.length);
    lua_setfield(state, -2, "signature");
    return 1;
}

/* core.sign{method, path, query, headers = {{name, value}, ..}, body, access_key_id,
 * secret_access_key, session_token, region, service, time} -> stages | nil, message, word */
static int core_sign(lua_State *state)
{
    struct scratch *scratch = scratch_of(state);
    struct vault_sigv4_header headers[SIGN_HEADERS_MAX];
    struct vault_sigv4_request request = {.headers = headers};
    struct vault_sigv4_key key;
    enum vault_status status = VAULT_OK;
    lua_Number seconds;
    int64_t when;

    luaL_checktype(state, 1, LUA_TTABLE);
    request.method = needed(state, "method", &request.method_length);
    request.path = needed(state, "path", &request.path_length);
    request.query = needed(state, "query", &request.query_length);
    request.body = needed(state, "body", &request.body_length);
    request.header_count = read_headers(state, headers);
    key.access_key_id = needed(state, "access_key_id", NULL);
    key.secret_access_key = needed(state, "secret_access_key", NULL);
    key.session_token = vault_field_text(state, 1, "session_token", NULL);
    key.region = needed(state, "region", NULL);
    key.service = needed(state, "service", NULL);
    seconds = vault_field_number(state, 1, "time", -1);
    when = seconds >= 0 && seconds < 1e12 ? (int64_t)seconds : -1; /* NaN is neither */
    clear_scratch(scratch);
    if (!scratch->signer)
        status = vault_signer_new(&scratch->signer);
    if (status == VAULT_OK)
        status = vault_sigv4_sign(scratch->signer, &request, &key, when, &scratch->buffer,
                                  &scratch->stages);
    return status == VAULT_OK ? push_stages(state, &scratch->stages)
                              : vault_push_failure(state, status, NULL);
}

static int scratch_gc(lua_State *state)
{
    struct scratch *scratch = luaL_checkudata(state, 1, SCRATCH_TYPE);

    vault_buffer_free(&scratch->buffer);
    vault_buffer_free(&scratch->stages.canonical_request);
    vault_buffer_free(&scratch->stages.string_to_sign);
    vault_buffer_free(&scratch->stages.signature);
    vault_buffer_free(&scratch->stages.authorization);
    vault_signer_free(scratch->signer);
    vault_digest_free(scratch->digest);
    scratch->signer = NULL;
    scratch->digest = NULL;
    return 0;
}

static void push_scratch(lua_State *state)
{
    struct scratch *scratch = lua_newuserdata(state, sizeof *scratch);

    memset(scratch, 0, sizeof *scratch);
    vault_buffer_init(&scratch->buffer, SCRATCH_MAX);
    vault_buffer_init(&scratch->stages.canonical_request, SCRATCH_MAX);
    vault_buffer_init(&scratch->stages.string_to_sign, SCRATCH_MAX);
    vault_buffer_init(&scratch->stages.signature, SCRATCH_MAX);
    vault_buffer_init(&scratch->stages.authorization, SCRATCH_MAX);
    vault_set_gc(state, SCRATCH_TYPE, scratch_gc);
}

static void push_words(lua_State *state)
{
    lua_createtable(state, 0, VAULT_STATUS_COUNT);
    for (int i = 0; i < VAULT_STATUS_COUNT; i++) {
        const struct vault_status_row *row = vault_status_row((enum vault_status)i);

        lua_createtable(state, 0, 3);
        lua_pushboolean(state, row->may_retry);
        lua_setfield(state, -2, "may_retry");
        lua_pushboolean(state, row->may_cache);
        lua_setfield(state, -2, "may_cache");
        lua_pushstring(state, row->sentence);
        lua_setfield(state, -2, "sentence");
        lua_setfield(state, -2, row->word);
    }
}

static const luaL_Reg functions[] = {
    {"extract", core_extract},
    {"base64_decode", core_base64_decode},
    {"sha256", core_sha256},
    {"key", core_key},
    {"equal", vault_lua_equal},
    {"getenv", core_getenv},
    {"sign", core_sign},
    {"about", core_about},
    {"check", core_check},
    {"run", vault_lua_run},
    {"explain", vault_lua_explain},
    {"credentials", vault_lua_credentials},
    {"credential_files", vault_lua_credential_files},
    {"readable", vault_lua_readable},
    {"replaceable", vault_lua_replaceable},
    {"read_file", vault_lua_read_file},
    {"replace_file", vault_lua_replace_file},
    {"process", vault_lua_process},
    {"is_alive", vault_lua_is_alive},
    {"variables", vault_lua_variables},
    {"exec", vault_lua_exec},
    {NULL, NULL},
};

__attribute__((visibility("default"))) int luaopen_vault_core(lua_State *state);

int luaopen_vault_core(lua_State *state)
{
    bool first = vault_environment_process() == NULL;

    vault_arena_stay(); /* Lua's thread, for the life of the process */
    if (vault_environment_capture() != VAULT_OK)
        return luaL_error(state, "out of memory");
    lua_createtable(state, 0, 16);
    push_scratch(state);
    for (const luaL_Reg *function = functions; function->name; function++) {
        lua_pushvalue(state, -1);
        lua_pushcclosure(state, function->func, 1);
        lua_setfield(state, -3, function->name);
    }
    lua_pop(state, 1);
    push_words(state);
    lua_setfield(state, -2, "words");
    vault_push_port(state);
    lua_setfield(state, -2, "port");
    lua_pushliteral(state, VAULT_VERSION);
    lua_setfield(state, -2, "_VERSION");
    /* Whether this very call copied the environment: in a worker it was empty by then. */
    lua_pushboolean(state, first);
    lua_setfield(state, -2, "captured_here");
    return 1;
}
