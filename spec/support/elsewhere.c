/* elsewhere - another clock and another network, put before a program by LD_PRELOAD.
 *
 * For:   VAULT_SPEC_CLOCK: so many seconds are added to the time of day; VAULT_SPEC_METADATA: the
 *        port of 127.0.0.1 that stands at AWS's own addresses (169.254.169.254, 169.254.170.2).
 * Never: any other clock or address.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

static long offset, port;

/* Before nginx empties its environment. */
__attribute__((constructor)) static void read_settings(void)
{
    const char *seconds = getenv("VAULT_SPEC_CLOCK"), *metadata = getenv("VAULT_SPEC_METADATA");

    offset = seconds ? atol(seconds) : 0;
    port = metadata ? atol(metadata) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*next)(clockid_t, struct timespec *);
    int code;

    if (!next) {
        void *symbol = dlsym(RTLD_NEXT, "clock_gettime");

        memcpy(&next, &symbol, sizeof next);
    }
    code = next(clock, now);
    if (code == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += offset;
    return code;
}

time_t time(time_t *at)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (at)
        *at = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone)
{
    struct timespec now;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

static int is_metadata(const struct sockaddr_in *address)
{
    in_addr_t ip = ntohl(address->sin_addr.s_addr);

    return port && address->sin_family == AF_INET && (ip == 0xa9fea9fe || ip == 0xa9feaa02);
}

int connect(int fd, const struct sockaddr *address, socklen_t length)
{
    int (*next)(int, const struct sockaddr *, socklen_t);
    void *symbol = dlsym(RTLD_NEXT, "connect");
    struct sockaddr_in there;

    memcpy(&next, &symbol, sizeof next);
    if (length < sizeof there)
        return next(fd, address, length);
    memcpy(&there, address, sizeof there);
    if (!is_metadata(&there))
        return next(fd, address, length);
    there.sin_port = htons((in_port_t)port);
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return next(fd, (const struct sockaddr *)&there, sizeof there);
}
