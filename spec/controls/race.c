/* race - a planted fault: two threads count without a lock. `make tsan` must find it. */
#include <pthread.h>
#include <stddef.h>

static long count;

static void *add(void *unused)
{
    for (int i = 0; i < 1000; i++)
        count++;
    return unused;
}

int main(void)
{
    pthread_t other;

    if (pthread_create(&other, NULL, add, NULL) != 0)
        return 1;
    add(NULL);
    pthread_join(other, NULL);
    return 0;
}
