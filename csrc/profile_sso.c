/* profile_sso - what a profile says of IAM Identity Center.
 *
 * For:   what profile_sso.h promises.
 * Never: a value of the files in a message; only names of files, profiles and properties.
 */
#include "profile_sso.h"

#include <string.h>

#include "digest.h"
#include "endpoint.h"

#define SECTION "sso-session"
#define FOLDER  "~/.aws/sso/cache/"
#define LOGIN   "aws sso login"

static const char session_name[] = "sso_session", account_name[] = "sso_account_id",
                  role_name[] = "sso_role_name", region_name[] = "sso_region",
                  url_name[] = "sso_start_url";

/* All borrowed from the profile. */
struct wanted {
    const char *session; /* NULL: the profile has it all itself */
    const char *account, *role, *region, *start_url;
};

static void say(const struct vault_profile *profile, struct vault_message *why)
{
    vault_profile_say(profile, why);
    vault_message_add(why, " uses IAM Identity Center");
}

static enum vault_status amiss(const struct vault_profile *profile, const char *text,
                               struct vault_message *why)
{
    say(profile, why);
    vault_message_add(why, "%s", text);
    return VAULT_BAD_PROFILE;
}

static enum vault_status lacks(const struct vault_profile *profile, const char *property,
                               struct vault_message *why)
{
    say(profile, why);
    vault_message_add(why, " and has no %s", property);
    return VAULT_BAD_PROFILE;
}

static enum vault_status lacks_in_section(const struct vault_profile *profile, const char *property,
                                          struct vault_message *why)
{
    say(profile, why);
    vault_message_add(why, ", and its section [" SECTION "] has no %s in ", property);
    vault_profile_say_path(profile, VAULT_PROFILE_CONFIG, why);
    return VAULT_BAD_PROFILE;
}

static enum vault_status lacks_section(const struct vault_profile *profile,
                                       struct vault_message *why)
{
    say(profile, why);
    vault_message_add(why, " by a section [" SECTION "] that does not stand in ");
    vault_profile_say_path(profile, VAULT_PROFILE_CONFIG, why);
    return VAULT_BAD_PROFILE;
}

static enum vault_status differ(const struct vault_profile *profile, const char *property,
                                struct vault_message *why)
{
    say(profile, why);
    vault_message_add(why, " and has another %s than its section [" SECTION "] of ", property);
    vault_profile_say_path(profile, VAULT_PROFILE_CONFIG, why);
    return VAULT_BAD_PROFILE;
}

static enum vault_status find_own(const struct vault_profile *profile, const char *property,
                                  const char **value, struct vault_message *why)
{
    *value = vault_profile_get(profile, property);
    return *value ? VAULT_OK : lacks(profile, property, why);
}

/* What a section is to say, the profile may say too, but nothing else: it would mean another login
 * than the one that is there. */
static enum vault_status find(const struct vault_profile *profile, const char *session,
                              const char *property, const char **value, struct vault_message *why)
{
    const char *own = vault_profile_get(profile, property);

    if (!session)
        return find_own(profile, property, value, why);
    *value = vault_profile_get_of(profile, SECTION, session, property);
    if (!*value)
        return lacks_in_section(profile, property, why);
    return !own || strcmp(own, *value) == 0 ? VAULT_OK : differ(profile, property, why);
}

static enum vault_status find_all(const struct vault_profile *profile, struct wanted *wanted,
                                  struct vault_message *why)
{
    enum vault_status status = find_own(profile, account_name, &wanted->account, why);

    if (status == VAULT_OK)
        status = find_own(profile, role_name, &wanted->role, why);
    wanted->session = vault_profile_get(profile, session_name);
    if (status == VAULT_OK && wanted->session &&
        !vault_profile_has_section(profile, SECTION, wanted->session))
        status = lacks_section(profile, why);
    if (status == VAULT_OK)
        status = find(profile, wanted->session, region_name, &wanted->region, why);
    if (status == VAULT_OK)
        status = find(profile, wanted->session, url_name, &wanted->start_url, why);
    if (status == VAULT_OK && !vault_region_valid(wanted->region))
        status = amiss(profile, " with an sso_region that no AWS region looks like", why);
    return status;
}

/* As AWS's tools name it: the hash is of the session's name, else of the start URL. */
static enum vault_status put_path(const struct vault_environment *environment,
                                  const struct wanted *wanted, struct vault_buffer *path)
{
    const char *hashed = wanted->session ? wanted->session : wanted->start_url;
    char name[sizeof FOLDER + VAULT_SHA1_HEX + sizeof ".json"] = FOLDER;
    char *hex = name + sizeof FOLDER - 1;
    enum vault_status status = vault_digest_sha1_hex(hashed, strlen(hashed), hex);

    if (status != VAULT_OK)
        return status;
    memcpy(hex + VAULT_SHA1_HEX, ".json", sizeof ".json");
    return vault_profile_path(environment, name, path);
}

static enum vault_status find_token(const struct vault_environment *environment,
                                    const struct vault_profile *profile,
                                    const struct wanted *wanted, char **path,
                                    struct vault_message *why)
{
    struct vault_buffer made;
    enum vault_status status;

    vault_buffer_init(&made, VAULT_PROFILE_PATH_MAX);
    status = put_path(environment, wanted, &made);
    if (status == VAULT_NOT_FOUND)
        status = amiss(profile, ", whose login lies under ~, and HOME is not set", why);
    else if (status == VAULT_TOO_LARGE)
        status = amiss(profile, ", whose login lies under ~, and HOME is too long", why);
    if (status == VAULT_OK) {
        *path = vault_copy(made.data, made.length);
        status = *path ? VAULT_OK : VAULT_NO_MEMORY;
    }
    vault_buffer_free(&made);
    return status;
}

static char *copy_login(const char *profile)
{
    static const char option[] = LOGIN " --profile ";
    size_t length = strlen(profile);
    char *made;

    if (strcmp(profile, "default") == 0)
        return vault_copy(LOGIN, strlen(LOGIN));
    made = vault_alloc(sizeof option + length);
    if (made) {
        memcpy(made, option, sizeof option - 1);
        memcpy(made + sizeof option - 1, profile, length);
    }
    return made;
}

static enum vault_status copy_all(const struct vault_profile *profile, const struct wanted *wanted,
                                  struct vault_plan_sso *sso)
{
    sso->account_id = vault_copy(wanted->account, strlen(wanted->account));
    sso->role_name = vault_copy(wanted->role, strlen(wanted->role));
    sso->region = vault_copy(wanted->region, strlen(wanted->region));
    sso->login = copy_login(profile->name);
    return sso->account_id && sso->role_name && sso->region && sso->login ? VAULT_OK
                                                                          : VAULT_NO_MEMORY;
}

enum vault_status vault_profile_sso(const struct vault_environment *environment,
                                    const struct vault_profile *profile, struct vault_plan *plan,
                                    struct vault_message *why)
{
    struct vault_plan made = {.base = VAULT_PLAN_SSO};
    struct wanted wanted = {0};
    enum vault_status status;

    if (!vault_profile_get(profile, account_name) && !vault_profile_get(profile, role_name))
        return VAULT_NOT_CONFIGURED;
    status = vault_profile_check(profile, why);
    if (status == VAULT_OK)
        status = find_all(profile, &wanted, why);
    if (status == VAULT_OK)
        status = find_token(environment, profile, &wanted, &made.sso.token_file, why);
    if (status == VAULT_OK)
        status = copy_all(profile, &wanted, &made.sso);
    if (status == VAULT_OK) {
        vault_plan_clear(plan);
        *plan = made;
        made = (struct vault_plan){0};
    }
    vault_plan_clear(&made);
    return status;
}

enum vault_status vault_profile_sso_refuse(const struct vault_profile *profile,
                                           struct vault_message *why)
{
    static const char *const names[] = {session_name, url_name, region_name};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (vault_profile_get(profile, names[i])) {
            vault_profile_say(profile, why);
            vault_message_add(why, " has %s but neither %s nor %s", names[i], account_name,
                              role_name);
            return VAULT_BAD_PROFILE;
        }
    }
    return VAULT_OK;
}
