/* test_profile - the two files as a set, one profile of it, and the words for what is not there.
 *
 * For:   what profile.h promises. Which file lies where, and what is denied, has its cases in
 *        test_credentials_profile.
 * Never: the grammar (test_ini); what a property means (test_profile_plan).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "profile.h"
#include "profile_home.h"

#define CREDENTIALS "[a]\nboth = credentials\nempty =\nfirst = 1\n"
#define CONFIG                                                                                     \
    "[profile a]\nboth = config\nempty = config\nsecond = 2\n[profile b]\n[default]\n"             \
    "[services s]\nsts =\n  endpoint_url = there\n"                                                \
    "[sso-session a]\nsso_region = there\nempty =\n"

struct opened {
    struct vault_environment *environment;
    struct vault_profile_set *set;
    struct vault_profile profile;
};

static struct opened open_with(const char *const *entries, const char *asked)
{
    struct opened opened = {.environment = environment_with(entries)};
    struct vault_credential_query query = {.environment = opened.environment, .profile = asked};

    assert_int_equal(vault_profile_open(&query, &opened.set, &opened.profile), VAULT_OK);
    assert_ptr_equal(opened.profile.set, opened.set);
    return opened;
}

static void shut(struct opened *opened)
{
    vault_profile_set_free(opened->set);
    vault_environment_free(opened->environment);
}

static void test_name(void **state)
{
    static const struct {
        const char *asked;
        const char *entries[3];
        const char *name;
        int named;
    } rows[] = {
        {NULL, {NULL}, "default", 0},
        {"", {"AWS_PROFILE=", "AWS_DEFAULT_PROFILE="}, "default", 0},
        {NULL, {"AWS_DEFAULT_PROFILE=d"}, "d", 1},
        {NULL, {"AWS_DEFAULT_PROFILE=d", "AWS_PROFILE=p"}, "p", 1},
        {"q", {"AWS_PROFILE=p"}, "q", 1},
        {NULL, {"AWS_PROFILE=default"}, "default", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct opened opened = open_with(rows[i].entries, rows[i].asked);

        assert_string_equal(opened.profile.name, rows[i].name);
        assert_int_equal(opened.profile.named, rows[i].named);
        shut(&opened);
    }
}

static void check_text(const char *had, const char *wanted)
{
    if (wanted)
        assert_string_equal(had, wanted);
    else
        assert_null(had);
}

static void test_get(void **state)
{
    static const struct {
        const char *property, *credentials, *config, *either;
    } rows[] = {
        {"both", "credentials", "config", "credentials"},
        {"BOTH", "credentials", "config", "credentials"},
        {"empty", NULL, "config", "config"},
        {"first", "1", NULL, "1"},
        {"second", NULL, "2", "2"},
        {"absent", NULL, NULL, NULL},
        {"", NULL, NULL, NULL},
    };
    struct opened opened;

    (void)state;
    put(".aws/credentials", CREDENTIALS);
    put(".aws/config", CONFIG);
    opened = open_with(no_entries, "a");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *property = rows[i].property;

        check_text(vault_profile_get_in(&opened.profile, VAULT_PROFILE_CREDENTIALS, property),
                   rows[i].credentials);
        check_text(vault_profile_get_in(&opened.profile, VAULT_PROFILE_CONFIG, property),
                   rows[i].config);
        check_text(vault_profile_get(&opened.profile, property), rows[i].either);
    }
    assert_true(vault_profile_stands(&opened.profile));
    opened.profile.name = "b";
    assert_true(vault_profile_stands(&opened.profile));
    opened.profile.name = "c";
    assert_false(vault_profile_stands(&opened.profile));
    assert_null(vault_profile_get(&opened.profile, "both"));
    shut(&opened);
}

static void test_sections(void **state)
{
    struct opened opened;

    (void)state;
    put(".aws/credentials", CONFIG);
    put(".aws/config", CONFIG);
    opened = open_with(no_entries, "a");
    assert_true(vault_profile_has_section(&opened.profile, "services", "s"));
    assert_false(vault_profile_has_section(&opened.profile, "services", "a"));
    assert_true(vault_profile_has_section(&opened.profile, "sso-session", "a"));
    assert_false(vault_profile_has_section(&opened.profile, "sso-session", "s"));
    check_text(vault_profile_get_of(&opened.profile, "services", "s", "sts.endpoint_url"), "there");
    assert_null(vault_profile_get_of(&opened.profile, "services", "s", "sts"));
    assert_null(vault_profile_get_of(&opened.profile, "services", "a", "both"));
    check_text(vault_profile_get_of(&opened.profile, "sso-session", "a", "sso_region"), "there");
    assert_null(vault_profile_get_of(&opened.profile, "sso-session", "a", "empty"));
    assert_null(vault_profile_get_of(&opened.profile, "sso-session", "a", "both"));
    shut(&opened);
    put(".aws/config", NULL);
    opened = open_with(no_entries, "a");
    assert_false(vault_profile_has_section(&opened.profile, "services", "s"));
    assert_null(vault_profile_get_of(&opened.profile, "services", "s", "sts.endpoint_url"));
    shut(&opened);
}

static void test_check(void **state)
{
    struct opened opened;
    struct vault_message why = {0};

    (void)state;
    put(".aws/credentials", CREDENTIALS);
    put(".aws/config", "CANARY\n");
    opened = open_with(no_entries, "a");
    assert_int_equal(vault_profile_check_file(&opened.profile, VAULT_PROFILE_CREDENTIALS, &why),
                     VAULT_OK);
    check_message(&why, "");
    assert_int_equal(vault_profile_check(&opened.profile, &why), VAULT_BAD_PROFILE);
    check_message(&why, "%/.aws/config: line 1 comes before the first section");
    check_text(vault_profile_get(&opened.profile, "first"), "1");
    shut(&opened);
    put(".aws/credentials", NULL);
    put(".aws/config", NULL);
    vault_message_clear(&why);
    opened = open_with(no_entries, "a");
    assert_int_equal(vault_profile_check(&opened.profile, &why), VAULT_OK);
    check_message(&why, "");
    shut(&opened);
}

static void test_words(void **state)
{
    struct vault_message why = {0};
    struct opened opened;

    (void)state;
    put(".aws/credentials", CREDENTIALS);
    put(".aws/config", NULL);
    opened = open_with(no_entries, "a");
    vault_profile_say(&opened.profile, &why);
    vault_message_add(&why, " | ");
    vault_profile_say_section(&opened.profile, VAULT_PROFILE_CREDENTIALS, &why);
    vault_message_add(&why, " | ");
    vault_profile_say_section(&opened.profile, VAULT_PROFILE_CONFIG, &why);
    vault_message_add(&why, " | ");
    vault_profile_say_lacks(&opened.profile, "x", &why);
    check_message(&why,
                  "profile \"a\" | [a] of %/.aws/credentials | [profile a] of %/.aws/config | "
                  "no x in [a] of %/.aws/credentials; no file %/.aws/config");
    opened.profile.name = "default";
    vault_message_clear(&why);
    vault_profile_say_section(&opened.profile, VAULT_PROFILE_CONFIG, &why);
    check_message(&why, "[default] of %/.aws/config");
    opened.profile.name = "b\n";
    vault_message_clear(&why);
    vault_profile_say_lacks(&opened.profile, "x", &why);
    check_message(&why, "no section [b\\x0A] in %/.aws/credentials; no file %/.aws/config");
    shut(&opened);
}

static void test_path(void **state)
{
    static const struct {
        const char *path, *wanted;
    } rows[] = {{"~", "%"},   {"~/", "%/"},           {"~/x", "%/x"}, {"~x", "~x"},
                {"/~", "/~"}, {"~root/x", "~root/x"}, {"x", "x"},     {"", ""}};
    struct vault_environment *environment = environment_with(no_entries);
    struct vault_environment *bare = environment_without_home("HOME=");
    struct vault_buffer path;
    char text[256];

    (void)state;
    vault_buffer_init(&path, 40);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        vault_buffer_free(&path);
        assert_int_equal(vault_buffer_text(&path, ">"), VAULT_OK);
        assert_int_equal(vault_profile_path(environment, rows[i].path, &path), VAULT_OK);
        assert_string_equal(path.data + 1, in_home(rows[i].wanted, text, sizeof text));
    }
    vault_buffer_clear(&path);
    assert_int_equal(vault_buffer_text(&path, ">"), VAULT_OK);
    assert_int_equal(vault_profile_path(bare, "~/x", &path), VAULT_NOT_FOUND);
    assert_int_equal(vault_profile_path(environment, "~/0123456789012345", &path), VAULT_TOO_LARGE);
    assert_string_equal(path.data, ">");
    assert_int_equal(path.length, 1);
    vault_buffer_free(&path);
    vault_environment_free(environment);
    vault_environment_free(bare);
}

static void test_file_path(void **state)
{
    const char *const asked[] = {"AWS_CONFIG_FILE=~/x", NULL};
    struct opened opened = open_with(asked, NULL);
    char text[256];

    (void)state;
    check_text(vault_profile_file_path(&opened.profile, VAULT_PROFILE_CREDENTIALS),
               in_home("%/.aws/credentials", text, sizeof text));
    check_text(vault_profile_file_path(&opened.profile, VAULT_PROFILE_CONFIG),
               in_home("%/x", text, sizeof text));
    shut(&opened);
    opened.environment = environment_without_home("AWS_CONFIG_FILE=/x");
    assert_int_equal(
        vault_profile_open(&(struct vault_credential_query){.environment = opened.environment},
                           &opened.set, &opened.profile),
        VAULT_OK);
    assert_null(vault_profile_file_path(&opened.profile, VAULT_PROFILE_CREDENTIALS));
    check_text(vault_profile_file_path(&opened.profile, VAULT_PROFILE_CONFIG), "/x");
    shut(&opened);
}

static void test_no_memory(void **state)
{
    struct vault_environment *environment = environment_with(no_entries);
    struct vault_credential_query query = {.environment = environment};
    struct vault_profile_set *set = NULL;
    struct vault_profile profile = {0};
    enum vault_status status;
    unsigned long nth = 0;

    (void)state;
    put(".aws/credentials", CREDENTIALS);
    put(".aws/config", CONFIG);
    do {
        vault_alloc_fail(++nth);
        status = vault_profile_open(&query, &set, &profile);
        vault_alloc_fail(0);
        assert_true(status == VAULT_OK || (status == VAULT_NO_MEMORY && !set && !profile.name));
    } while (status != VAULT_OK);
    assert_true(nth > 8);
    vault_profile_set_free(set);
    vault_environment_free(environment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name),      cmocka_unit_test(test_get),
        cmocka_unit_test(test_sections),  cmocka_unit_test(test_check),
        cmocka_unit_test(test_words),     cmocka_unit_test(test_path),
        cmocka_unit_test(test_file_path), cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, make_home, remove_home);
}
