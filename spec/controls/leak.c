/* leak - a planted fault: memory that nobody frees. `make asan` must find it. */
#include "buffer.h"

int main(void)
{
    static volatile size_t length;

    for (int i = 0; i < 200; i++) {
        const char *copy = vault_copy("lost", 4);

        length += copy != NULL;
        copy = NULL;
    }
    return length == 0;
}
