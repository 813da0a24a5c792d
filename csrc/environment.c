/* environment - the environment of the process, kept from before nginx empties it.
 *
 * For:   what environment.h promises. The only file that reads environ.
 * Never: what a variable means; defaults.
 */
#include "environment.h"

#include <string.h>
#include <unistd.h>

#include "arena.h"
#include "buffer.h"
#include "registers.h"

extern char **environ;

struct vault_environment {
    size_t count;
    char **entries; /* "NAME=value", first of a name holds; NULL-ended */
};

static struct vault_environment *captured;  /* as it was when the module was first loaded */
static struct vault_environment *laid_over; /* with the own environ of process `laid_in` over it */
static pid_t captured_in, laid_in;

static const char *value_in(const char *entry, const char *name, size_t length)
{
    if (strncmp(entry, name, length) != 0 || entry[length] != '=')
        return NULL;
    return entry + length + 1;
}

const char *vault_environment_get(const struct vault_environment *environment, const char *name)
{
    size_t length = strlen(name);
    const char *value = NULL;

    for (size_t i = 0; environment && i < environment->count && !value; i++)
        value = value_in(environment->entries[i], name, length);
    vault_registers_clear();
    return value;
}

const char *vault_environment_set(const struct vault_environment *environment, const char *name)
{
    const char *value = vault_environment_get(environment, name);

    return value && *value ? value : NULL;
}

char *const *vault_environment_entries(const struct vault_environment *environment)
{
    static char *const none[] = {NULL};

    return environment ? environment->entries : none;
}

void vault_environment_free(struct vault_environment *environment)
{
    if (!environment)
        return;
    for (size_t i = 0; environment->entries && i < environment->count; i++)
        vault_free(environment->entries[i]);
    vault_free(environment->entries);
    vault_free(environment);
}

static size_t count_of(const char *const *entries)
{
    size_t count = 0;

    while (entries && entries[count])
        count++;
    return count;
}

/* Whether one of the first `count` entries has the name of `entry`. */
static bool is_named(const struct vault_environment *environment, size_t count, const char *entry)
{
    size_t length = strcspn(entry, "=");

    for (size_t i = 0; i < count; i++)
        if (value_in(environment->entries[i], entry, length))
            return true;
    return false;
}

/* Append copies of `entries`, for which there is room, but for those with the name of one that
 * stands there already (of two, programs disagree about which holds), and for those that begin with
 * `without`. */
static enum vault_status add_all(struct vault_environment *environment, const char *const *entries,
                                 size_t count, const char *without)
{
    size_t above = environment->count;

    for (size_t i = 0; i < count; i++) {
        char *copy;

        if (is_named(environment, above, entries[i]))
            continue;
        if (without && strncmp(entries[i], without, strlen(without)) == 0)
            continue;
        copy = vault_copy(entries[i], strlen(entries[i]));
        if (!copy)
            return VAULT_NO_MEMORY;
        environment->entries[environment->count++] = copy;
    }
    return VAULT_OK;
}

static enum vault_status new_over(const char *const *upper, const char *const *lower,
                                  const char *without, struct vault_environment **made)
{
    size_t upper_count = count_of(upper), lower_count = count_of(lower);
    struct vault_environment *environment = vault_alloc(sizeof *environment);
    enum vault_status status = VAULT_NO_MEMORY;

    if (!environment)
        return VAULT_NO_MEMORY;
    environment->entries = vault_alloc((upper_count + lower_count + 1) * sizeof(char *));
    if (!environment->entries)
        goto out;
    status = add_all(environment, upper, upper_count, NULL);
    if (status == VAULT_OK)
        status = add_all(environment, lower, lower_count, without);
    if (status == VAULT_OK) {
        *made = environment;
        environment = NULL;
    }
out:
    vault_environment_free(environment);
    vault_registers_clear();
    return status;
}

enum vault_status vault_environment_new(const char *const *entries, struct vault_environment **made)
{
    return new_over(entries, NULL, NULL, made);
}

enum vault_status vault_environment_change(const struct vault_environment *environment,
                                           const char *const *entries, const char *without,
                                           struct vault_environment **made)
{
    const char *const *base = (const char *const *)vault_environment_entries(environment);

    return new_over(entries, base, without, made);
}

/* Whatever an entry means: keys of AWS may be among them. */
static void hide_environ(void)
{
    for (char **entry = environ; entry && *entry; entry++)
        vault_arena_hide(*entry, strlen(*entry));
}

enum vault_status vault_environment_capture(void)
{
    if (captured)
        return VAULT_OK;
    captured_in = getpid();
    hide_environ();
    return vault_environment_new((const char *const *)environ, &captured);
}

const struct vault_environment *vault_environment_process(void)
{
    struct vault_environment *made;

    if (!captured || captured_in == getpid())
        return captured;
    if (!laid_over || laid_in != getpid()) {
        /* A predecessor's copy, inherited through fork, may still be in use by no one here; it is
         * left alone, as is all that was inherited. */
        if (new_over((const char *const *)environ, (const char *const *)captured->entries, NULL,
                     &made) != VAULT_OK)
            return NULL;
        hide_environ();
        laid_over = made;
        laid_in = getpid();
    }
    return laid_over;
}
