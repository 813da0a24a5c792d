/* credential_files - which files the credentials, and the connections that ask for them, depend on.
 *
 * For:   what credential_files.h promises. Each file is found by the room that reads it later on;
 *        whether it can be read is found by opening it.
 * Never: a byte of a file in what it returns.
 */
#include "credential_files.h"

#include <string.h>

#include "credentials_web_identity.h"
#include "file.h"
#include "profile.h"
#include "profile_plan.h"

static const struct vault_credential_file kinds[] = {
    {.name = "the AWS credentials file",
     .lost = "keys, roles and settings of its profiles do not count there"},
    {.name = "the AWS config file",
     .lost = "roles, regions, endpoints and settings of its profiles do not count there"},
    {.name = "the token file of the profile's web identity",
     .lost = "the profile's role cannot be assumed there",
     .of_profile = true},
    {.name = "the profile's SSO token",
     .lost = "credentials of the profile's SSO role cannot be had there",
     .of_profile = true},
    {.name = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
     .lost = "credentials of the container cannot be had there"},
    {.name = "AWS_WEB_IDENTITY_TOKEN_FILE", .lost = "AWS_ROLE_ARN cannot be assumed there"},
    {.name = "the trusted certificates", .lost = "no HTTPS connection can be made there"},
};

enum kind { CREDENTIALS, CONFIG, PROFILE_TOKEN, SSO_TOKEN, CONTAINER_TOKEN, WEB_TOKEN, CA };

void vault_credential_files_clear(struct vault_credential_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        vault_free(files->list[i].path);
    *files = (struct vault_credential_files){0};
}

/* `path` may be NULL or "": there is no such file. */
static enum vault_status add(struct vault_credential_files *files, enum kind kind, const char *path)
{
    struct vault_credential_file file = kinds[kind];

    if (!path || !*path)
        return VAULT_OK;
    file.path = vault_copy(path, strlen(path));
    if (!file.path)
        return VAULT_NO_MEMORY;
    file.readable = vault_file_readable(path);
    files->list[files->count++] = file;
    return VAULT_OK;
}

static enum vault_status add_shared(const struct vault_credential_query *query,
                                    struct vault_credential_files *files)
{
    struct vault_profile_set *set = NULL;
    struct vault_profile profile;
    enum vault_status status = vault_profile_open(query, &set, &profile);

    if (status == VAULT_OK)
        status =
            add(files, CREDENTIALS, vault_profile_file_path(&profile, VAULT_PROFILE_CREDENTIALS));
    if (status == VAULT_OK)
        status = add(files, CONFIG, vault_profile_file_path(&profile, VAULT_PROFILE_CONFIG));
    vault_profile_set_free(set);
    return status;
}

static enum vault_status add_of_profile(const struct vault_credential_query *query,
                                        struct vault_credential_files *files)
{
    struct vault_plan plan = {0};
    struct vault_message ignored = {0};
    enum vault_status status = vault_profile_plan(query, &plan, &ignored);

    if (status == VAULT_OK && plan.base == VAULT_PLAN_WEB_IDENTITY)
        status = add(files, PROFILE_TOKEN, plan.token_file);
    else if (status == VAULT_OK && plan.base == VAULT_PLAN_SSO)
        status = add(files, SSO_TOKEN, plan.sso.token_file);
    vault_plan_clear(&plan);
    return status == VAULT_NO_MEMORY ? status : VAULT_OK;
}

static enum vault_status add_container(const struct vault_environment *environment,
                                       struct vault_credential_files *files)
{
    if (!vault_environment_set(environment, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") &&
        !vault_environment_set(environment, "AWS_CONTAINER_CREDENTIALS_FULL_URI"))
        return VAULT_OK;
    return add(files, CONTAINER_TOKEN,
               vault_environment_set(environment, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"));
}

static enum vault_status add_web_identity(const struct vault_credential_query *query,
                                          struct vault_credential_files *files)
{
    struct vault_plan plan = {0};
    struct vault_message ignored = {0};
    enum vault_status status = vault_web_identity_plan(query, &plan, &ignored);

    if (status == VAULT_OK)
        status = add(files, WEB_TOKEN, plan.token_file);
    vault_plan_clear(&plan);
    return status == VAULT_NO_MEMORY ? status : VAULT_OK;
}

enum vault_status vault_credential_files_find(const struct vault_environment *environment,
                                              const char *ca_file,
                                              struct vault_credential_files *files)
{
    const struct vault_credential_query query = {.environment = environment};
    struct vault_credential_files found = {0};
    enum vault_status status = add_shared(&query, &found);

    if (status == VAULT_OK)
        status = add_of_profile(&query, &found);
    if (status == VAULT_OK)
        status = add_container(environment, &found);
    if (status == VAULT_OK)
        status = add_web_identity(&query, &found);
    if (status == VAULT_OK)
        status = add(&found, CA, ca_file);
    if (status == VAULT_OK) {
        *files = found;
        found = (struct vault_credential_files){0};
    }
    vault_credential_files_clear(&found);
    return status;
}
