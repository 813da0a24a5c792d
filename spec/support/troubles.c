/* troubles - what the system may do to a process while it runs, put before it by LD_PRELOAD.
 *
 * For:   a clock that is set: so many seconds are added to the time of day; threads that cannot be
 *        started. VAULT_SPEC_TROUBLES names a file with a struct of both, which is read anew each
 *        time: who writes it changes the process (spec/support/troubles.lua).
 * Never: clocks that only go forward; a clock that is wrong from the start (elsewhere.c).
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct troubles {
    int64_t clock_seconds;
    int64_t refuses_threads;
};

static const struct troubles none;
static volatile const struct troubles *now_are = &none;

/* Before nginx empties its environment. */
__attribute__((constructor)) static void open_file(void)
{
    const char *path = getenv("VAULT_SPEC_TROUBLES");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *shared;

    if (fd < 0)
        return;
    shared = mmap(NULL, sizeof none, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (shared != MAP_FAILED)
        now_are = shared;
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
        now->tv_sec += now_are->clock_seconds;
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

int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes,
                   void *(*run)(void *), void *restrict at)
{
    int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    void *symbol = dlsym(RTLD_NEXT, "pthread_create");

    if (now_are->refuses_threads)
        return EAGAIN;
    memcpy(&next, &symbol, sizeof next);
    return next(thread, attributes, run, at);
}
