/* test_credentials_profile - which keys, which region and which words two files lead to.
 *
 * For:   the folders of spec/vectors/profile: the two files as far as they are there, `environment`
 *        (lines; HOME is always set), `query` (the profile asked for) and `want` or `region`: the
 *        status word, then the tail of both keys, the region or the message. "%" stands for HOME.
 *        What no folder can hold is below: denied files, FIFOs, limits.
 * Never: the grammar (test_ini); the real HOME.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "credentials_profile.h"

#define NOBODY 65534
#define PAIR(who)                                                                                  \
    "aws_access_key_id = AKIDCANARY" who "\naws_secret_access_key = secretCANARY" who "\n"
#define FOLDER "spec/vectors/profile"

static char home[64];

static void put(const char *name, const char *text)
{
    char path[256];
    int file;

    snprintf(path, sizeof path, "%s/%s", home, name);
    unlink(path);
    if (!text)
        return;
    file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    close(file);
}

/* `text` with every "%" as HOME. */
static const char *in_home(const char *text, char *into, size_t room)
{
    size_t length = 0;

    for (*into = '\0'; *text; text++)
        length += (size_t)snprintf(into + length, room - length, *text == '%' ? "%s" : "%.1s",
                                   *text == '%' ? home : text);
    return into;
}

/* HOME and up to three entries. */
static struct vault_environment *environment_with(const char *const *entries)
{
    char texts[4][256];
    const char *list[5] = {in_home("HOME=%", texts[0], sizeof texts[0])};
    struct vault_environment *made = NULL;

    for (int i = 0; i < 3 && entries[i]; i++)
        list[i + 1] = in_home(entries[i], texts[i + 1], sizeof texts[0]);
    assert_int_equal(vault_environment_new(list, &made), VAULT_OK);
    return made;
}

static void check_message(const struct vault_message *why, const char *wanted)
{
    char text[1024];

    assert_string_equal(why->text, in_home(wanted, text, sizeof text));
    assert_null(strstr(why->text, "CANARY"));
}

/* One file of a case; NULL where the case has none. */
static const char *part_of(const char *name, const char *part, char *into, size_t room)
{
    char path[256];
    FILE *file;
    size_t length;

    snprintf(path, sizeof path, FOLDER "/%s/%s", name, part);
    file = fopen(path, "rb");
    if (!file)
        return NULL;
    length = fread(into, 1, room - 1, file);
    fclose(file);
    into[length] = '\0';
    return into;
}

static struct vault_environment *environment_of(const char *name)
{
    char text[512], *rest = text, *line;
    const char *entries[4] = {NULL};
    int count = 0;

    if (part_of(name, "environment", text, sizeof text))
        while (count < 3 && (line = strsep(&rest, "\n")) && *line)
            entries[count++] = line;
    return environment_with(entries);
}

/* `part` is a status word and, on the next line, *text. 0 where the case has no such part. */
static int wants(const char *name, const char *part, char *room, size_t size, const char **text)
{
    if (!part_of(name, part, room, size))
        return 0;
    room[strcspn(room, "\n")] = '\0';
    *text = room + strlen(room) + 1;
    room[strlen(room) + 1 + strcspn(*text, "\n")] = '\0';
    return 1;
}

static int check_keys(const char *name, const struct vault_credential_query *query)
{
    struct vault_credential credential = {0};
    struct vault_message why = {0};
    char word[1024];
    const char *text;
    enum vault_status status;

    if (!wants(name, "want", word, sizeof word, &text))
        return 0;
    status = vault_provider_profile.find(query, &credential, &why);
    if (strcmp(vault_status_row(status)->word, word) != 0)
        fail_msg("%s: %s, '%s'", name, vault_status_row(status)->word, why.text);
    check_message(&why, status == VAULT_OK ? "" : text);
    if (status == VAULT_OK) {
        assert_string_equal(credential.access_key_id + strlen("AKIDCANARY"), text);
        assert_string_equal(credential.secret_access_key + strlen("secretCANARY"), text);
        assert_string_equal(credential.source, "profile");
    } else
        assert_null(credential.access_key_id);
    vault_credential_clear(&credential);
    return 1;
}

static int check_region(const char *name, const struct vault_credential_query *query)
{
    struct vault_buffer region;
    struct vault_message why = {0};
    char word[1024];
    const char *text;
    enum vault_status status;

    if (!wants(name, "region", word, sizeof word, &text))
        return 0;
    vault_buffer_init(&region, 9);
    status = vault_profile_region(query, &region, &why);
    if (strcmp(vault_status_row(status)->word, word) != 0)
        fail_msg("%s: %s, '%s'", name, vault_status_row(status)->word, why.text);
    check_message(&why, status == VAULT_OK ? "" : text);
    assert_string_equal(region.data ? region.data : "", status == VAULT_OK ? text : "");
    vault_buffer_free(&region);
    return 1;
}

static void run_case(const char *name)
{
    char text[1024], profile[64];
    struct vault_environment *environment = environment_of(name);
    struct vault_credential_query query = {.environment = environment};

    query.profile = part_of(name, "query", profile, sizeof profile);
    if (query.profile)
        profile[strcspn(profile, "\n")] = '\0';
    put(".aws/credentials", part_of(name, "credentials", text, sizeof text));
    put(".aws/config", part_of(name, "config", text, sizeof text));
    assert_true(check_keys(name, &query) + check_region(name, &query) > 0);
    vault_environment_free(environment);
}

static void test_cases(void **state)
{
    DIR *folder = opendir(FOLDER);
    struct dirent *entry;
    int count = 0;

    (void)state;
    assert_non_null(folder);
    while ((entry = readdir(folder))) {
        if (entry->d_name[0] == '.')
            continue;
        run_case(entry->d_name);
        count++;
    }
    closedir(folder);
    print_message(FOLDER ": %d cases\n", count);
    assert_true(count > 0);
}

/* What the provider says in `environment`, which is freed. */
static void expect(struct vault_environment *environment, enum vault_status status,
                   const char *message)
{
    struct vault_credential_query query = {.environment = environment};
    struct vault_credential credential = {0};
    struct vault_message why = {0};

    assert_int_equal(vault_provider_profile.find(&query, &credential, &why), status);
    check_message(&why, message);
    vault_credential_clear(&credential);
    vault_environment_free(environment);
}

static struct vault_environment *environment_without_home(const char *entry)
{
    const char *const entries[] = {entry, NULL};
    struct vault_environment *made = NULL;

    assert_int_equal(vault_environment_new(entries, &made), VAULT_OK);
    return made;
}

static const char *const no_entries[] = {NULL};

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

/* The same for a user who is not root; the child's exit code is 0 where it is right. */
static void expect_as_nobody(const char *entry, enum vault_status status, const char *message)
{
    const char *const entries[] = {entry, NULL};
    int code;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        if (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
            _exit(100);
        expect(environment_with(entries), status, message);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
}

static void set_mode(const char *path, mode_t mode)
{
    char text[256];

    assert_int_equal(chmod(in_home(path, text, sizeof text), mode), 0);
}

#define DENIED ": Permission denied; the user of this process cannot read it"

static void test_denied_file(void **state)
{
    (void)state;
    put(".aws/credentials", "[default]\nregion = x\n");
    put(".aws/config", "[default]\n" PAIR("2"));
    set_mode("%/.aws/credentials", 0);
    expect_as_nobody(NULL, VAULT_BAD_PROFILE, "cannot open %/.aws/credentials" DENIED);
    set_mode("%/.aws/credentials", 0644);
    set_mode("%/.aws/config", 0);
    expect_as_nobody(NULL, VAULT_BAD_PROFILE, "cannot open %/.aws/config" DENIED);
    put(".aws/credentials", "[default]\n" PAIR("1"));
    expect_as_nobody(NULL, VAULT_OK, ""); /* not needed */
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
    struct vault_credential credential = {0};
    struct vault_message why = {0};
    struct vault_buffer region;
    enum vault_status status;
    unsigned long nth = 0;

    (void)state;
    put(".aws/credentials", "[default]\naws_session_token = t\n" PAIR("1"));
    put(".aws/config", "[default]\nregion = eu-west-1\n");
    do {
        vault_alloc_fail(++nth);
        status = vault_provider_profile.find(&query, &credential, &why);
        vault_alloc_fail(0);
        assert_true(status == VAULT_OK || (status == VAULT_NO_MEMORY && !credential.access_key_id));
    } while (status != VAULT_OK);
    assert_true(nth > 10);
    assert_string_equal(credential.session_token, "t");
    vault_credential_clear(&credential);
    vault_buffer_init(&region, 32);
    nth = 0;
    do {
        vault_alloc_fail(++nth);
        status = vault_profile_region(&query, &region, &why);
        vault_alloc_fail(0);
        assert_true(status == VAULT_OK || (status == VAULT_NO_MEMORY && !region.data));
    } while (status != VAULT_OK);
    assert_string_equal(region.data, "eu-west-1");
    vault_buffer_free(&region);
    vault_environment_free(environment);
}

static int make_home(void **state)
{
    char path[128];

    (void)state;
    strcpy(home, "/tmp/test_profile.XXXXXX");
    if (!mkdtemp(home) || chmod(home, 0755) != 0)
        return -1;
    snprintf(path, sizeof path, "%s/.aws", home);
    return mkdir(path, 0755) ? -1 : chmod(path, 0755);
}

static int remove_home(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", home);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),       cmocka_unit_test(test_without_home),
        cmocka_unit_test(test_limits),      cmocka_unit_test(test_fifo),
        cmocka_unit_test(test_denied_file), cmocka_unit_test(test_denied_folder),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, make_home, remove_home);
}
