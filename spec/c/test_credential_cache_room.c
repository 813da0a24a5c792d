/* test_credential_cache_room - how many credentials are kept, and whose goes when there are more.
 *
 * For:   the room of vault_credential_cache_*: the least recently used, what is renewed, many.
 * Never: windows and renewals (test_credential_cache).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "cache_looks.h"

static struct vault_kept_credential many[VAULT_CREDENTIAL_CACHE_MAX];

static const char *numbered(int number)
{
    static char text[16];

    snprintf(text, sizeof text, "key%d", number);
    return text;
}

static void test_the_least_recently_used_goes(void **state)
{
    (void)state;
    for (int i = 0; i < VAULT_CREDENTIAL_CACHE_MAX; i++)
        have(numbered(i), "A", HOUR);
    assert_int_equal(find(numbered(0), NOW, "A"), VAULT_CACHED_GOOD);
    have("new", "N", HOUR);
    assert_int_equal(find(numbered(0), NOW, "A"), VAULT_CACHED_GOOD);
    assert_int_equal(find(numbered(2), NOW, "A"), VAULT_CACHED_GOOD);
    assert_int_equal(find("new", NOW, "N"), VAULT_CACHED_GOOD);
    assert_int_equal(find(numbered(1), NOW, NULL), VAULT_CACHED_MINE);
}

/* Whom there is no memory for sends nobody away. */
static void test_nobody_goes_for_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < VAULT_CREDENTIAL_CACHE_MAX; i++)
        have(numbered(i), "A", HOUR);
    for (unsigned long nth = 1; nth <= 2; nth++) {
        vault_alloc_fail(nth);
        assert_int_equal(find("new", NOW, NULL), VAULT_CACHED_FULL);
        vault_alloc_fail(0);
    }
    for (int i = 0; i < VAULT_CREDENTIAL_CACHE_MAX; i++)
        assert_int_equal(find(numbered(i), NOW, "A"), VAULT_CACHED_GOOD);
}

/* Those of one bucket are told apart, and each is forgotten alone. */
static void test_many_come_and_go(void **state)
{
    (void)state;
    for (int i = 0; i < VAULT_CREDENTIAL_CACHE_MAX; i++)
        have(numbered(i), numbered(i), HOUR);
    for (int i = 0; i < VAULT_CREDENTIAL_CACHE_MAX; i += 2)
        drop(numbered(i), numbered(i));
    assert_int_equal(vault_credential_cache_list(many, VAULT_CREDENTIAL_CACHE_MAX),
                     VAULT_CREDENTIAL_CACHE_MAX / 2);
    for (int i = 1; i < VAULT_CREDENTIAL_CACHE_MAX; i += 2)
        assert_int_equal(find(numbered(i), NOW, numbered(i)), VAULT_CACHED_GOOD);
    for (int i = 0; i < VAULT_CREDENTIAL_CACHE_MAX; i += 2)
        have(numbered(i), "B", HOUR);
    assert_int_equal(vault_credential_cache_list(many, VAULT_CREDENTIAL_CACHE_MAX),
                     VAULT_CREDENTIAL_CACHE_MAX);
    vault_credential_cache_clear();
    assert_int_equal(vault_credential_cache_list(many, VAULT_CREDENTIAL_CACHE_MAX), 0);
}

static void test_what_is_renewed_stays(void **state)
{
    (void)state;
    for (int i = 0; i < VAULT_CREDENTIAL_CACHE_MAX; i++)
        assert_int_equal(find(numbered(i), NOW, NULL), VAULT_CACHED_MINE);
    assert_int_equal(find("new", NOW, NULL), VAULT_CACHED_FULL);
    keep("new", "N", NOW, NOW + HOUR); /* has no place: nothing happens */
    pass_on("new");
    fails("new", NOW);
    drop("new", "N");
    assert_int_equal(find("new", NOW, NULL), VAULT_CACHED_FULL);
    keep(numbered(5), "A", NOW, NOW + HOUR);
    have("new", "N", HOUR);
    assert_int_equal(find(numbered(4), NOW, NULL), VAULT_CACHED_BUSY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, clear, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_least_recently_used_goes),
        TEST(test_nobody_goes_for_nothing),
        TEST(test_many_come_and_go),
        TEST(test_what_is_renewed_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
