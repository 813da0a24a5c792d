/* test_credential_files - which files are listed for which settings, and who can read them.
 *
 * For:   what credential_files.h promises, on a HOME of its own; another user is a child process.
 * Never: what stands in the shared files (test_profile_plan); when anybody is told (files_spec).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "buffer.h"
#include "credential_files.h"
#include "profile_home.h"

#define TOKEN_PROFILE                                                                              \
    "role_arn = arn:aws:iam::123456789012:role/a\nweb_identity_token_file = ~/profile-token\n"
#define CREDENTIALS "the AWS credentials file = %/.aws/credentials"
#define CONFIG      "the AWS config file = %/.aws/config"
#define OF_PROFILE  "the token file of the profile's web identity = %/profile-token"

/* The list as lines "name = path", with " +" where it can be read, " ^" where it is a profile's. */
static const char *list_of(const struct vault_credential_files *files)
{
    static char text[4096];
    size_t length = 0;

    *text = '\0';
    for (size_t i = 0; i < files->count; i++) {
        const struct vault_credential_file *file = &files->list[i];

        assert_true(strlen(file->lost) > 0);
        length +=
            (size_t)snprintf(text + length, sizeof text - length, "%s = %s%s%s\n", file->name,
                             file->path, file->readable ? " +" : "", file->of_profile ? " ^" : "");
        assert_true(length < sizeof text);
    }
    assert_null(strstr(text, "CANARY"));
    return text;
}

static void check_list(const char *const *entries, const char *ca_file, const char *wanted)
{
    struct vault_environment *environment = environment_with(entries);
    struct vault_credential_files files = {0};
    char text[4096];

    assert_int_equal(vault_credential_files_find(environment, ca_file, &files), VAULT_OK);
    assert_string_equal(list_of(&files), in_home(wanted, text, sizeof text));
    vault_credential_files_clear(&files);
    assert_int_equal(files.count, 0);
    assert_null(files.list[0].path);
    vault_environment_free(environment);
}

static void clear_home(void)
{
    put(".aws/credentials", NULL);
    put(".aws/config", NULL);
    put("profile-token", NULL);
    put("token", NULL);
}

static void test_environment(void **state)
{
    static const struct {
        const char *entries[4], *ca_file, *wanted;
    } rows[] = {
        {{NULL}, NULL, CREDENTIALS "\n" CONFIG "\n"},
        {{NULL}, "", CREDENTIALS "\n" CONFIG "\n"},
        {{"AWS_SHARED_CREDENTIALS_FILE=/x", "AWS_CONFIG_FILE=~/token"},
         NULL,
         "the AWS credentials file = /x\nthe AWS config file = %/token +\n"},
        {{"AWS_WEB_IDENTITY_TOKEN_FILE=/x", "AWS_ROLE_ARN=r"},
         NULL,
         CREDENTIALS "\n" CONFIG "\nAWS_WEB_IDENTITY_TOKEN_FILE = /x\n"},
        {{"AWS_WEB_IDENTITY_TOKEN_FILE=%/token", "AWS_ROLE_ARN=r"},
         NULL,
         CREDENTIALS "\n" CONFIG "\nAWS_WEB_IDENTITY_TOKEN_FILE = %/token +\n"},
        /* without a role it is not read */
        {{"AWS_WEB_IDENTITY_TOKEN_FILE=%/token"}, NULL, CREDENTIALS "\n" CONFIG "\n"},
        {{"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=%/token",
          "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://localhost/"},
         NULL,
         CREDENTIALS "\n" CONFIG "\nAWS_CONTAINER_AUTHORIZATION_TOKEN_FILE = %/token +\n"},
        {{"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=%/none",
          "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/x"},
         NULL,
         CREDENTIALS "\n" CONFIG "\nAWS_CONTAINER_AUTHORIZATION_TOKEN_FILE = %/none\n"},
        {{"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=%/token"}, NULL, CREDENTIALS "\n" CONFIG "\n"},
        {{NULL}, "/none.pem", CREDENTIALS "\n" CONFIG "\nthe trusted certificates = /none.pem\n"},
        {{NULL}, "/", CREDENTIALS "\n" CONFIG "\nthe trusted certificates = /\n"},
    };

    (void)state;
    clear_home();
    put("token", "CANARY");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_list(rows[i].entries, rows[i].ca_file, rows[i].wanted);
}

static void test_profile(void **state)
{
    const char *const named[] = {"AWS_PROFILE=a", NULL};

    (void)state;
    clear_home();
    put(".aws/credentials", "[default]\n" PAIR("1"));
    put(".aws/config",
        "[profile a]\n" TOKEN_PROFILE "[profile b]\nrole_arn = arn:aws:iam::123456789012:role/b\n"
        "source_profile = a\n");
    check_list(no_entries, NULL, CREDENTIALS " +\n" CONFIG " +\n");
    check_list(named, NULL, CREDENTIALS " +\n" CONFIG " +\n" OF_PROFILE " ^\n");
    put("profile-token", "CANARY");
    check_list(named, NULL, CREDENTIALS " +\n" CONFIG " +\n" OF_PROFILE " + ^\n");
    check_list((const char *const[]){"AWS_PROFILE=b", NULL}, NULL,
               CREDENTIALS " +\n" CONFIG " +\n" OF_PROFILE " + ^\n");
    put(".aws/config", "malformed CANARY\n");
    check_list(named, NULL, CREDENTIALS " +\n" CONFIG " +\n");
}

static void test_sso(void **state)
{
    struct vault_environment *environment = environment_with(no_entries);
    struct vault_credential_files files = {0};

    (void)state;
    clear_home();
    put(".aws/config", "[default]\nsso_session = s\nsso_account_id = 123456789012\n"
                       "sso_role_name = r\n[sso-session s]\nsso_region = eu-west-1\n"
                       "sso_start_url = https://example.awsapps.com/start\n");
    assert_int_equal(vault_credential_files_find(environment, NULL, &files), VAULT_OK);
    assert_int_equal(files.count, 3);
    assert_string_equal(files.list[2].name, "the profile's SSO token");
    assert_non_null(strstr(files.list[2].path, "/.aws/sso/cache/"));
    assert_true(files.list[2].of_profile);
    assert_false(files.list[2].readable);
    vault_credential_files_clear(&files);
    vault_environment_free(environment);
}

static void test_no_home(void **state)
{
    struct vault_environment *environment = environment_without_home("AWS_CONFIG_FILE=/x");
    struct vault_credential_files files = {0};

    (void)state;
    assert_int_equal(vault_credential_files_find(environment, NULL, &files), VAULT_OK);
    assert_string_equal(list_of(&files), "the AWS config file = /x\n");
    vault_credential_files_clear(&files);
    vault_environment_free(environment);
}

/* What a child of the user nobody finds, root's own files denied to it; 100 where it cannot be. */
static int found_by_nobody(const struct vault_environment *environment, const char *wanted)
{
    struct vault_credential_files files = {0};
    pid_t child = fork();
    int seen;

    assert_true(child >= 0);
    if (child == 0) {
        if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0 ||
            vault_credential_files_find(environment, NULL, &files) != VAULT_OK)
            _exit(100);
        _exit(strcmp(list_of(&files), wanted) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &seen, 0), child);
    assert_true(WIFEXITED(seen));
    return WEXITSTATUS(seen);
}

static void test_another_user(void **state)
{
    const char *const entries[] = {"AWS_PROFILE=a", "AWS_ROLE_ARN=r",
                                   "AWS_WEB_IDENTITY_TOKEN_FILE=%/token", NULL};
    struct vault_environment *environment = environment_with(entries);
    char text[1024];

    (void)state;
    if (geteuid() != 0) {
        vault_environment_free(environment);
        return;
    }
    clear_home();
    put(".aws/config", "[profile a]\n" TOKEN_PROFILE);
    put(".aws/credentials", "[a]\n");
    put("profile-token", "CANARY");
    put("token", "CANARY");
    set_mode("%/profile-token", 0600);
    assert_int_equal(
        found_by_nobody(environment,
                        in_home(CREDENTIALS " +\n" CONFIG " +\n" OF_PROFILE
                                            " ^\nAWS_WEB_IDENTITY_TOKEN_FILE = %/token +\n",
                                text, sizeof text)),
        0);
    set_mode("%/.aws", 0700);
    set_mode("%/token", 0600);
    assert_int_equal(
        found_by_nobody(environment,
                        in_home(CREDENTIALS "\n" CONFIG "\nAWS_WEB_IDENTITY_TOKEN_FILE = "
                                            "%/token\n",
                                text, sizeof text)),
        0);
    set_mode("%/.aws", 0755);
    vault_environment_free(environment);
}

static void test_no_memory(void **state)
{
    const char *const entries[] = {"AWS_PROFILE=a", "AWS_ROLE_ARN=r",
                                   "AWS_WEB_IDENTITY_TOKEN_FILE=%/token", NULL};
    struct vault_environment *environment = environment_with(entries);
    struct vault_credential_files files = {0};
    enum vault_status status;
    unsigned long nth = 0;

    (void)state;
    clear_home();
    put(".aws/config", "[profile a]\n" TOKEN_PROFILE);
    do {
        vault_alloc_fail(++nth);
        status = vault_credential_files_find(environment, "/ca.pem", &files);
        vault_alloc_fail(0);
        assert_true(status == VAULT_OK || (status == VAULT_NO_MEMORY && files.count == 0));
    } while (status != VAULT_OK);
    assert_true(nth > 10);
    assert_int_equal(files.count, 5);
    vault_credential_files_clear(&files);
    vault_environment_free(environment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_environment),  cmocka_unit_test(test_profile),
        cmocka_unit_test(test_sso),          cmocka_unit_test(test_no_home),
        cmocka_unit_test(test_another_user), cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, make_home, remove_home);
}
