/* test_profile_plan - what plan a profile and its sources come to.
 *
 * For:   the folders of spec/vectors/profile (profile_home.h) with `plan`: the status word, then
 *        the message or the plan's lines: "base keys 1" (the tail of both keys, "+token" where
 *        there is one), "base web_identity PATH", "base process COMMAND", "base sso ACCOUNT ROLE
 *        REGION PATH LOGIN", and for each role, in the order of assuming, "role ARN SESSION
 *        EXTERNAL SECONDS", "-" for none. Those with `want` and no `plan` must come to the same
 *        keys or words here.
 * Never: the grammar (test_ini); carrying a plan out.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "profile_home.h"
#include "profile_plan.h"

static const char *const bases[] = {[VAULT_PLAN_KEYS] = "keys",
                                    [VAULT_PLAN_ENVIRONMENT] = "environment",
                                    [VAULT_PLAN_CONTAINER] = "container",
                                    [VAULT_PLAN_INSTANCE] = "instance",
                                    [VAULT_PLAN_WEB_IDENTITY] = "web_identity",
                                    [VAULT_PLAN_PROCESS] = "process",
                                    [VAULT_PLAN_SSO] = "sso"};

static const char *or_dash(const char *text)
{
    return text ? text : "-";
}

static size_t write_keys(const struct vault_credential *keys, char *into, size_t room)
{
    assert_string_equal(keys->source, "profile");
    assert_string_equal(keys->access_key_id + strlen("AKIDCANARY"),
                        keys->secret_access_key + strlen("secretCANARY"));
    return (size_t)snprintf(into, room, "base keys %s%s\n",
                            keys->access_key_id + strlen("AKIDCANARY"),
                            keys->session_token ? "+token" : "");
}

/* What each base needs, and nothing of another's. */
static size_t write_base(const struct vault_plan *plan, char *into, size_t room)
{
    const struct vault_plan_sso *sso = &plan->sso;
    const char *own = plan->token_file ? plan->token_file : plan->command;

    assert_int_equal(plan->keys.access_key_id != NULL, plan->base == VAULT_PLAN_KEYS);
    assert_int_equal(plan->token_file != NULL, plan->base == VAULT_PLAN_WEB_IDENTITY);
    assert_int_equal(plan->command != NULL, plan->base == VAULT_PLAN_PROCESS);
    assert_int_equal(sso->token_file != NULL, plan->base == VAULT_PLAN_SSO);
    if (plan->base == VAULT_PLAN_KEYS)
        return write_keys(&plan->keys, into, room);
    if (plan->base == VAULT_PLAN_SSO)
        return (size_t)snprintf(into, room, "base sso %s %s %s %s %s\n", sso->account_id,
                                sso->role_name, sso->region, sso->token_file, sso->login);
    return (size_t)snprintf(into, room, "base %s%s%s\n", bases[plan->base], own ? " " : "",
                            own ? own : "");
}

static const char *text_of(const struct vault_plan *plan, char *into, size_t room)
{
    size_t length = write_base(plan, into, room);

    for (size_t i = 0; i < plan->role_count; i++)
        length +=
            (size_t)snprintf(into + length, room - length, "role %s %s %s %d\n", plan->roles[i].arn,
                             or_dash(plan->roles[i].session_name),
                             or_dash(plan->roles[i].external_id), plan->roles[i].duration_seconds);
    return into;
}

/* *text of `want` becomes the lines of a plan. */
static char *as_plan(const char *word, char *text, char *into, size_t room)
{
    if (strcmp(word, "ok") != 0)
        return text;
    snprintf(into, room, "base keys %s", text);
    return into;
}

static void check_kept(const struct vault_plan *plan)
{
    assert_int_equal(plan->role_count, 1);
    assert_string_equal(plan->roles[0].arn, "kept");
    assert_string_equal(plan->token_file, "kept");
}

static void fill(struct vault_plan *plan)
{
    *plan = (struct vault_plan){.token_file = vault_copy("kept", 4)};
    assert_non_null(plan->token_file);
    assert_int_equal(vault_plan_add_role(plan, "kept", NULL, NULL, 0), VAULT_OK);
}

static int check_case(const char *name, const struct vault_credential_query *query)
{
    char room[1024], keys[128], wanted[2048], had[2048], *text = room;
    struct vault_message why = {0};
    struct vault_plan plan;
    int is_plan = part_of(name, "plan", room, sizeof room) != NULL;
    const char *word;
    enum vault_status status;

    if (!is_plan && !part_of(name, "want", room, sizeof room))
        return 0;
    word = next_line(&text);
    if (!is_plan)
        text = as_plan(word, text, keys, sizeof keys);
    fill(&plan);
    status = vault_profile_plan(query, &plan, &why);
    if (strcmp(vault_status_row(status)->word, word) != 0)
        fail_msg("%s: %s, '%s'", name, vault_status_row(status)->word, why.text);
    if (status == VAULT_OK) {
        check_message(&why, "");
        assert_string_equal(text_of(&plan, had, sizeof had), in_home(text, wanted, sizeof wanted));
    } else {
        check_message(&why, next_line(&text));
        check_kept(&plan);
    }
    vault_plan_clear(&plan);
    return 1;
}

static void test_cases(void **state)
{
    (void)state;
    each_profile(check_case);
}

/* What the plan is in `environment`, which is freed, for files that lie in HOME already. */
static void expect(struct vault_environment *environment, enum vault_status status,
                   const char *text)
{
    struct vault_credential_query query = {.environment = environment};
    struct vault_plan plan = {0};
    struct vault_message why = {0};
    char had[2048];

    assert_int_equal(vault_profile_plan(&query, &plan, &why), status);
    check_message(&why, status == VAULT_OK ? "" : text);
    if (status == VAULT_OK)
        assert_string_equal(text_of(&plan, had, sizeof had), text);
    vault_plan_clear(&plan);
    vault_environment_free(environment);
}

static void test_token_file_without_home(void **state)
{
    char config[256];

    (void)state;
    put("config", "[default]\nrole_arn = r\nweb_identity_token_file = ~/CANARY\n");
    in_home("AWS_CONFIG_FILE=%/config", config, sizeof config);
    expect(environment_without_home(config), VAULT_BAD_PROFILE,
           "profile \"default\" has web_identity_token_file under ~ and HOME is not set");
    put("config", NULL);
}

static void test_token_file_limit(void **state)
{
    static const char head[] = "[default]\nrole_arn = r\nweb_identity_token_file = /";
    char text[sizeof head + 4096 + 2];

    (void)state;
    memset(text, 'f', sizeof text);
    memcpy(text, head, sizeof head - 1);
    strcpy(text + sizeof head - 1 + 4096, "\n");
    put(".aws/config", text);
    expect(environment_with(no_entries), VAULT_BAD_PROFILE,
           "profile \"default\" has web_identity_token_file with a path that is too long");
    put(".aws/config", NULL);
}

/* A name must not forge a line of the log, nor fill it, however many there are. */
static void test_circle_of_long_names(void **state)
{
    static char config[VAULT_PLAN_ROLES_MAX * 1200];
    struct vault_environment *environment = environment_with(no_entries);
    struct vault_credential_query query = {.environment = environment, .profile = "p0"};
    struct vault_plan plan = {0};
    struct vault_message why = {0};
    char name[VAULT_PLAN_ROLES_MAX][512];
    size_t length = 0;

    (void)state;
    for (int i = 0; i < VAULT_PLAN_ROLES_MAX; i++)
        snprintf(name[i], sizeof name[i], "p%d%s%0*d", i, i ? "-" : "", i ? 500 : 0, i);
    strcpy(name[0], "p0");
    for (int i = 0; i < VAULT_PLAN_ROLES_MAX; i++)
        length += (size_t)snprintf(config + length, sizeof config - length,
                                   "[profile %s]\nrole_arn = r\nsource_profile = %s\n", name[i],
                                   name[(i + 1) % VAULT_PLAN_ROLES_MAX]);
    put(".aws/config", config);
    assert_int_equal(vault_profile_plan(&query, &plan, &why), VAULT_BAD_PROFILE);
    assert_non_null(strstr(why.text, "source_profile goes in a circle: profile \"p0\", profile"));
    assert_string_equal(why.text + why.length - strlen(", profile \"p0\""), ", profile \"p0\"");
    assert_null(strchr(why.text, '\n'));
    put(".aws/config", NULL);
    vault_environment_free(environment);
}

static void expect_as_nobody(const char *entry, enum vault_status status, const char *text)
{
    const char *const entries[] = {entry, NULL};

    if (in_nobodys_child()) {
        expect(environment_with(entries), status, text);
        _exit(0);
    }
}

#define INSTANCE_ROLE "role_arn = r\ncredential_source = Ec2InstanceMetadata\n"
#define DENIED        "cannot open %/.aws/credentials: Permission denied; the user of this process "

/* A role in one file needs the other to be readable: it might say more of the role. */
static void test_denied_file(void **state)
{
    (void)state;
    put(".aws/credentials", "[default]\nexternal_id = e\n");
    put(".aws/config", "[default]\n" INSTANCE_ROLE);
    expect(environment_with(no_entries), VAULT_OK, "base instance\nrole r - e 0\n");
    set_mode("%/.aws/credentials", 0);
    expect_as_nobody(NULL, VAULT_BAD_PROFILE, DENIED "cannot read it");
}

/* But a default file where this user may not even look is passed over, sources included, unless a
 * profile was asked for by name. */
static void test_denied_folder(void **state)
{
    (void)state;
    put(".aws/credentials", "[default]\nexternal_id = e\n");
    put("config", "[default]\nrole_arn = r\nsource_profile = b\n[profile b]\n" INSTANCE_ROLE
                  "[profile x]\n" INSTANCE_ROLE);
    set_mode("%/.aws", geteuid() == 0 ? 0700 : 0);
    expect_as_nobody("AWS_CONFIG_FILE=%/config", VAULT_OK,
                     "base instance\nrole r - - 0\nrole r - - 0\n");
    put("config", "[default]\nrole_arn = r\nsource_profile = b\n[profile b]\n");
    expect_as_nobody("AWS_CONFIG_FILE=%/config", VAULT_BAD_PROFILE,
                     "profile \"b\", the source_profile of profile \"default\": the user of this "
                     "process may not look for %/.aws/credentials; no aws_access_key_id in "
                     "[profile b] of %/config");
    set_mode("%/.aws", 0755);
    put("config", NULL);
}

#define SSO_BEHIND_A_ROLE                                                                          \
    "[default]\nrole_arn = one\nsource_profile = b\n[profile b]\nsso_account_id = 1\n"             \
    "sso_role_name = r\nsso_region = s\nsso_start_url = u\n"
#define LONG_CHAIN                                                                                 \
    "[default]\nrole_arn = one\nsource_profile = b\nrole_session_name = s\n[profile b]\n"          \
    "role_arn = two\nsource_profile = c\nexternal_id = e\n[profile c]\naws_session_token = "       \
    "t\n" PAIR("1")

static void test_no_memory(void **state)
{
    static const char *const configs[] = {
        LONG_CHAIN,
        "[default]\nrole_arn = one\nweb_identity_token_file = ~/token\n",
        "[default]\nrole_arn = one\nsource_profile = b\n[profile b]\ncredential_process = p\n",
        SSO_BEHIND_A_ROLE,
    };
    static const enum vault_plan_base ends[] = {VAULT_PLAN_KEYS, VAULT_PLAN_WEB_IDENTITY,
                                                VAULT_PLAN_PROCESS, VAULT_PLAN_SSO};
    struct vault_environment *environment = environment_with(no_entries);
    struct vault_credential_query query = {.environment = environment};
    struct vault_message why = {0};
    struct vault_plan plan;
    enum vault_status status;

    (void)state;
    put(".aws/credentials", NULL);
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        unsigned long nth = 0;

        put(".aws/config", configs[i]);
        fill(&plan);
        do {
            vault_alloc_fail(++nth);
            status = vault_profile_plan(&query, &plan, &why);
            vault_alloc_fail(0);
            if (status != VAULT_OK) {
                assert_int_equal(status, VAULT_NO_MEMORY);
                check_kept(&plan);
            }
        } while (status != VAULT_OK);
        assert_true(nth > 8);
        assert_int_equal(plan.role_count, i ? 1 : 2);
        assert_int_equal(plan.base, ends[i]);
        vault_plan_clear(&plan);
    }
    assert_int_equal(why.length, 0);
    put(".aws/config", NULL);
    vault_environment_free(environment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_token_file_without_home),
        cmocka_unit_test(test_token_file_limit),
        cmocka_unit_test(test_circle_of_long_names),
        cmocka_unit_test(test_denied_file),
        cmocka_unit_test(test_denied_folder),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, make_home, remove_home);
}
