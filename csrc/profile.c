/* profile - the two shared files, read, and what they say of one profile.
 *
 * For:   what profile.h promises. Both files are opened first, each with its outcome; what is
 *        needed of them is decided afterwards.
 * Never: a value of the files in a message; only names of files, profiles and properties.
 */
#include "profile.h"

#include <string.h>

#include "file.h"
#include "ini.h"

#define NAME_SHOW 128
#define PATH_SHOW 256

static const struct place {
    const char *variable;
    const char *fallback;
    const char *what;
    enum vault_ini_kind kind;
} places[VAULT_PROFILE_FILES] = {
    {"AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", "the AWS credentials file",
     VAULT_INI_CREDENTIALS},
    {"AWS_CONFIG_FILE", "~/.aws/config", "the AWS config file", VAULT_INI_CONFIG},
};

struct shared_file {
    const struct place *place;
    const char *written; /* the path before '~' was expanded; borrowed */
    bool asked;          /* a variable names it */
    bool homeless;       /* '~' without HOME */
    bool hidden;         /* denied before anyone could say whether it exists */
    struct vault_buffer path;
    struct vault_ini *ini; /* NULL unless `status` is VAULT_OK */
    enum vault_status status;
    struct vault_message why;
};

struct vault_profile_set {
    struct shared_file files[VAULT_PROFILE_FILES];
};

static const struct shared_file *file_of(const struct vault_profile *profile,
                                         enum vault_profile_file file)
{
    return &profile->set->files[file];
}

static void choose(const struct vault_credential_query *query, const struct vault_profile_set *set,
                   struct vault_profile *profile)
{
    const char *name = query->profile && *query->profile ? query->profile : NULL;

    if (!name)
        name = vault_environment_set(query->environment, "AWS_PROFILE");
    if (!name)
        name = vault_environment_set(query->environment, "AWS_DEFAULT_PROFILE");
    *profile =
        (struct vault_profile){.set = set, .name = name ? name : "default", .named = name != NULL};
}

enum vault_status vault_profile_path(const struct vault_environment *environment, const char *path,
                                     struct vault_buffer *into)
{
    bool at_home = path[0] == '~' && (path[1] == '/' || path[1] == '\0');
    const char *home = at_home ? vault_environment_set(environment, "HOME") : "";
    size_t before = into->length;
    enum vault_status status;

    if (!home)
        return VAULT_NOT_FOUND;
    status = vault_buffer_text(into, home);
    if (status == VAULT_OK)
        status = vault_buffer_text(into, path + at_home);
    if (status != VAULT_OK && into->length > before) {
        into->length = before;
        into->data[before] = '\0';
    }
    return status;
}

static void quote_path(struct vault_message *why, const struct shared_file *file)
{
    vault_message_quote(why, file->path.data, file->path.length, PATH_SHOW);
}

static enum vault_status find(const struct vault_environment *environment, struct shared_file *file)
{
    enum vault_status status = vault_profile_path(environment, file->written, &file->path);

    file->homeless = status == VAULT_NOT_FOUND;
    if (status == VAULT_TOO_LARGE)
        vault_message_add(&file->why, "the path of %s is over %d bytes", file->place->what,
                          VAULT_PROFILE_PATH_MAX);
    return status;
}

static enum vault_status parse(struct shared_file *file, const struct vault_buffer *text)
{
    quote_path(&file->why, file);
    vault_message_add(&file->why, ": ");
    return vault_ini_parse(text->data, text->length, file->place->kind, &file->ini, &file->why);
}

static enum vault_status open_file(const struct vault_environment *environment,
                                   const struct place *place, struct shared_file *file)
{
    const char *asked = vault_environment_set(environment, place->variable);
    struct vault_buffer text;
    enum vault_status status;

    file->place = place;
    file->asked = asked != NULL;
    file->written = asked ? asked : place->fallback;
    vault_buffer_init(&file->path, VAULT_PROFILE_PATH_MAX);
    vault_buffer_init(&text, VAULT_INI_SIZE_MAX);
    status = find(environment, file);
    if (status == VAULT_OK)
        status = vault_file_read(file->path.data, &text, &file->why);
    if (status == VAULT_OK)
        status = parse(file, &text);
    if (status == VAULT_ACCESS_DENIED) {
        file->hidden = !vault_file_stands(file->path.data);
        vault_message_add(&file->why, "; the user of this process cannot read it");
    }
    vault_buffer_free(&text);
    file->status = status;
    return status == VAULT_NO_MEMORY ? status : VAULT_OK;
}

void vault_profile_set_free(struct vault_profile_set *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < VAULT_PROFILE_FILES; i++) {
        vault_ini_free(set->files[i].ini);
        vault_buffer_free(&set->files[i].path);
    }
    vault_free(set);
}

enum vault_status vault_profile_open(const struct vault_credential_query *query,
                                     struct vault_profile_set **set, struct vault_profile *chosen)
{
    struct vault_profile_set *made = vault_alloc(sizeof *made);
    enum vault_status status = made ? VAULT_OK : VAULT_NO_MEMORY;

    for (size_t i = 0; i < VAULT_PROFILE_FILES && status == VAULT_OK; i++)
        status = open_file(query->environment, &places[i], &made->files[i]);
    if (status == VAULT_OK) {
        choose(query, made, chosen);
        *set = made;
        made = NULL;
    }
    vault_profile_set_free(made);
    return status;
}

static const char *get(const struct shared_file *file, const char *type, const char *name,
                       const char *property)
{
    const char *value = file->ini ? vault_ini_get(file->ini, type, name, property) : NULL;

    return value && *value ? value : NULL;
}

const char *vault_profile_get_in(const struct vault_profile *profile, enum vault_profile_file file,
                                 const char *property)
{
    return get(file_of(profile, file), "profile", profile->name, property);
}

const char *vault_profile_get(const struct vault_profile *profile, const char *property)
{
    const char *value = vault_profile_get_in(profile, VAULT_PROFILE_CREDENTIALS, property);

    return value ? value : vault_profile_get_in(profile, VAULT_PROFILE_CONFIG, property);
}

bool vault_profile_has_section(const struct vault_profile *profile, const char *type,
                               const char *name)
{
    const struct vault_ini *ini = file_of(profile, VAULT_PROFILE_CONFIG)->ini;

    return ini && vault_ini_has(ini, type, name);
}

const char *vault_profile_get_of(const struct vault_profile *profile, const char *type,
                                 const char *name, const char *property)
{
    return get(file_of(profile, VAULT_PROFILE_CONFIG), type, name, property);
}

static bool stands_in(const struct vault_profile *profile, enum vault_profile_file file)
{
    const struct vault_ini *ini = file_of(profile, file)->ini;

    return ini && vault_ini_has(ini, "profile", profile->name);
}

bool vault_profile_stands(const struct vault_profile *profile)
{
    return stands_in(profile, VAULT_PROFILE_CREDENTIALS) ||
           stands_in(profile, VAULT_PROFILE_CONFIG);
}

const char *vault_profile_file_path(const struct vault_profile *profile,
                                    enum vault_profile_file file)
{
    const struct vault_buffer *path = &file_of(profile, file)->path;

    return path->length ? path->data : NULL;
}

enum vault_status vault_profile_check_file(const struct vault_profile *profile,
                                           enum vault_profile_file number,
                                           struct vault_message *why)
{
    const struct shared_file *file = file_of(profile, number);

    if (file->status == VAULT_OK || file->status == VAULT_NOT_FOUND)
        return VAULT_OK;
    /* In root's own folder, seen from a worker of another user: it need not exist, and other
     * providers must have their turn. */
    if (file->hidden && !file->asked && !profile->named)
        return VAULT_OK;
    vault_message_add(why, "%s", file->why.text);
    return file->status == VAULT_TOO_LARGE || file->status == VAULT_INTERNAL ? file->status
                                                                             : VAULT_BAD_PROFILE;
}

enum vault_status vault_profile_check(const struct vault_profile *profile,
                                      struct vault_message *why)
{
    enum vault_status status = vault_profile_check_file(profile, VAULT_PROFILE_CREDENTIALS, why);

    return status == VAULT_OK ? vault_profile_check_file(profile, VAULT_PROFILE_CONFIG, why)
                              : status;
}

static void say_name(const struct vault_profile *profile, struct vault_message *why)
{
    vault_message_quote(why, profile->name, strlen(profile->name), NAME_SHOW);
}

void vault_profile_say(const struct vault_profile *profile, struct vault_message *why)
{
    vault_message_add(why, "profile \"");
    say_name(profile, why);
    vault_message_add(why, "\"");
}

static void say_brackets(const struct vault_profile *profile, enum vault_profile_file file,
                         struct vault_message *why)
{
    bool prefixed = file == VAULT_PROFILE_CONFIG && strcmp(profile->name, "default") != 0;

    vault_message_add(why, prefixed ? "[profile " : "[");
    say_name(profile, why);
    vault_message_add(why, "]");
}

void vault_profile_say_path(const struct vault_profile *profile, enum vault_profile_file file,
                            struct vault_message *why)
{
    const struct shared_file *at = file_of(profile, file);

    if (at->path.length)
        quote_path(why, at);
    else
        vault_message_quote(why, at->written, strlen(at->written), PATH_SHOW);
}

void vault_profile_say_section(const struct vault_profile *profile, enum vault_profile_file file,
                               struct vault_message *why)
{
    say_brackets(profile, file, why);
    vault_message_add(why, " of ");
    vault_profile_say_path(profile, file, why);
}

/* Why one file does not have `property`. */
static void say_lack(const struct vault_profile *profile, enum vault_profile_file number,
                     const char *property, struct vault_message *why)
{
    const struct shared_file *file = file_of(profile, number);

    if (file->homeless)
        vault_message_add(why, "HOME is not set, so no file ");
    else if (file->status == VAULT_NOT_FOUND)
        vault_message_add(why, "no file ");
    else if (!file->ini)
        vault_message_add(why, "the user of this process may not look for ");
    else if (stands_in(profile, number)) {
        vault_message_add(why, "no %s in ", property);
        vault_profile_say_section(profile, number, why);
        return;
    } else {
        vault_message_add(why, "no section ");
        say_brackets(profile, number, why);
        vault_message_add(why, " in ");
    }
    vault_profile_say_path(profile, number, why);
}

void vault_profile_say_lacks(const struct vault_profile *profile, const char *property,
                             struct vault_message *why)
{
    say_lack(profile, VAULT_PROFILE_CREDENTIALS, property, why);
    vault_message_add(why, "; ");
    say_lack(profile, VAULT_PROFILE_CONFIG, property, why);
}
