/* replaced - what the tests of atomic_file share: a folder, a call, what is in a file.
 *
 * For:   test_atomic_file and test_atomic_file_places.
 * Never: an expectation that is one test's own.
 */
#ifndef VAULT_SPEC_REPLACED_H
#define VAULT_SPEC_REPLACED_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "atomic_file.h"
#include "buffer.h"

#define CANARY "CANARY-of-a-secret"

static char folder[64];
static char path_text[16][512];
static struct vault_message why;

/* Good for the next fifteen calls as well. */
static inline const char *path_of(const char *name)
{
    static int next;
    char *text = path_text[next++ % 16];

    snprintf(text, sizeof path_text[0], "%s/%s", folder, name);
    return text;
}

static inline enum vault_status replace(const char *path, const char *text)
{
    vault_message_clear(&why);
    return vault_atomic_file_replace(path, text, strlen(text), &why);
}

static inline void expect(enum vault_status wanted, const char *path, const char *reason)
{
    assert_int_equal(replace(path, CANARY), wanted);
    assert_int_equal(strncmp(why.text, "cannot ", 7), 0);
    assert_null(strstr(why.text, "CANARY"));
    if (!strstr(why.text, reason))
        fail_msg("'%s' lacks '%s'", why.text, reason);
}

static inline const char *content_of(const char *path)
{
    static char text[4096];
    int file = open(path, O_RDONLY);
    ssize_t got = file < 0 ? -1 : read(file, text, sizeof text - 1);

    if (file >= 0)
        close(file);
    text[got < 0 ? 0 : got] = '\0';
    return got < 0 ? NULL : text;
}

static inline mode_t mode_of(const char *path)
{
    struct stat about;

    assert_int_equal(lstat(path, &about), 0);
    return about.st_mode & 07777;
}

static inline int count_in(const char *path)
{
    DIR *listing = opendir(path);
    int count = -2;

    assert_non_null(listing);
    while (readdir(listing))
        count++;
    closedir(listing);
    return count;
}

static inline void put(const char *path, const char *text, mode_t mode)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(file, mode), 0);
    close(file);
}

static inline int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/test_atomic.XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static inline int remove_folder(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

#endif
