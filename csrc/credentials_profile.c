/* credentials_profile - what the shared config and credentials files say of one profile.
 *
 * For:   what credentials_profile.h promises. Both files are opened first, each with its outcome;
 *        what is needed of them is decided afterwards. A further way to credentials (a role, SSO)
 *        takes its name out of `later` and reads its properties through value_in.
 * Never: a value of the files in a message; only names of files, profiles and properties.
 */
#include "credentials_profile.h"

#include <stdbool.h>
#include <string.h>

#include "file.h"
#include "ini.h"

#define PATH_LIMIT 4096
#define NAME_SHOW  128

enum { CREDENTIALS_FILE, CONFIG_FILE, FILE_COUNT }; /* in the order of precedence */

static const struct place {
    const char *variable;
    const char *fallback;
    enum vault_ini_kind kind;
} places[FILE_COUNT] = {
    {"AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials", VAULT_INI_CREDENTIALS},
    {"AWS_CONFIG_FILE", "~/.aws/config", VAULT_INI_CONFIG},
};

struct shared_file {
    enum vault_ini_kind kind;
    const char *written; /* the path before '~' was expanded; borrowed */
    bool asked;          /* a variable names it */
    bool homeless;       /* '~' without HOME */
    bool hidden;         /* denied before anyone could say whether it exists */
    struct vault_buffer path;
    struct vault_ini *ini; /* NULL unless `status` is VAULT_OK */
    enum vault_status status;
    struct vault_message why;
};

struct profile {
    const char *name;
    bool named; /* somebody asked for it by name */
    struct shared_file files[FILE_COUNT];
};

/* Ways to credentials that are recognised and not built yet. */
static const char *const later[] = {
    "credential_process",      "sso_session",   "sso_start_url",
    "web_identity_token_file", "login_session",
};

static const char *set_variable(const struct vault_environment *environment, const char *name)
{
    const char *value = vault_environment_get(environment, name);

    return value && *value ? value : NULL;
}

static void choose_name(const struct vault_credential_query *query, struct profile *profile)
{
    const char *name = query->profile && *query->profile ? query->profile : NULL;

    if (!name)
        name = set_variable(query->environment, "AWS_PROFILE");
    if (!name)
        name = set_variable(query->environment, "AWS_DEFAULT_PROFILE");
    profile->named = name != NULL;
    profile->name = name ? name : "default";
}

static enum vault_status expand(const struct vault_environment *environment,
                                struct shared_file *file)
{
    const char *home = set_variable(environment, "HOME");
    const char *rest = file->written;
    enum vault_status status = VAULT_OK;

    if (rest[0] == '~' && (rest[1] == '/' || rest[1] == '\0')) {
        file->homeless = !home;
        if (!home)
            return VAULT_NOT_FOUND;
        status = vault_buffer_text(&file->path, home);
        rest++;
    }
    if (status == VAULT_OK)
        status = vault_buffer_text(&file->path, rest);
    if (status == VAULT_TOO_LARGE)
        vault_message_add(&file->why, "the path of %s is over %d bytes",
                          file->kind == VAULT_INI_CONFIG ? "the AWS config file"
                                                         : "the AWS credentials file",
                          PATH_LIMIT);
    return status;
}

static void quote_path(struct vault_message *why, const struct shared_file *file)
{
    vault_message_quote(why, file->path.data, file->path.length, 256);
}

static enum vault_status parse(struct shared_file *file, const struct vault_buffer *text)
{
    quote_path(&file->why, file);
    vault_message_add(&file->why, ": ");
    return vault_ini_parse(text->data, text->length, file->kind, &file->ini, &file->why);
}

static enum vault_status open_file(const struct vault_environment *environment,
                                   const struct place *place, struct shared_file *file)
{
    const char *asked = set_variable(environment, place->variable);
    struct vault_buffer text;
    enum vault_status status;

    *file = (struct shared_file){.kind = place->kind, .asked = asked != NULL};
    file->written = asked ? asked : place->fallback;
    vault_buffer_init(&file->path, PATH_LIMIT);
    vault_buffer_init(&text, VAULT_INI_SIZE_MAX);
    status = expand(environment, file);
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

static void profile_close(struct profile *profile)
{
    for (size_t i = 0; i < FILE_COUNT; i++) {
        vault_ini_free(profile->files[i].ini);
        vault_buffer_free(&profile->files[i].path);
    }
}

/* Needs profile_close whatever it returns. */
static enum vault_status profile_open(const struct vault_credential_query *query,
                                      struct profile *profile)
{
    enum vault_status status = VAULT_OK;

    *profile = (struct profile){0};
    choose_name(query, profile);
    for (size_t i = 0; i < FILE_COUNT && status == VAULT_OK; i++)
        status = open_file(query->environment, &places[i], &profile->files[i]);
    return status;
}

/* NULL where it is not set or empty. */
static const char *value_in(const struct profile *profile, size_t file, const char *property)
{
    const struct vault_ini *ini = profile->files[file].ini;
    const char *value = ini ? vault_ini_get(ini, "profile", profile->name, property) : NULL;

    return value && *value ? value : NULL;
}

static const char *value_of(const struct profile *profile, const char *property)
{
    const char *value = NULL;

    for (size_t i = 0; i < FILE_COUNT && !value; i++)
        value = value_in(profile, i, property);
    return value;
}

static bool stands_in(const struct profile *profile, size_t file)
{
    const struct vault_ini *ini = profile->files[file].ini;

    return ini && vault_ini_has(ini, "profile", profile->name);
}

/* A default file in root's own folder, seen from a worker of another user, says nothing: it need
 * not exist, and other providers must have their turn. */
static bool is_broken(const struct profile *profile, size_t i)
{
    const struct shared_file *file = &profile->files[i];

    if (file->status == VAULT_OK || file->status == VAULT_NOT_FOUND)
        return false;
    return !file->hidden || file->asked || profile->named;
}

static enum vault_status report_broken(const struct shared_file *file, struct vault_message *why)
{
    vault_message_add(why, "%s", file->why.text);
    return file->status == VAULT_TOO_LARGE ? VAULT_TOO_LARGE : VAULT_BAD_PROFILE;
}

static void say_profile(const struct profile *profile, struct vault_message *why)
{
    vault_message_add(why, "profile \"");
    vault_message_quote(why, profile->name, strlen(profile->name), NAME_SHOW);
    vault_message_add(why, "\"");
}

static void say_section(const struct profile *profile, const struct shared_file *file,
                        struct vault_message *why)
{
    bool prefixed = file->kind == VAULT_INI_CONFIG && strcmp(profile->name, "default") != 0;

    vault_message_add(why, prefixed ? "[profile " : "[");
    vault_message_quote(why, profile->name, strlen(profile->name), NAME_SHOW);
    vault_message_add(why, "]");
}

/* Why one file does not have `property`. */
static void say_lack(const struct profile *profile, size_t i, const char *property,
                     struct vault_message *why)
{
    const struct shared_file *file = &profile->files[i];

    if (file->homeless) {
        vault_message_add(why, "HOME is not set, so no file ");
        vault_message_quote(why, file->written, strlen(file->written), 256);
        return;
    }
    if (file->status == VAULT_NOT_FOUND)
        vault_message_add(why, "no file ");
    else if (!file->ini)
        vault_message_add(why, "the user of this process may not look for ");
    else {
        vault_message_add(why, "no %s", stands_in(profile, i) ? property : "section");
        vault_message_add(why, stands_in(profile, i) ? " in " : " ");
        say_section(profile, file, why);
        vault_message_add(why, stands_in(profile, i) ? " of " : " in ");
    }
    quote_path(why, file);
}

static void say_lacks(const struct profile *profile, const char *property,
                      struct vault_message *why)
{
    say_lack(profile, CREDENTIALS_FILE, property, why);
    vault_message_add(why, "; ");
    say_lack(profile, CONFIG_FILE, property, why);
}

static enum vault_status unsupported(const struct profile *profile, const char *property,
                                     struct vault_message *why)
{
    say_profile(profile, why);
    vault_message_add(why, " uses %s, which this version does not support yet", property);
    return VAULT_BAD_PROFILE;
}

static enum vault_status take_keys(const struct profile *profile, size_t i,
                                   struct vault_credential *credential, struct vault_message *why)
{
    enum vault_status status =
        vault_credential_set(credential, value_in(profile, i, "aws_access_key_id"),
                             value_in(profile, i, "aws_secret_access_key"),
                             value_in(profile, i, "aws_session_token"), "profile", why);

    if (status != VAULT_BAD_CONFIG)
        return status;
    vault_message_add(why, " in ");
    say_section(profile, &profile->files[i], why);
    vault_message_add(why, " of ");
    quote_path(why, &profile->files[i]);
    return VAULT_BAD_PROFILE;
}

static enum vault_status half_set(const struct profile *profile, size_t i, bool has_id,
                                  struct vault_message *why)
{
    say_profile(profile, why);
    vault_message_add(why, " has %s but no %s in ",
                      has_id ? "aws_access_key_id" : "aws_secret_access_key",
                      has_id ? "aws_secret_access_key" : "aws_access_key_id");
    quote_path(why, &profile->files[i]);
    return VAULT_BAD_PROFILE;
}

/* VAULT_NOT_CONFIGURED, with `why` untouched, where no file has a key at all. */
static enum vault_status find_keys(const struct profile *profile,
                                   struct vault_credential *credential, struct vault_message *why)
{
    bool has_id[FILE_COUNT], has_secret[FILE_COUNT];

    for (size_t i = 0; i < FILE_COUNT; i++) {
        if (is_broken(profile, i))
            return report_broken(&profile->files[i], why);
        has_id[i] = value_in(profile, i, "aws_access_key_id") != NULL;
        has_secret[i] = value_in(profile, i, "aws_secret_access_key") != NULL;
        if (has_id[i] && has_secret[i])
            return take_keys(profile, i, credential, why);
    }
    for (size_t i = 0; i < FILE_COUNT; i++)
        if (has_id[i] || has_secret[i])
            return half_set(profile, i, has_id[i], why);
    return VAULT_NOT_CONFIGURED;
}

static enum vault_status find_in(const struct profile *profile, struct vault_credential *credential,
                                 struct vault_message *why)
{
    enum vault_status status;

    /* A role goes before keys of the same profile in AWS's tools: the keys alone would be somebody
     * else than was meant. */
    if (value_of(profile, "role_arn"))
        return unsupported(profile, "role_arn", why);
    status = find_keys(profile, credential, why);
    if (status != VAULT_NOT_CONFIGURED)
        return status;
    for (size_t i = 0; i < sizeof later / sizeof *later; i++)
        if (value_of(profile, later[i]))
            return unsupported(profile, later[i], why);
    if (profile->named && !stands_in(profile, CREDENTIALS_FILE) &&
        !stands_in(profile, CONFIG_FILE)) {
        say_profile(profile, why);
        vault_message_add(why, ": ");
        status = VAULT_BAD_PROFILE;
    }
    say_lacks(profile, "aws_access_key_id", why);
    return status;
}

static enum vault_status profile_find(const struct vault_credential_query *query,
                                      struct vault_credential *credential,
                                      struct vault_message *why)
{
    struct profile profile;
    enum vault_status status = profile_open(query, &profile);

    if (status == VAULT_OK)
        status = find_in(&profile, credential, why);
    profile_close(&profile);
    return status;
}

const struct vault_provider vault_provider_profile = {"profile", profile_find};

static enum vault_status region_in(const struct profile *profile, struct vault_buffer *region,
                                   struct vault_message *why)
{
    const char *value = value_of(profile, "region");

    if (value)
        return vault_buffer_text(region, value);
    for (size_t i = 0; i < FILE_COUNT; i++)
        if (is_broken(profile, i))
            return report_broken(&profile->files[i], why);
    say_lacks(profile, "region", why);
    return VAULT_NOT_CONFIGURED;
}

enum vault_status vault_profile_region(const struct vault_credential_query *query,
                                       struct vault_buffer *region, struct vault_message *why)
{
    struct profile profile;
    enum vault_status status = profile_open(query, &profile);

    if (status == VAULT_OK)
        status = region_in(&profile, region, why);
    profile_close(&profile);
    return status;
}
