/* test_trail - what was tried, kept in order.
 *
 * For:   what trail.h promises.
 * Never: who tries (test_identity).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "trail.h"

static void keeps_the_order(void **state)
{
    static struct vault_trail trail;

    (void)state;
    vault_trail_add(&trail, "environment", VAULT_NOT_CONFIGURED, "not set");
    vault_trail_add(&trail, "profile", VAULT_OK, "");
    assert_int_equal(trail.count, 2);
    assert_string_equal(trail.steps[0].what.text, "environment");
    assert_int_equal(trail.steps[0].status, VAULT_NOT_CONFIGURED);
    assert_string_equal(trail.steps[0].why.text, "not set");
    assert_string_equal(trail.steps[1].what.text, "profile");
    assert_string_equal(trail.steps[1].why.text, "");
}

static void keeps_the_last_one_where_there_are_too_many(void **state)
{
    static struct vault_trail trail;

    (void)state;
    for (int i = 0; i < VAULT_TRAIL_MAX; i++)
        vault_trail_add(&trail, "role", VAULT_OK, "");
    vault_trail_add(&trail, "the last", VAULT_ACCESS_DENIED, "no");
    assert_int_equal(trail.count, VAULT_TRAIL_MAX);
    assert_string_equal(trail.steps[0].what.text, "role");
    assert_string_equal(trail.steps[VAULT_TRAIL_MAX - 1].what.text, "the last");
    assert_string_equal(trail.steps[VAULT_TRAIL_MAX - 1].why.text, "no");
}

static void nobody_need_ask(void **state)
{
    (void)state;
    vault_trail_add(NULL, "environment", VAULT_OK, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_order),
        cmocka_unit_test(keeps_the_last_one_where_there_are_too_many),
        cmocka_unit_test(nobody_need_ask),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
