/* program_image - what a program is started from, all of it made before anybody forks.
 *
 * For:   what program_image.h promises.
 * Never: starting it.
 */
#include "program_image.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define USUAL_PATH "/usr/local/bin:/usr/bin:/bin"
#define SHOWN_MAX  256

/* 0 where the file may be executed, else the errno that says why not. */
static int unfit(const char *path)
{
    struct stat about;

    if (stat(path, &about) != 0)
        return errno;
    if (!S_ISREG(about.st_mode))
        return EACCES;
    return access(path, X_OK) == 0 ? 0 : errno;
}

enum vault_status vault_program_image_unfit(const char *path, int error, struct vault_message *why)
{
    vault_message_add(why, "cannot execute ");
    vault_message_quote(why, path, strlen(path), SHOWN_MAX);
    vault_message_add(why, ": %s", strerror(error));
    if (error == ENOENT || error == ENOTDIR)
        return VAULT_NOT_FOUND;
    if (error == E2BIG)
        return VAULT_TOO_LARGE;
    return error == EACCES || error == EPERM ? VAULT_ACCESS_DENIED : VAULT_INTERNAL;
}

static enum vault_status not_in_path(const char *name, struct vault_message *why)
{
    vault_message_add(why, "there is no program ");
    vault_message_quote(why, name, strlen(name), SHOWN_MAX);
    vault_message_add(why, " in PATH");
    return VAULT_NOT_FOUND;
}

/* Write "folder/name" for the folder that `at` begins with; the rest of PATH, or NULL. */
static const char *next_in(const char *at, const char *name, char *path)
{
    size_t length = strcspn(at, ":");

    memcpy(path, at, length);
    path[length] = '/';
    memcpy(path + length + 1, name, strlen(name) + 1);
    return at[length] ? at + length + 1 : NULL;
}

/* `path` has room for all of `folders`, '/' and the name. */
static enum vault_status look(const char *name, const char *folders, char *path,
                              struct vault_message *why)
{
    enum vault_status status = VAULT_OK;
    struct vault_message amiss = {0};

    for (const char *at = folders; at;) {
        const char *next = next_in(at, name, path);
        int error = *at == '/' ? unfit(path) : ENOENT;

        if (error == 0)
            return VAULT_OK;
        if (error == EACCES && status == VAULT_OK)
            status = vault_program_image_unfit(path, error, &amiss);
        at = next;
    }
    if (status == VAULT_OK)
        return not_in_path(name, why);
    vault_message_add(why, "%s", amiss.text);
    return status;
}

static enum vault_status find(const char *word, const struct vault_environment *environment,
                              char **found, struct vault_message *why)
{
    const char *folders = vault_environment_set(environment, "PATH");
    enum vault_status status = VAULT_OK;
    char *path;
    int error;

    if (!folders)
        folders = USUAL_PATH;
    path = vault_alloc(strlen(folders) + strlen(word) + 2);
    if (!path)
        return VAULT_NO_MEMORY;
    if (strchr(word, '/')) {
        memcpy(path, word, strlen(word));
        error = unfit(path);
        if (error)
            status = vault_program_image_unfit(path, error, why);
    } else {
        status = look(word, folders, path, why);
    }
    if (status == VAULT_OK)
        *found = path;
    else
        vault_free(path);
    return status;
}

static size_t count_of(const struct vault_buffer *words)
{
    size_t count = 0;

    for (size_t i = 0; i < words->length; i++)
        count += words->data[i] == '\0';
    return count;
}

enum vault_status vault_program_image_make(const struct vault_buffer *words,
                                           const struct vault_environment *environment,
                                           struct vault_program_image *image,
                                           struct vault_message *why)
{
    size_t count = count_of(words), at = 0;
    char **arguments, *path = NULL;
    enum vault_status status;

    if (count == 0 || words->data[0] == '\0') {
        vault_message_add(why, "no program is named");
        return VAULT_NOT_FOUND;
    }
    arguments = vault_alloc((count + 1) * sizeof *arguments);
    if (!arguments)
        return VAULT_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        arguments[i] = words->data + at;
        at += strlen(arguments[i]) + 1;
    }
    status = find(words->data, environment, &path, why);
    if (status != VAULT_OK) {
        vault_free(arguments);
        return status;
    }
    image->path = path;
    image->arguments = arguments;
    image->environment = vault_environment_entries(environment);
    return VAULT_OK;
}

void vault_program_image_free(struct vault_program_image *image)
{
    vault_free(image->path);
    vault_free(image->arguments);
    *image = (struct vault_program_image){0};
}
