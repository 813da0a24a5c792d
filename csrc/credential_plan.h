/* credential_plan - how a credential is to be had: a base, and the roles to assume on it.
 *
 * For:   what the environment, a profile or a vault's own fields come to, as plain data, so that
 *        identity can carry all of them out in one way.
 * Never: carrying it out, reading files or the environment.
 */
#ifndef VAULT_CREDENTIAL_PLAN_H
#define VAULT_CREDENTIAL_PLAN_H

#include "credentials.h"

#define VAULT_PLAN_ROLES_MAX 6

enum vault_plan_base {
    VAULT_PLAN_KEYS,        /* `keys` */
    VAULT_PLAN_ENVIRONMENT, /* the environment's keys */
    VAULT_PLAN_CONTAINER,
    VAULT_PLAN_INSTANCE,     /* EC2 instance metadata */
    VAULT_PLAN_WEB_IDENTITY, /* the token in `token_file`, exchanged for roles[0] */
    VAULT_PLAN_PROCESS,      /* what the program of `command` prints */
    VAULT_PLAN_SSO           /* IAM Identity Center: `sso` */
};

/* A role of IAM Identity Center, for whoever logged in. vault_plan_clear frees it all. */
struct vault_plan_sso {
    char *account_id;
    char *role_name;
    char *region;
    char *token_file; /* in which `aws sso login` left its token */
    char *login;      /* for messages: "aws sso login --profile x" */
};

struct vault_plan_role {
    char *arn;            /* all from vault_copy */
    char *session_name;   /* NULL: the caller's default */
    char *external_id;    /* NULL: none */
    int duration_seconds; /* 0: AWS's own default */
};

struct vault_plan {
    enum vault_plan_base base;
    struct vault_credential keys;
    char *token_file;
    char *command; /* as the profile has it; not split */
    struct vault_plan_sso sso;
    struct vault_plan_role roles[VAULT_PLAN_ROLES_MAX]; /* in the order of assuming */
    size_t role_count;
};

/* Wipe and free what it holds; {0} afterwards. */
void vault_plan_clear(struct vault_plan *plan);

/* Append copies of a role; `session_name` and `external_id` may be NULL or "". VAULT_OK,
 * VAULT_NO_MEMORY, VAULT_TOO_LARGE (over VAULT_PLAN_ROLES_MAX). Unchanged unless VAULT_OK. */
VAULT_MUST_CHECK enum vault_status vault_plan_add_role(struct vault_plan *plan, const char *arn,
                                                       const char *session_name,
                                                       const char *external_id,
                                                       int duration_seconds);

#endif
