/* module_exec - becoming another program, as Lua asks for it: core.variables and core.exec.
 *
 * For:   what of the environment may be a reference, so that no credential becomes a Lua value only
 *        because it is looked at; the program's words and environment out of Lua's tables.
 * Never: decisions; what a reference is.
 */
#include "module.h"

#include <string.h>
#include <strings.h>

#include "environment.h"
#include "program_exec.h"

#define WORDS_MAX (8 * 1024 * 1024) /* above what a system takes */

/* How many texts there are in the list at `index`. Raises for what else is in it, and for NUL. */
static size_t check_texts(lua_State *state, int index)
{
    size_t count, length;

    luaL_checktype(state, index, LUA_TTABLE);
    count = lua_objlen(state, index);
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(state, index, (int)i);
        luaL_argcheck(state, lua_type(state, -1) == LUA_TSTRING, index, "not a list of strings");
        luaL_argcheck(state, strlen(lua_tolstring(state, -1, &length)) == length, index,
                      "a string holds a NUL byte");
        lua_pop(state, 1);
    }
    return count;
}

/* The `i`th text of a list that was checked; borrowed from it. */
static const char *text_at(lua_State *state, int index, size_t i)
{
    const char *text;

    lua_rawgeti(state, index, (int)i);
    text = lua_tostring(state, -1);
    lua_pop(state, 1);
    return text;
}

static bool starts_with_any(lua_State *state, const char *value, size_t count)
{
    for (size_t i = 1; i <= count; i++) {
        const char *start = text_at(state, 1, i);

        if (strncasecmp(value, start, strlen(start)) == 0)
            return true;
    }
    return false;
}

int vault_lua_variables(lua_State *state)
{
    size_t count = check_texts(state, 1);
    char *const *entry = vault_environment_entries(vault_environment_process());
    int found = 0;

    lua_newtable(state);
    for (; *entry; entry++) {
        const char *value = strchr(*entry, '=');

        if (!value || !starts_with_any(state, value + 1, count))
            continue;
        lua_createtable(state, 2, 0);
        lua_pushlstring(state, *entry, (size_t)(value - *entry));
        lua_rawseti(state, -2, 1);
        lua_pushstring(state, value + 1);
        lua_rawseti(state, -2, 2);
        lua_rawseti(state, -2, ++found);
    }
    return 1;
}

static enum vault_status add_words(lua_State *state, int index, size_t count,
                                   struct vault_buffer *words)
{
    enum vault_status status = VAULT_OK;

    for (size_t i = 1; i <= count && status == VAULT_OK; i++) {
        const char *word = text_at(state, index, i);

        status = vault_buffer_append(words, word, strlen(word) + 1);
    }
    return status;
}

int vault_lua_exec(lua_State *state)
{
    size_t count = check_texts(state, 1), entry_count = check_texts(state, 2);
    const char *without = luaL_optstring(state, 3, NULL);
    const char **entries = lua_newuserdata(state, (entry_count + 1) * sizeof *entries);
    struct vault_environment *environment = NULL;
    struct vault_message why = {0};
    struct vault_buffer words;
    enum vault_status status;

    for (size_t i = 0; i < entry_count; i++)
        entries[i] = text_at(state, 2, i + 1);
    entries[entry_count] = NULL;
    vault_buffer_init(&words, WORDS_MAX);
    status = add_words(state, 1, count, &words);
    if (status == VAULT_OK)
        status =
            vault_environment_change(vault_environment_process(), entries, without, &environment);
    if (status == VAULT_OK)
        status = vault_program_exec(&words, environment, &why);
    vault_environment_free(environment);
    vault_buffer_free(&words);
    return vault_push_failure(state, status, why.text);
}
