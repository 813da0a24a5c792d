/* file - a small file, read whole.
 *
 * For:   what file.h promises. The bytes pass only through buffers that wipe themselves.
 * Never: stdio, whose buffers nobody wipes.
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_CHUNK     4096
#define FILE_PATH_SHOW 256

static void say(struct vault_message *why, const char *verb, const char *path)
{
    vault_message_add(why, "cannot %s ", verb);
    vault_message_quote(why, path, strlen(path), FILE_PATH_SHOW);
    vault_message_add(why, ": ");
}

static enum vault_status failed(int number, const char *verb, const char *path,
                                struct vault_message *why)
{
    say(why, verb, path);
    vault_message_add(why, "%s", strerror(number));
    if (number == ENOENT || number == ENOTDIR)
        return VAULT_NOT_FOUND;
    if (number == EACCES || number == EPERM)
        return VAULT_ACCESS_DENIED;
    /* Not the file's fault, and it passes. */
    if (number == EMFILE || number == ENFILE || number == ENOMEM)
        return VAULT_INTERNAL;
    return VAULT_BAD_CONFIG;
}

static enum vault_status too_large(const char *path, size_t most, struct vault_message *why)
{
    say(why, "open", path);
    vault_message_add(why, "over %zu bytes", most);
    return VAULT_TOO_LARGE;
}

static enum vault_status not_regular(const char *path, struct vault_message *why)
{
    say(why, "open", path);
    vault_message_add(why, "not a regular file");
    return VAULT_BAD_CONFIG;
}

/* Looks before it opens, since to open a device is to act on it; looks again at what was opened,
 * since the path may have changed meanwhile. O_NONBLOCK is for a FIFO slipped in between. */
static enum vault_status open_regular(const char *path, int *opened, struct vault_message *why)
{
    struct stat about;
    int file;

    if (stat(path, &about) != 0)
        return failed(errno, "open", path, why);
    if (!S_ISREG(about.st_mode))
        return not_regular(path, why);
    file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0)
        return failed(errno, "open", path, why);
    if (fstat(file, &about) != 0 || !S_ISREG(about.st_mode)) {
        close(file);
        return not_regular(path, why);
    }
    *opened = file;
    return VAULT_OK;
}

/* The limit of `bytes` is one above `most`: a byte there tells a file that is too large. */
static enum vault_status read_all(int file, const char *path, size_t most,
                                  struct vault_buffer *bytes, struct vault_message *why)
{
    enum vault_status status;
    size_t room;
    ssize_t got;
    char *into;

    for (;;) {
        room = bytes->limit - bytes->length;
        into = vault_buffer_reserve(bytes, room < FILE_CHUNK ? room : FILE_CHUNK, &status);
        if (!into)
            return status;
        got = read(file, into, room < FILE_CHUNK ? room : FILE_CHUNK);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return failed(errno, "read", path, why);
        if (got == 0)
            return VAULT_OK;
        bytes->length += (size_t)got;
        bytes->data[bytes->length] = '\0';
        if (bytes->length > most)
            return too_large(path, most, why);
    }
}

enum vault_status vault_file_read(const char *path, struct vault_buffer *out,
                                  struct vault_message *why)
{
    size_t most = out->limit - out->length;
    struct vault_buffer bytes;
    enum vault_status status;
    int file = -1;

    vault_buffer_init(&bytes, most + 1);
    status = open_regular(path, &file, why);
    if (status != VAULT_OK)
        return status;
    status = read_all(file, path, most, &bytes, why);
    if (status == VAULT_OK)
        status = vault_buffer_append(out, bytes.data, bytes.length);
    vault_buffer_free(&bytes);
    close(file);
    return status;
}

int vault_file_readable(const char *path)
{
    struct vault_message ignored = {0};
    int file = -1;

    if (open_regular(path, &file, &ignored) != VAULT_OK)
        return 0;
    close(file);
    return 1;
}

int vault_file_stands(const char *path)
{
    struct stat about;

    return stat(path, &about) == 0;
}
