/* resolver - a getaddrinfo that knows four hosts more, put before nginx by LD_PRELOAD.
 *
 * For:   "slow.test", which keeps the caller for 6 s; "fast.test", which is 127.0.0.1;
 *        "nowhere.test", which is not; "leaving.test", which is until the file LEFT is there (a
 *        name that is given when this is compiled: nginx leaves no environment).
 * Never: any other host; the C library looks for those.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

#define HANG_SECONDS 6
#ifndef LEFT
#define LEFT "/"
#endif

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");

    if (node && strcmp(node, "slow.test") == 0) {
        sleep(HANG_SECONDS);
        return EAI_AGAIN;
    }
    if (node && strcmp(node, "nowhere.test") == 0)
        return EAI_NONAME;
    if (node && strcmp(node, "leaving.test") == 0) {
        if (access(LEFT, F_OK) == 0)
            return EAI_NONAME;
        node = "127.0.0.1";
    }
    if (node && strcmp(node, "fast.test") == 0)
        node = "127.0.0.1";
    if (!symbol)
        return EAI_SYSTEM;
    memcpy(&next, &symbol, sizeof next);
    return next(node, service, hints, found);
}
