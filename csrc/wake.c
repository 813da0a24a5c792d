/* wake - a Unix socket over which one thread wakes a reader in the same process.
 *
 * For:   what wake.h promises.
 * Never: what the reader does when woken; locks.
 */
#include "wake.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

void vault_wake_init(struct vault_wake *wake)
{
    wake->listener = wake->door = wake->stream = -1;
}

static void close_one(int *descriptor)
{
    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = -1;
}

void vault_wake_close(struct vault_wake *wake)
{
    close_one(&wake->listener);
    close_one(&wake->door);
    close_one(&wake->stream);
}

static bool open_at(struct vault_wake *wake, const struct sockaddr_un *address)
{
    wake->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (wake->listener < 0 ||
        bind(wake->listener, (const struct sockaddr *)address, sizeof *address) != 0)
        return false;
    if (chmod(address->sun_path, S_IRUSR | S_IWUSR) == 0 && listen(wake->listener, 1) == 0)
        wake->door = open(address->sun_path, O_PATH | O_CLOEXEC);
    unlink(address->sun_path);
    return wake->door >= 0;
}

static bool listen_in(struct vault_wake *wake, const char *folder, char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char made[sizeof address.sun_path - sizeof "/s"];
    int length = snprintf(made, sizeof made, "%s/vaults-XXXXXX", folder);
    bool opened;

    if (length < 0 || (size_t)length >= sizeof made || !mkdtemp(made))
        return false;
    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", made);
    /* The umask may have left the owner without a right to the folder, and to the socket. */
    opened = chmod(made, S_IRWXU) == 0 && open_at(wake, &address);
    rmdir(made);
    if (opened) {
        snprintf(path, VAULT_WAKE_PATH_MAX, "/proc/self/fd/%d", wake->door);
        opened = access(path, F_OK) == 0;
    }
    if (!opened)
        vault_wake_close(wake);
    return opened;
}

enum vault_status vault_wake_listen(struct vault_wake *wake, const char *const *folders, char *path)
{
    vault_wake_close(wake);
    for (; *folders; folders++)
        if ((*folders)[0] == '/' && listen_in(wake, *folders, path))
            return VAULT_OK;
    return VAULT_BAD_CONFIG;
}

static bool from_this_process(int stream)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    return getsockopt(stream, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid == getpid();
}

enum vault_status vault_wake_accept(struct vault_wake *wake)
{
    if (wake->listener < 0)
        return VAULT_INTERNAL;
    wake->stream = accept4(wake->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (wake->stream >= 0 && !from_this_process(wake->stream))
        close_one(&wake->stream);
    close_one(&wake->listener);
    close_one(&wake->door);
    return wake->stream >= 0 ? VAULT_OK : VAULT_INTERNAL;
}

void vault_wake_ring(const struct vault_wake *wake)
{
    /* A full socket means that bytes wait already: the reader will wake. */
    if (wake->stream >= 0)
        (void)!send(wake->stream, "!", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}
