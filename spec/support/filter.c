/* filter - lets the environment choose the tests of a program.
 *
 * For:   VAULT_TEST_FILTER="*allocation*" runs only the tests of that name (`make chaos`). It is
 *        linked into every test program and needs no call.
 * Never: tests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

__attribute__((constructor)) static void set_filter(void)
{
    const char *pattern = getenv("VAULT_TEST_FILTER");

    if (pattern != NULL)
        cmocka_set_test_filter(pattern);
}
