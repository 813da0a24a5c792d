/* profile_home - a HOME of the test's own, and the case folders that fill it.
 *
 * For:   the tests of what reads the shared files. A folder of spec/vectors/profile has the two
 *        files as far as they are there, `environment` (lines; HOME is always set), `query` (the
 *        profile asked for) and what each test looks for. "%" stands for HOME. Include after
 *        cmocka.h.
 * Never: what a case means; the real HOME.
 */
#ifndef VAULT_TEST_PROFILE_HOME_H
#define VAULT_TEST_PROFILE_HOME_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "credentials.h"

#define NOBODY 65534
#define PAIR(who)                                                                                  \
    "aws_access_key_id = AKIDCANARY" who "\naws_secret_access_key = secretCANARY" who "\n"
#define FOLDER "spec/vectors/profile"

static char home[64];
static const char *const no_entries[] = {NULL};

static inline int make_home(void **state)
{
    char path[128];

    (void)state;
    strcpy(home, "/tmp/test_profile.XXXXXX");
    if (!mkdtemp(home) || chmod(home, 0755) != 0)
        return -1;
    snprintf(path, sizeof path, "%s/.aws", home);
    return mkdir(path, 0755) ? -1 : chmod(path, 0755);
}

static inline int remove_home(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", home);
    return system(command);
}

/* Write a file below HOME; without `text` remove it. */
static inline void put(const char *name, const char *text)
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
static inline const char *in_home(const char *text, char *into, size_t room)
{
    size_t length = 0;

    for (*into = '\0'; *text && length < room; text++)
        length += (size_t)snprintf(into + length, room - length, *text == '%' ? "%s" : "%.1s",
                                   *text == '%' ? home : text);
    return into;
}

static inline void set_mode(const char *path, mode_t mode)
{
    char text[256];

    assert_int_equal(chmod(in_home(path, text, sizeof text), mode), 0);
}

/* True in a child of the user nobody, which ends with _exit(0) where all is right; false here, once
 * it has. Whoever is not root stays who he is. */
static inline bool in_nobodys_child(void)
{
    pid_t child = fork();
    int code;

    assert_true(child >= 0);
    if (child == 0) {
        if (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
            _exit(100);
        return true;
    }
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(code, 0);
    return false;
}

/* HOME and up to three entries. */
static inline struct vault_environment *environment_with(const char *const *entries)
{
    char texts[4][256];
    const char *list[5] = {in_home("HOME=%", texts[0], sizeof texts[0])};
    struct vault_environment *made = NULL;

    for (int i = 0; i < 3 && entries[i]; i++)
        list[i + 1] = in_home(entries[i], texts[i + 1], sizeof texts[0]);
    assert_int_equal(vault_environment_new(list, &made), VAULT_OK);
    return made;
}

static inline struct vault_environment *environment_without_home(const char *entry)
{
    const char *const entries[] = {entry, NULL};
    struct vault_environment *made = NULL;

    assert_int_equal(vault_environment_new(entries, &made), VAULT_OK);
    return made;
}

static inline void check_message(const struct vault_message *why, const char *wanted)
{
    char text[1024];

    assert_string_equal(why->text, in_home(wanted, text, sizeof text));
    assert_null(strstr(why->text, "CANARY"));
}

/* One file of a case; NULL where the case has none. */
static inline const char *part_of(const char *name, const char *part, char *into, size_t room)
{
    char path[512];
    FILE *file;
    size_t length;

    snprintf(path, sizeof path, FOLDER "/%s/%s", name, part);
    file = fopen(path, "rb");
    if (!file)
        return NULL;
    length = fread(into, 1, room - 1, file);
    assert_true(feof(file));
    fclose(file);
    into[length] = '\0';
    return into;
}

static inline struct vault_environment *environment_of(const char *name)
{
    char text[512], *rest = text, *line;
    const char *entries[4] = {NULL};
    int count = 0;

    if (part_of(name, "environment", text, sizeof text))
        while (count < 3 && (line = strsep(&rest, "\n")) && *line)
            entries[count++] = line;
    return environment_with(entries);
}

/* Cut the next line off *text. */
static inline char *next_line(char **text)
{
    char *line = strsep(text, "\n");

    assert_non_null(line);
    return line;
}

/* Run `check` on each case with its files in HOME; it returns how many parts it looked at. */
static inline void each_profile(int (*check)(const char *name,
                                             const struct vault_credential_query *query))
{
    DIR *folder = opendir(FOLDER);
    struct dirent *entry;
    int count = 0;

    assert_non_null(folder);
    while ((entry = readdir(folder))) {
        char text[2048], profile[64];
        struct vault_environment *environment;
        struct vault_credential_query query = {0};

        if (entry->d_name[0] == '.')
            continue;
        query.environment = environment = environment_of(entry->d_name);
        query.profile = part_of(entry->d_name, "query", profile, sizeof profile);
        if (query.profile)
            profile[strcspn(profile, "\n")] = '\0';
        put(".aws/credentials", part_of(entry->d_name, "credentials", text, sizeof text));
        put(".aws/config", part_of(entry->d_name, "config", text, sizeof text));
        count += check(entry->d_name, &query);
        vault_environment_free(environment);
    }
    closedir(folder);
    put(".aws/credentials", NULL);
    put(".aws/config", NULL);
    print_message(FOLDER ": %d checks\n", count);
    assert_true(count > 0);
}

#endif
