/* unchecked - a planted fault: an allocation whose failure nobody looks at. `make chaos` must find
 * it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "buffer.h"

static void allocation_failure_is_survived(void **state)
{
    (void)state;
    vault_alloc_fail(1);
    volatile char *memory = vault_alloc(4);
    memory[0] = 'x';
    vault_free((void *)memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(allocation_failure_is_survived)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
