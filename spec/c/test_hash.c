/* test_hash - a number for any bytes.
 *
 * For:   the published vectors of FNV-1a, and bytes of every kind.
 * Never: who keeps a table.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "hash.h"

static void test_vectors(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
        uint64_t hash;
    } rows[] = {
        {"", 0, UINT64_C(0xcbf29ce484222325)},
        {"a", 1, UINT64_C(0xaf63dc4c8601ec8c)},
        {"foobar", 6, UINT64_C(0x85944171f73967e8)},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_true(vault_hash(rows[i].bytes, rows[i].size) == rows[i].hash);
    assert_true(vault_hash("\0", 1) != vault_hash("", 0));
    assert_true(vault_hash("\xff", 1) != vault_hash("\x7f", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
