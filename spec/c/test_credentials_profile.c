/* test_credentials_profile - which settings and which words two files lead to.
 *
 * For:   the folders of spec/vectors/profile (profile_home.h): `region`, the status word, then the
 *        region or the message; `value` and `endpoint`, a property or service before that. What no
 *        folder can hold is below: denied files, FIFOs, limits.
 * Never: the grammar (test_ini); keys and roles (test_profile_plan).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "credentials_profile.h"
#include "profile_home.h"

static enum vault_status get_region(const struct vault_credential_query *query, const char *unused,
                                    struct vault_buffer *value, struct vault_message *why)
{
    (void)unused;
    return vault_profile_region(query, value, why);
}

/* Copied: it lives no longer than the set. */
static enum vault_status get_endpoint(const struct vault_credential_query *query, const char *key,
                                      struct vault_buffer *value, struct vault_message *why)
{
    struct vault_profile_set *set = NULL;
    struct vault_profile profile;
    const char *url = NULL;
    enum vault_status status = vault_profile_open(query, &set, &profile);

    if (status == VAULT_OK)
        status = vault_profile_service_endpoint(&profile, key, &url, why);
    if (status == VAULT_OK && url)
        status = vault_buffer_text(value, url);
    vault_profile_set_free(set);
    return status;
}

static int check_value(const char *name, const struct vault_credential_query *query,
                       const char *part,
                       enum vault_status (*ask)(const struct vault_credential_query *, const char *,
                                                struct vault_buffer *, struct vault_message *))
{
    struct vault_buffer value;
    struct vault_message why = {0};
    char room[1024], *text = room;
    const char *what, *word;
    enum vault_status status;

    if (!part_of(name, part, room, sizeof room))
        return 0;
    what = ask == get_region ? "" : next_line(&text);
    word = next_line(&text);
    text = next_line(&text);
    vault_buffer_init(&value, ask == get_region ? 9 : 40);
    status = ask(query, what, &value, &why);
    if (strcmp(vault_status_row(status)->word, word) != 0)
        fail_msg("%s: %s, '%s'", name, vault_status_row(status)->word, why.text);
    check_message(&why, status == VAULT_OK ? "" : text);
    assert_string_equal(value.data ? value.data : "", status == VAULT_OK ? text : "");
    vault_buffer_free(&value);
    return 1;
}

static int check_case(const char *name, const struct vault_credential_query *query)
{
    char room[1024];
    int count = check_value(name, query, "region", get_region) +
                check_value(name, query, "value", vault_profile_value) +
                check_value(name, query, "endpoint", get_endpoint);

    if (count == 0 && !part_of(name, "want", room, sizeof room) &&
        !part_of(name, "plan", room, sizeof room))
        fail_msg("%s is no case", name);
    return count;
}

static void test_cases(void **state)
{
    (void)state;
    each_profile(check_case);
}

/* What becomes of the region in `environment`, which is freed: "x", or the message. */
static void expect(struct vault_environment *environment, enum vault_status status,
                   const char *text)
{
    struct vault_credential_query query = {.environment = environment};
    struct vault_message why = {0};
    struct vault_buffer region;

    vault_buffer_init(&region, 8);
    assert_int_equal(vault_profile_region(&query, &region, &why), status);
    check_message(&why, status == VAULT_OK ? "" : text);
    assert_string_equal(region.data ? region.data : "", status == VAULT_OK ? text : "");
    vault_buffer_free(&region);
    vault_environment_free(environment);
}

static void test_without_home(void **state)
{
    (void)state;
    expect(environment_without_home("AWS_CONFIG_FILE=~/x"), VAULT_NOT_CONFIGURED,
           "HOME is not set, so no file ~/.aws/credentials; HOME is not set, so no file ~/x");
}

static void test_limits(void **state)
{
    char *text = malloc(256 * 1024 + 2);

    (void)state;
    memset(text, '\n', 256 * 1024 + 1);
    text[256 * 1024 + 1] = '\0';
    put(".aws/credentials", text);
    expect(environment_with(no_entries), VAULT_TOO_LARGE,
           "cannot open %/.aws/credentials: over 262144 bytes");
    memcpy(text, "AWS_CONFIG_FILE=/", 17);
    text[17 + 4096] = '\0';
    expect(environment_without_home(text), VAULT_TOO_LARGE,
           "the path of the AWS config file is over 4096 bytes");
    free(text);
}

/* A FIFO in the file's place must not stop a worker; alarm() ends one that does. */
static void test_fifo(void **state)
{
    char path[256];

    (void)state;
    put(".aws/credentials", NULL);
    snprintf(path, sizeof path, "%s/.aws/credentials", home);
    assert_int_equal(mkfifo(path, 0644), 0);
    alarm(10);
    expect(environment_with(no_entries), VAULT_BAD_PROFILE,
           "cannot open %/.aws/credentials: not a regular file");
    alarm(0);
    put(".aws/credentials", NULL);
}

/* The same for a user who is not root. */
static void expect_as_nobody(const char *entry, enum vault_status status, const char *message)
{
    const char *const entries[] = {entry, NULL};

    if (in_nobodys_child()) {
        expect(environment_with(entries), status, message);
        _exit(0);
    }
}

#define DENIED ": Permission denied; the user of this process cannot read it"

static void test_denied_file(void **state)
{
    (void)state;
    put(".aws/credentials", "[default]\n" PAIR("1"));
    put(".aws/config", "[default]\n" PAIR("2"));
    set_mode("%/.aws/credentials", 0);
    expect_as_nobody(NULL, VAULT_BAD_PROFILE, "cannot open %/.aws/credentials" DENIED);
    set_mode("%/.aws/credentials", 0644);
    set_mode("%/.aws/config", 0);
    expect_as_nobody(NULL, VAULT_BAD_PROFILE, "cannot open %/.aws/config" DENIED);
    put(".aws/credentials", "[default]\nregion = x\n");
    expect_as_nobody(NULL, VAULT_OK, "x"); /* not needed */
}

/* A worker of another user under root's HOME: silent by default, an error once asked for. */
static void test_denied_folder(void **state)
{
    (void)state;
    put(".aws/credentials", "[default]\n" PAIR("1"));
    put(".aws/config", NULL);
    set_mode("%/.aws", geteuid() == 0 ? 0700 : 0);
    expect_as_nobody(NULL, VAULT_NOT_CONFIGURED,
                     "the user of this process may not look for %/.aws/credentials; the user of "
                     "this process may not look for %/.aws/config");
    expect_as_nobody("AWS_PROFILE=a", VAULT_BAD_PROFILE, "cannot open %/.aws/credentials" DENIED);
    expect_as_nobody("AWS_CONFIG_FILE=%/.aws/config", VAULT_BAD_PROFILE,
                     "cannot open %/.aws/config" DENIED);
    set_mode("%/.aws", 0755);
}

static void test_no_memory(void **state)
{
    struct vault_environment *environment = environment_with(no_entries);
    struct vault_credential_query query = {.environment = environment};
    struct vault_message why = {0};
    struct vault_buffer value;
    enum vault_status status;

    (void)state;
    put(".aws/credentials", NULL);
    put(".aws/config", "[default]\nregion = eu-west-1\nservices = s\n[services s]\nsts =\n"
                       "  endpoint_url = there\n");
    vault_buffer_init(&value, 32);
    for (int i = 0; i < 2; i++) {
        unsigned long nth = 0;

        do {
            vault_alloc_fail(++nth);
            status = i ? get_endpoint(&query, "sts", &value, &why)
                       : vault_profile_value(&query, "region", &value, &why);
            vault_alloc_fail(0);
            assert_true(status == VAULT_OK || (status == VAULT_NO_MEMORY && !value.data));
        } while (status != VAULT_OK);
        assert_true(nth > 5);
        assert_string_equal(value.data, i ? "there" : "eu-west-1");
        vault_buffer_free(&value);
    }
    assert_int_equal(why.length, 0);
    vault_environment_free(environment);
}

/* Behind what the buffer holds already. */
static void test_value_is_appended(void **state)
{
    struct vault_environment *environment = environment_with(no_entries);
    struct vault_credential_query query = {.environment = environment};
    struct vault_message why = {0};
    struct vault_buffer value;

    (void)state;
    put(".aws/credentials", NULL);
    put(".aws/config", "[default]\nregion = eu-west-1\n");
    vault_buffer_init(&value, 12);
    assert_int_equal(vault_buffer_text(&value, "in "), VAULT_OK);
    assert_int_equal(vault_profile_value(&query, "region", &value, &why), VAULT_OK);
    assert_string_equal(value.data, "in eu-west-1");
    assert_int_equal(vault_profile_value(&query, "region", &value, &why), VAULT_TOO_LARGE);
    assert_string_equal(value.data, "in eu-west-1");
    vault_buffer_free(&value);
    vault_environment_free(environment);
}

/* A key that fits no property's name cannot reach another one's value. */
static void test_service_key_is_bounded(void **state)
{
    struct vault_environment *environment = environment_with(no_entries);
    struct vault_credential_query query = {.environment = environment};
    struct vault_message why = {0};
    struct vault_buffer value;
    char key[128];

    (void)state;
    put(".aws/config", "[default]\nservices = s\nendpoint_url = here\n[services s]\nsts =\n"
                       "  endpoint_url = there\n");
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    vault_buffer_init(&value, 32);
    assert_int_equal(get_endpoint(&query, key, &value, &why), VAULT_OK);
    assert_string_equal(value.data, "here");
    vault_buffer_free(&value);
    vault_environment_free(environment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_without_home),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_fifo),
        cmocka_unit_test(test_denied_file),
        cmocka_unit_test(test_denied_folder),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_value_is_appended),
        cmocka_unit_test(test_service_key_is_bounded),
    };

    return cmocka_run_group_tests(tests, make_home, remove_home);
}
