/* fuzz_overflow - a planted fault: "key" brings down a parser that reads too far. `make fuzz` must
 * find it. */
#include <string.h>

#include "buffer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = vault_copy((const char *)data, size);

    if (copy != NULL && size >= 3 && memcmp(copy, "key", 3) == 0)
        copy[0] = copy[size + 1];
    vault_free(copy);
    return 0;
}
