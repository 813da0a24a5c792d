/* test_registers - what the processor still holds of the bytes last copied or compared.
 *
 * For:   that each vector register is emptied in its whole width; that the functions which copy,
 *        compare and wipe secrets leave none in them.
 * Never: where the dynamic linker or the system would write them (spec/nginx/core_file_spec).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "buffer.h"
#include "environment.h"
#include "register_bytes.h"
#include "registers.h"

static char seen[REGISTER_BYTES + 1];

/* Whether a register holds 8 bytes of the text that register_fill puts there. */
static bool holds_text(void)
{
    const size_t part = 8;

    for (size_t at = 0; at + part <= strlen(REGISTER_TEXT); at += part)
        if (memmem(seen, REGISTER_BYTES, &REGISTER_TEXT[at], part))
            return true;
    return false;
}

static void need_registers(void)
{
    if (!REGISTER_BYTES)
        skip();
}

static void test_all_are_emptied(void **state)
{
    (void)state;
    need_registers();
    register_fill();
    register_read(seen);
    assert_true(holds_text());
    register_fill();
    vault_registers_clear();
    register_read(seen);
    for (size_t i = 0; i < REGISTER_BYTES; i++)
        assert_int_equal(seen[i], 0);
}

static void test_copy(void **state)
{
    char *copy;

    (void)state;
    need_registers();
    register_fill();
    copy = vault_copy(REGISTER_TEXT, strlen(REGISTER_TEXT));
    register_read(seen);
    assert_false(holds_text());
    register_fill();
    vault_free(copy);
    register_read(seen);
    assert_false(holds_text());
}

static void test_wipe(void **state)
{
    char text[] = REGISTER_TEXT;

    (void)state;
    need_registers();
    register_fill();
    vault_wipe(text, sizeof text);
    register_read(seen);
    assert_false(holds_text());
}

static void test_environment(void **state)
{
    static const char *const entries[] = {"A=" REGISTER_TEXT, "A=" REGISTER_TEXT, NULL};
    struct vault_environment *environment = NULL;

    (void)state;
    need_registers();
    register_fill();
    assert_int_equal(vault_environment_new(entries, &environment), VAULT_OK);
    register_read(seen);
    assert_false(holds_text());
    register_fill();
    (void)vault_environment_get(environment, "A");
    register_read(seen);
    assert_false(holds_text());
    vault_environment_free(environment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_are_emptied),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_wipe),
        cmocka_unit_test(test_environment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
