/* profile_plan - how the chosen profile's credential is to be had.
 *
 * For:   what profile_plan.h promises. The way from each role to its source is walked first; the
 *        roles are added to the plan on the way back.
 * Never: a value of the files in a message; only names of files, profiles and properties.
 */
#include "profile_plan.h"

#include <string.h>

#include "credentials_sts.h"
#include "profile.h"
#include "profile_sso.h"

static const char id_name[] = "aws_access_key_id", secret_name[] = "aws_secret_access_key";

static const struct {
    const char *word;
    enum vault_plan_base base;
} sources[] = {{"Environment", VAULT_PLAN_ENVIRONMENT},
               {"Ec2InstanceMetadata", VAULT_PLAN_INSTANCE},
               {"EcsContainer", VAULT_PLAN_CONTAINER}};

struct walk {
    const struct vault_environment *environment;
    struct vault_profile roles[VAULT_PLAN_ROLES_MAX]; /* the chosen profile first */
    size_t count;
    struct vault_plan plan; /* in the making */
};

static enum vault_status amiss(const struct vault_profile *profile, const char *text,
                               struct vault_message *why)
{
    vault_profile_say(profile, why);
    vault_message_add(why, " %s", text);
    return VAULT_BAD_PROFILE;
}

static enum vault_status take_keys(const struct vault_profile *profile,
                                   enum vault_profile_file file, struct vault_credential *keys,
                                   struct vault_message *why)
{
    enum vault_status status = vault_credential_set(
        keys, vault_profile_get_in(profile, file, id_name),
        vault_profile_get_in(profile, file, secret_name),
        vault_profile_get_in(profile, file, "aws_session_token"), "profile", why);

    if (status != VAULT_BAD_CONFIG)
        return status;
    vault_message_add(why, " in ");
    vault_profile_say_section(profile, file, why);
    return VAULT_BAD_PROFILE;
}

static enum vault_status half_set(const struct vault_profile *profile, enum vault_profile_file file,
                                  struct vault_message *why)
{
    bool has_id = vault_profile_get_in(profile, file, id_name) != NULL;

    vault_profile_say(profile, why);
    vault_message_add(why, " has %s but no %s in ", has_id ? id_name : secret_name,
                      has_id ? secret_name : id_name);
    vault_profile_say_path(profile, file, why);
    return VAULT_BAD_PROFILE;
}

static bool has_half(const struct vault_profile *profile, enum vault_profile_file file)
{
    return vault_profile_get_in(profile, file, id_name) ||
           vault_profile_get_in(profile, file, secret_name);
}

/* A complete pair of one file, never a mixture of both. VAULT_NOT_CONFIGURED, with `why` untouched,
 * where the file has none. */
static enum vault_status find_keys(const struct vault_profile *profile,
                                   enum vault_profile_file file, struct vault_credential *keys,
                                   struct vault_message *why)
{
    enum vault_status status = vault_profile_check_file(profile, file, why);

    if (status != VAULT_OK)
        return status;
    if (vault_profile_get_in(profile, file, id_name) &&
        vault_profile_get_in(profile, file, secret_name))
        return take_keys(profile, file, keys, why);
    return VAULT_NOT_CONFIGURED;
}

/* Where AWS's tools would take credentials of `aws login`: they are not passed over in silence. */
static enum vault_status refuse_login(const struct vault_profile *profile,
                                      struct vault_message *why)
{
    if (!vault_profile_get(profile, "login_session"))
        return VAULT_NOT_CONFIGURED;
    return amiss(profile, "uses login_session, which this version does not support yet", why);
}

static enum vault_status find_process(const struct vault_profile *profile, struct vault_plan *plan,
                                      struct vault_message *why)
{
    const char *command = vault_profile_get(profile, "credential_process");

    if (!command)
        return VAULT_NOT_CONFIGURED;
    if (has_half(profile, VAULT_PROFILE_CREDENTIALS))
        return half_set(profile, VAULT_PROFILE_CREDENTIALS, why);
    plan->base = VAULT_PLAN_PROCESS;
    plan->command = vault_copy(command, strlen(command));
    return plan->command ? VAULT_OK : VAULT_NO_MEMORY;
}

static enum vault_status find_half(const struct vault_profile *profile, struct vault_message *why)
{
    for (enum vault_profile_file file = 0; file < VAULT_PROFILE_FILES; file++)
        if (has_half(profile, file))
            return half_set(profile, file, why);
    return VAULT_NOT_CONFIGURED;
}

/* What a profile itself has, in the order of AWS's tools. VAULT_NOT_CONFIGURED, with `why`
 * untouched, where that is nothing. */
static enum vault_status find_own(const struct vault_environment *environment,
                                  const struct vault_profile *profile, struct vault_plan *plan,
                                  struct vault_message *why)
{
    enum vault_status status = vault_profile_sso(environment, profile, plan, why);

    if (status == VAULT_NOT_CONFIGURED)
        status = find_keys(profile, VAULT_PROFILE_CREDENTIALS, &plan->keys, why);
    if (status == VAULT_NOT_CONFIGURED)
        status = refuse_login(profile, why);
    if (status == VAULT_NOT_CONFIGURED)
        status = find_process(profile, plan, why);
    if (status == VAULT_NOT_CONFIGURED)
        status = find_keys(profile, VAULT_PROFILE_CONFIG, &plan->keys, why);
    return status == VAULT_NOT_CONFIGURED ? find_half(profile, why) : status;
}

static enum vault_status refuse_other_ways(const struct vault_profile *profile,
                                           struct vault_message *why)
{
    if (vault_profile_get(profile, "web_identity_token_file"))
        return amiss(profile, "has web_identity_token_file but no role_arn", why);
    return vault_profile_sso_refuse(profile, why);
}

/* Where the walk ends at a profile without a role, or with keys that go before its role. */
static enum vault_status end_at_profile(struct walk *walk, const struct vault_profile *profile,
                                        struct vault_message *why)
{
    enum vault_status status = find_own(walk->environment, profile, &walk->plan, why);

    if (status != VAULT_NOT_CONFIGURED)
        return status;
    if (refuse_other_ways(profile, why) != VAULT_OK)
        return VAULT_BAD_PROFILE;
    if (walk->count) {
        vault_profile_say(profile, why);
        vault_message_add(why, ", the source_profile of ");
        vault_profile_say(&walk->roles[walk->count - 1], why);
        vault_message_add(why, ": ");
        status = VAULT_BAD_PROFILE;
    } else if (profile->named && !vault_profile_stands(profile)) {
        vault_profile_say(profile, why);
        vault_message_add(why, ": ");
        status = VAULT_BAD_PROFILE;
    }
    vault_profile_say_lacks(profile, id_name, why);
    return status;
}

static enum vault_status end_at_token(struct walk *walk, const struct vault_profile *profile,
                                      struct vault_message *why)
{
    struct vault_buffer path;
    enum vault_status status;

    vault_buffer_init(&path, VAULT_PROFILE_PATH_MAX);
    status = vault_profile_path(walk->environment,
                                vault_profile_get(profile, "web_identity_token_file"), &path);
    if (status == VAULT_NOT_FOUND)
        status = amiss(profile, "has web_identity_token_file under ~ and HOME is not set", why);
    else if (status == VAULT_TOO_LARGE)
        status = amiss(profile, "has web_identity_token_file with a path that is too long", why);
    if (status == VAULT_OK) {
        walk->plan.base = VAULT_PLAN_WEB_IDENTITY;
        walk->plan.token_file = vault_copy(path.data, path.length);
        status = walk->plan.token_file ? VAULT_OK : VAULT_NO_MEMORY;
    }
    vault_buffer_free(&path);
    return status;
}

static enum vault_status end_at_source(struct walk *walk, const struct vault_profile *profile,
                                       const char *source, struct vault_message *why)
{
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        if (strcmp(sources[i].word, source) == 0) {
            walk->plan.base = sources[i].base;
            return VAULT_OK;
        }
    }
    return amiss(profile,
                 "has a credential_source that is none of Environment, Ec2InstanceMetadata and "
                 "EcsContainer",
                 why);
}

/* What the role of `profile` is assumed with: *next is a source_profile, or NULL at the end. */
static enum vault_status leave(struct walk *walk, const struct vault_profile *profile,
                               const char **next, struct vault_message *why)
{
    const char *source = vault_profile_get(profile, "credential_source");

    *next = NULL;
    if (vault_profile_get(profile, "web_identity_token_file"))
        return end_at_token(walk, profile, why);
    if (vault_profile_get(profile, "mfa_serial"))
        return amiss(profile,
                     "has mfa_serial, which a gateway cannot use: there is nobody to ask for the "
                     "code",
                     why);
    *next = vault_profile_get(profile, "source_profile");
    if (source && *next)
        return amiss(profile, "has both source_profile and credential_source", why);
    if (source)
        return end_at_source(walk, profile, source, why);
    return *next ? VAULT_OK
                 : amiss(profile,
                         "has role_arn but no source_profile, credential_source or "
                         "web_identity_token_file",
                         why);
}

static enum vault_status enter(struct walk *walk, const struct vault_profile *profile,
                               struct vault_message *why)
{
    if (walk->count == VAULT_PLAN_ROLES_MAX) {
        vault_profile_say(&walk->roles[0], why);
        vault_message_add(why,
                          " has over %d roles on its way from source_profile to source_profile",
                          VAULT_PLAN_ROLES_MAX);
        return VAULT_BAD_PROFILE;
    }
    walk->roles[walk->count++] = *profile;
    return VAULT_OK;
}

static bool was_entered(const struct walk *walk, const char *name)
{
    for (size_t i = 0; i < walk->count; i++)
        if (strcmp(walk->roles[i].name, name) == 0)
            return true;
    return false;
}

static enum vault_status circle(const struct walk *walk, const struct vault_profile *again,
                                struct vault_message *why)
{
    vault_message_add(why, "source_profile goes in a circle: ");
    for (size_t i = 0; i < walk->count; i++) {
        vault_profile_say(&walk->roles[i], why);
        vault_message_add(why, ", ");
    }
    vault_profile_say(again, why);
    return VAULT_BAD_PROFILE;
}

static bool has_a_key(const struct vault_profile *profile)
{
    return vault_profile_get(profile, id_name) || vault_profile_get(profile, secret_name);
}

/* From a profile with a role to where its first credential comes from. As in AWS's tools, keys end
 * the way in every profile but the first, and a profile that names itself means its own keys. */
static enum vault_status walk_on(struct walk *walk, struct vault_profile at,
                                 struct vault_message *why)
{
    const char *source;
    enum vault_status status;

    for (;;) {
        struct vault_profile next = at;

        status = enter(walk, &at, why);
        if (status == VAULT_OK)
            status = leave(walk, &at, &source, why);
        if (status != VAULT_OK || !source)
            return status;
        next.name = source;
        if (has_a_key(&next) && (strcmp(source, at.name) == 0 || !was_entered(walk, source)))
            return end_at_profile(walk, &next, why);
        if (was_entered(walk, source))
            return circle(walk, &next, why);
        if (!vault_profile_get(&next, "role_arn"))
            return end_at_profile(walk, &next, why);
        at = next;
    }
}

static enum vault_status read_duration(const struct vault_profile *profile, int *seconds,
                                       struct vault_message *why)
{
    const char *text = vault_profile_get(profile, "duration_seconds");
    int value = 0;

    *seconds = 0;
    if (!text)
        return VAULT_OK;
    for (; *text >= '0' && *text <= '9' && value <= VAULT_STS_DURATION_MAX; text++)
        value = value * 10 + (*text - '0');
    if (*text || value < VAULT_STS_DURATION_MIN || value > VAULT_STS_DURATION_MAX) {
        vault_profile_say(profile, why);
        vault_message_add(why, " has a duration_seconds that is not a whole number from %d to %d",
                          VAULT_STS_DURATION_MIN, VAULT_STS_DURATION_MAX);
        return VAULT_BAD_PROFILE;
    }
    *seconds = value;
    return VAULT_OK;
}

static enum vault_status add_role(struct vault_plan *plan, const struct vault_profile *profile,
                                  struct vault_message *why)
{
    int seconds;
    enum vault_status status = read_duration(profile, &seconds, why);

    if (status != VAULT_OK)
        return status;
    return vault_plan_add_role(plan, vault_profile_get(profile, "role_arn"),
                               vault_profile_get(profile, "role_session_name"),
                               vault_profile_get(profile, "external_id"), seconds);
}

static enum vault_status make(struct walk *walk, const struct vault_profile *chosen,
                              struct vault_message *why)
{
    enum vault_status status;

    if (!vault_profile_get(chosen, "role_arn"))
        return end_at_profile(walk, chosen, why);
    /* Either file may hold a property of the role. */
    status = vault_profile_check(chosen, why);
    if (status == VAULT_OK)
        status = walk_on(walk, *chosen, why);
    for (size_t i = walk->count; i > 0 && status == VAULT_OK; i--)
        status = add_role(&walk->plan, &walk->roles[i - 1], why);
    return status;
}

enum vault_status vault_profile_plan(const struct vault_credential_query *query,
                                     struct vault_plan *plan, struct vault_message *why)
{
    struct walk walk = {.environment = query->environment};
    struct vault_profile_set *set = NULL;
    struct vault_profile chosen;
    enum vault_status status = vault_profile_open(query, &set, &chosen);

    if (status == VAULT_OK)
        status = make(&walk, &chosen, why);
    if (status == VAULT_OK) {
        vault_plan_clear(plan);
        *plan = walk.plan;
        walk.plan = (struct vault_plan){0};
    }
    vault_plan_clear(&walk.plan);
    vault_profile_set_free(set);
    return status;
}
