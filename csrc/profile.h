/* profile - the two shared files, read, and what they say of one profile.
 *
 * For:   finding the files (AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE, else ~/.aws/..), reading
 *        them through file and ini, choosing the profile, merging (the credentials file wins), and
 *        the words for what they lack.
 * Never: what a property means (profile_plan, profile_sso, credentials_profile), the grammar (ini),
 *        sockets.
 */
#ifndef VAULT_PROFILE_H
#define VAULT_PROFILE_H

#include <stdbool.h>

#include "credentials.h"

#define VAULT_PROFILE_PATH_MAX 4096

/* In the order of precedence. */
enum vault_profile_file {
    VAULT_PROFILE_CREDENTIALS,
    VAULT_PROFILE_CONFIG,
    VAULT_PROFILE_FILES /* how many there are */
};

struct vault_profile_set; /* both files, each with its outcome */

/* One profile of a set. All borrowed: nothing to free. */
struct vault_profile {
    const struct vault_profile_set *set;
    const char *name;
    bool named; /* somebody asked for it by name; it may stand in neither file */
};

/* Read both files and choose the profile: query->profile, else AWS_PROFILE, else
 * AWS_DEFAULT_PROFILE, else "default". What a file had amiss is kept until it is needed
 * (vault_profile_check). *set goes to vault_profile_set_free; `chosen` and what is read from it
 * live as long, and as long as the query. VAULT_OK, VAULT_NO_MEMORY. */
VAULT_MUST_CHECK enum vault_status vault_profile_open(const struct vault_credential_query *query,
                                                      struct vault_profile_set **set,
                                                      struct vault_profile *chosen);
void vault_profile_set_free(struct vault_profile_set *set);

/* A property of one file, or of the first file that has it; NULL where it is not set or empty. */
const char *vault_profile_get_in(const struct vault_profile *profile, enum vault_profile_file file,
                                 const char *property);
const char *vault_profile_get(const struct vault_profile *profile, const char *property);

/* [`type` `name`] of the config file, such as [services x] or [sso-session x]: whether it stands
 * there, and a property of it; NULL where that is not set or empty. */
bool vault_profile_has_section(const struct vault_profile *profile, const char *type,
                               const char *name);
const char *vault_profile_get_of(const struct vault_profile *profile, const char *type,
                                 const char *name, const char *property);

/* Whether the profile has a section in either file. */
bool vault_profile_stands(const struct vault_profile *profile);

/* Where one file lies or would lie, '~' expanded; NULL where HOME is not set or it is too long. */
const char *vault_profile_file_path(const struct vault_profile *profile,
                                    enum vault_profile_file file);

/* Whether one file, or both, can be relied on to have said all it has. A default file in a folder
 * that this user may not search says nothing and is passed over, unless a profile was asked for by
 * name. VAULT_OK (also for an absent file), else what `why` says: VAULT_BAD_PROFILE (malformed,
 * denied), VAULT_TOO_LARGE. */
VAULT_MUST_CHECK enum vault_status vault_profile_check_file(const struct vault_profile *profile,
                                                            enum vault_profile_file file,
                                                            struct vault_message *why);
VAULT_MUST_CHECK enum vault_status vault_profile_check(const struct vault_profile *profile,
                                                       struct vault_message *why);

/* Append `path` to `into`, a leading "~" or "~/" as HOME; unchanged unless VAULT_OK.
 * VAULT_NOT_FOUND (HOME is not set), VAULT_TOO_LARGE, VAULT_NO_MEMORY. */
VAULT_MUST_CHECK enum vault_status vault_profile_path(const struct vault_environment *environment,
                                                      const char *path, struct vault_buffer *into);

/* For messages: profile "x"; [profile x] of /path; /path; why each file has no `property`. */
void vault_profile_say(const struct vault_profile *profile, struct vault_message *why);
void vault_profile_say_section(const struct vault_profile *profile, enum vault_profile_file file,
                               struct vault_message *why);
void vault_profile_say_path(const struct vault_profile *profile, enum vault_profile_file file,
                            struct vault_message *why);
void vault_profile_say_lacks(const struct vault_profile *profile, const char *property,
                             struct vault_message *why);

#endif
