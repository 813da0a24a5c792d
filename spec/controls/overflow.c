/* overflow - a planted fault: a byte read behind an allocation. `make asan` must find it. */
#include "buffer.h"

int main(void)
{
    static volatile size_t at = 4;
    char *memory = vault_alloc(4);
    int byte = memory[at];

    vault_free(memory);
    return byte == 'x';
}
