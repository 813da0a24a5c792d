/* module_files - files as Lua sees them: those that credentials depend on, and those of the vaults.
 *
 * For:   core.credential_files and core.readable, in the master and in a worker; core.read_file and
 *        core.replace_file.
 * Never: decisions; a byte of a file in a message.
 */
#include "module.h"

#include <string.h>
#include <unistd.h>

#include "atomic_file.h"
#include "credential_files.h"
#include "file.h"

#define FILES_TYPE "vault.files"
#define BYTES_TYPE "vault.bytes"
#define READ_MAX   (1024 * 1024)

static int files_gc(lua_State *state)
{
    vault_credential_files_clear(luaL_checkudata(state, 1, FILES_TYPE));
    return 0;
}

/* A userdata that frees its list when it is collected, so that a Lua error leaks nothing. */
static struct vault_credential_files *push_files(lua_State *state)
{
    struct vault_credential_files *files = lua_newuserdata(state, sizeof *files);

    *files = (struct vault_credential_files){0};
    vault_set_gc(state, FILES_TYPE, files_gc);
    return files;
}

static void push_file(lua_State *state, const struct vault_credential_file *file)
{
    lua_createtable(state, 0, 5);
    lua_pushstring(state, file->path);
    lua_setfield(state, -2, "path");
    lua_pushboolean(state, file->readable);
    lua_setfield(state, -2, "readable");
    lua_pushboolean(state, file->of_profile);
    lua_setfield(state, -2, "of_profile");
    lua_pushstring(state, file->name);
    lua_setfield(state, -2, "name");
    lua_pushstring(state, file->lost);
    lua_setfield(state, -2, "lost");
}

static const char *check_path(lua_State *state, int index)
{
    size_t length;
    const char *path = luaL_checklstring(state, index, &length);

    luaL_argcheck(state, strlen(path) == length, index, "a path holds a NUL byte");
    return path;
}

int vault_lua_credential_files(lua_State *state)
{
    const char *ca_file = lua_isnoneornil(state, 1) ? NULL : check_path(state, 1);
    struct vault_credential_files *files = push_files(state);
    enum vault_status status =
        vault_credential_files_find(vault_environment_process(), ca_file, files);

    if (status != VAULT_OK)
        return vault_push_failure(state, status, NULL);
    lua_createtable(state, (int)files->count, 0);
    for (size_t i = 0; i < files->count; i++) {
        push_file(state, &files->list[i]);
        lua_rawseti(state, -2, (int)i + 1);
    }
    vault_credential_files_clear(files);
    lua_pushnumber(state, (lua_Number)geteuid());
    return 2;
}

int vault_lua_readable(lua_State *state)
{
    lua_pushboolean(state, vault_file_readable(check_path(state, 1)));
    return 1;
}

int vault_lua_replaceable(lua_State *state)
{
    lua_pushboolean(state, vault_atomic_file_may(check_path(state, 1)));
    return 1;
}

static int bytes_gc(lua_State *state)
{
    vault_buffer_free(luaL_checkudata(state, 1, BYTES_TYPE));
    return 0;
}

static struct vault_buffer *push_bytes(lua_State *state)
{
    struct vault_buffer *bytes = lua_newuserdata(state, sizeof *bytes);

    vault_buffer_init(bytes, READ_MAX);
    vault_set_gc(state, BYTES_TYPE, bytes_gc);
    return bytes;
}

int vault_lua_read_file(lua_State *state)
{
    const char *path = check_path(state, 1);
    struct vault_buffer *bytes = push_bytes(state);
    struct vault_message why = {0};
    enum vault_status status = vault_file_read(path, bytes, &why);

    if (status != VAULT_OK)
        return vault_push_failure(state, status, why.text);
    lua_pushlstring(state, bytes->data ? bytes->data : "", bytes->length);
    vault_buffer_free(bytes);
    return 1;
}

int vault_lua_replace_file(lua_State *state)
{
    const char *path = check_path(state, 1);
    size_t length;
    const char *text = luaL_checklstring(state, 2, &length);
    struct vault_message why = {0};
    enum vault_status status = vault_atomic_file_replace(path, text, length, &why);

    if (status != VAULT_OK)
        return vault_push_failure(state, status, why.text);
    lua_pushboolean(state, 1);
    return 1;
}
