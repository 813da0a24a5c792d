/* atomic_file - a small file, replaced whole.
 *
 * For:   what atomic_file.h promises: temporary file, fsync, rename, fsync of the folder.
 * Never: stdio, whose buffers nobody wipes; following a link in the place of the file.
 *
 * The temporary file has one name, so that a process that was killed leaves no more than one, which
 * the next takes over. flock() tells whether its writer still is there.
 */
#include "atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buffer.h"

#define PATH_SHOW   256
#define OPENS_MOST  10
#define FILE_MODE   0600
#define FOLDER_MODE 0700

struct target {
    const char *path;
    char *above;      /* the path of the folder that `folder` lies in */
    char *folder;     /* the path of the folder */
    const char *name; /* in it, a part of `path` */
    char *temporary;  /* the name beside it */
    int descriptor;   /* of the folder, or -1 */
    struct vault_message *why;
};

static enum vault_status say(const struct target *target, const char *verb, const char *path,
                             const char *reason)
{
    vault_message_add(target->why, "cannot %s ", verb);
    vault_message_quote(target->why, path, strlen(path), PATH_SHOW);
    vault_message_add(target->why, ": %s", reason);
    return VAULT_BAD_CONFIG;
}

static enum vault_status failed(const struct target *target, const char *verb, const char *path)
{
    int number = errno;

    (void)say(target, verb, path, strerror(number));
    if (number == ENOENT)
        return VAULT_NOT_FOUND;
    if (number == EACCES || number == EPERM || number == EROFS)
        return VAULT_ACCESS_DENIED;
    if (number == ENOTDIR || number == ELOOP || number == ENAMETOOLONG)
        return VAULT_BAD_CONFIG;
    return VAULT_INTERNAL;
}

/* The folder of `path`: "." and "/" where it names none; NULL without memory. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return vault_copy(".", 1);
    while (slash > path && slash[-1] == '/')
        slash--;
    return slash == path ? vault_copy("/", 1) : vault_copy(path, (size_t)(slash - path));
}

static enum vault_status split(struct target *target)
{
    const char *slash = strrchr(target->path, '/');
    size_t length;

    target->name = slash ? slash + 1 : target->path;
    if (!*target->name || strcmp(target->name, ".") == 0 || strcmp(target->name, "..") == 0)
        return say(target, "write", target->path, "not the name of a file");
    length = strlen(target->name);
    target->folder = folder_of(target->path);
    target->above = target->folder ? folder_of(target->folder) : NULL;
    target->temporary = vault_alloc(length + sizeof ".new");
    if (!target->above || !target->temporary)
        return VAULT_NO_MEMORY;
    memcpy(target->temporary, target->name, length);
    memcpy(target->temporary + length, ".new", sizeof ".new");
    return VAULT_OK;
}

/* Some file systems have nothing to bring to the disk, and say so. */
static int on_disk(int descriptor)
{
    return fsync(descriptor) == 0 || errno == EINVAL || errno == ENOTSUP ? 0 : -1;
}

static enum vault_status folder_on_disk(const struct target *target, const char *path)
{
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int code = descriptor < 0 ? -1 : on_disk(descriptor);
    /* Who may make folders in it need not be allowed to read it. */
    enum vault_status status =
        code == 0 || errno == EACCES ? VAULT_OK : failed(target, "write the folder", path);

    if (descriptor >= 0)
        close(descriptor);
    return status;
}

static enum vault_status open_folder(struct target *target)
{
    bool made = mkdir(target->folder, FOLDER_MODE) == 0;

    if (!made && errno != EEXIST) {
        /* Of a disk that cannot be written to, say, or "/": it may be there all the same. */
        int number = errno;
        struct stat about;

        if (stat(target->folder, &about) != 0) {
            errno = number;
            return failed(target, "make the folder", target->folder);
        }
    }
    target->descriptor = open(target->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (target->descriptor < 0)
        return failed(target, "open the folder", target->folder);
    return made ? folder_on_disk(target, target->above) : VAULT_OK;
}

static enum vault_status check_old(const struct target *target)
{
    struct stat about;

    if (fstatat(target->descriptor, target->name, &about, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? VAULT_OK : failed(target, "write", target->path);
    if (S_ISLNK(about.st_mode))
        return say(target, "write", target->path, "it is a symbolic link");
    if (!S_ISREG(about.st_mode))
        return say(target, "write", target->path, "it is not a regular file");
    return VAULT_OK;
}

/* Whether `file` is ours alone: no device, no other user's, no second name of something else. */
static bool is_ours(int file)
{
    struct stat about;

    return fstat(file, &about) == 0 && S_ISREG(about.st_mode) && about.st_nlink == 1 &&
           about.st_uid == geteuid();
}

/* Whether `file` has the temporary name no more: its writer renamed it since we opened it. */
static bool has_moved(const struct target *target, int file)
{
    struct stat ours, there;

    return fstat(file, &ours) != 0 ||
           fstatat(target->descriptor, target->temporary, &there, AT_SYMLINK_NOFOLLOW) != 0 ||
           ours.st_dev != there.st_dev || ours.st_ino != there.st_ino;
}

/* What is no file of ours goes, and the next attempt makes one. Where there is nothing to take
 * away, errno is what it was. */
static bool take_away(const struct target *target)
{
    int before = errno;

    if (unlinkat(target->descriptor, target->temporary, 0) == 0)
        return true;
    if (errno == ENOENT)
        errno = before;
    return false;
}

/* 1: `file` is ours, locked; 0: try again; -1: errno tells why not, EWOULDBLOCK that another
 * process has it. */
static int take_over(const struct target *target, int file)
{
    if (flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return -1;
    if (has_moved(target, file))
        return 0;
    if (is_ours(file))
        return 1;
    return take_away(target) ? 0 : -1;
}

static enum vault_status open_temporary(const struct target *target, int *opened)
{
    const int flags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    int code = 0;

    for (int i = 0; i < OPENS_MOST && code == 0; i++) {
        int file = openat(target->descriptor, target->temporary, flags, FILE_MODE), error;

        if (file < 0) {
            code = take_away(target) ? 0 : -1;
            continue;
        }
        code = take_over(target, file);
        if (code == 1) {
            *opened = file;
            return VAULT_OK;
        }
        error = errno;
        close(file);
        errno = error;
    }
    if (code == 0 || errno == EWOULDBLOCK) {
        (void)say(target, "write", target->path, "another process is writing it");
        return VAULT_INTERNAL;
    }
    return failed(target, "write", target->path);
}

static int write_all(int file, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(file, bytes, length);

        if (written < 0 && errno != EINTR)
            return -1;
        if (written > 0) {
            bytes += written;
            length -= (size_t)written;
        }
    }
    return 0;
}

/* The lock goes with the descriptor, after the rename. */
static enum vault_status put(const struct target *target, const char *bytes, size_t length)
{
    int file = -1;
    enum vault_status status = open_temporary(target, &file);

    if (status != VAULT_OK)
        return status;
    if (ftruncate(file, 0) != 0 || fchmod(file, FILE_MODE) != 0 ||
        write_all(file, bytes, length) != 0 || on_disk(file) != 0 ||
        renameat(target->descriptor, target->temporary, target->descriptor, target->name) != 0) {
        status = failed(target, "write", target->path);
        (void)unlinkat(target->descriptor, target->temporary, 0);
        close(file);
        return status;
    }
    close(file);
    if (on_disk(target->descriptor) != 0) {
        (void)failed(target, "write the folder", target->folder);
        return VAULT_INTERNAL;
    }
    return VAULT_OK;
}

static void let_go(struct target *target)
{
    if (target->descriptor >= 0)
        close(target->descriptor);
    vault_free(target->temporary);
    vault_free(target->folder);
    vault_free(target->above);
}

enum vault_status vault_atomic_file_replace(const char *path, const char *bytes, size_t length,
                                            struct vault_message *why)
{
    struct target target = {.path = path, .descriptor = -1, .why = why};
    enum vault_status status = split(&target);

    if (status == VAULT_OK)
        status = open_folder(&target);
    if (status == VAULT_OK)
        status = check_old(&target);
    if (status == VAULT_OK)
        status = put(&target, bytes, length);
    let_go(&target);
    return status;
}

bool vault_atomic_file_may(const char *path)
{
    struct vault_message ignored = {0};
    struct target target = {.path = path, .descriptor = -1, .why = &ignored};
    bool may = split(&target) == VAULT_OK;

    if (may && faccessat(AT_FDCWD, target.folder, F_OK, AT_EACCESS) == 0)
        may = faccessat(AT_FDCWD, target.folder, R_OK | W_OK | X_OK, AT_EACCESS) == 0;
    else if (may)
        may = errno == ENOENT && faccessat(AT_FDCWD, target.above, W_OK | X_OK, AT_EACCESS) == 0;
    let_go(&target);
    return may;
}
