/* test_credential_cache - credentials kept, and who renews them.
 *
 * For:   vault_credential_cache_*: the two windows, one renewer at a time, dropping, fork, lost
 *        memory.
 * Never: how a credential is had (test_caller), how many have room (test_credential_cache_room).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache_looks.h"
#include "child.h"

static void test_a_copy_of_all_of_it(void **state)
{
    struct vault_cache_look look = look_for("k", NOW);

    (void)state;
    have("k", "A", HOUR);
    for (int i = 0; i < 2; i++) { /* what the first look brought is wiped */
        assert_int_equal(vault_credential_cache_find(&look), VAULT_CACHED_GOOD);
        assert_string_equal(look.credential.access_key_id, "A");
        assert_string_equal(look.credential.secret_access_key, "secretCANARY");
        assert_string_equal(look.credential.session_token, "tokenCANARY");
        assert_string_equal(look.credential.source, "imds");
        assert_int_equal(look.credential.expires, NOW + HOUR);
    }
    vault_credential_clear(&look.credential);
    assert_int_equal(find("kk", NOW, NULL), VAULT_CACHED_MINE);
    assert_int_equal(find("", NOW, NULL), VAULT_CACHED_MINE);
}

/* `from` the first window, `wait` from the second, before the end of `life`. */
static void check_windows(int64_t life, int64_t from, int64_t wait)
{
    const int64_t end = NOW + life;

    vault_credential_cache_clear();
    have("k", "A", life);
    assert_int_equal(find("k", end - from - 1, "A"), VAULT_CACHED_GOOD);
    assert_int_equal(find("k", end - from, "A"), VAULT_CACHED_MINE);
    assert_int_equal(find("k", end - from, "A"), VAULT_CACHED_GOOD);
    assert_int_equal(find("k", end - wait - 1, "A"), VAULT_CACHED_GOOD);
    assert_int_equal(find("k", end - wait, NULL), VAULT_CACHED_BUSY);
    assert_int_equal(find("k", end + 1, NULL), VAULT_CACHED_BUSY);
    keep("k", "B", end - wait, end + HOUR);
    assert_int_equal(find("k", end - wait, "B"), VAULT_CACHED_GOOD);
}

static void test_windows(void **state)
{
    (void)state;
    check_windows(6 * HOUR, 900, 600);
    check_windows(HOUR, 900, 600);
    check_windows(2700, 900, 450);
    check_windows(900, 300, 150);
    check_windows(20, 6, 3);
    check_windows(6, 2, 1);
}

/* Who renews it may be waiting in vain: whoever has a good one waits for a second, and not where
 * the clock was set back meanwhile. */
static void test_nobody_waits_long_for_a_better_one(void **state)
{
    const int64_t end = NOW + HOUR;
    struct vault_cache_look one = look_for("k", end - 600), other = look_for("k", end - 600);
    struct vault_cache_look last = look_for("k", end);

    (void)state;
    have("k", "A", HOUR);
    assert_int_equal(find("k", end - 600, "A"), VAULT_CACHED_MINE);
    assert_int_equal(vault_credential_cache_find(&one), VAULT_CACHED_BUSY);
    assert_int_equal(vault_credential_cache_find(&other), VAULT_CACHED_BUSY);
    one.now += 1;
    assert_int_equal(vault_credential_cache_find(&one), VAULT_CACHED_GOOD);
    assert_string_equal(one.credential.access_key_id, "A");
    other.now -= 5;
    assert_int_equal(vault_credential_cache_find(&other), VAULT_CACHED_GOOD);
    assert_int_equal(vault_credential_cache_find(&last), VAULT_CACHED_BUSY);
    last.now += 9;
    assert_int_equal(vault_credential_cache_find(&last), VAULT_CACHED_BUSY);
    vault_credential_clear(&one.credential);
    vault_credential_clear(&other.credential);
}

static void test_windows_by_chance(void **state)
{
    const int64_t end = NOW + HOUR;

    (void)state;
    for (uint32_t random = 0; random < 500; random += 50) {
        vault_credential_cache_clear();
        assert_int_equal(find("k", NOW, NULL), VAULT_CACHED_MINE);
        keep_by_chance("k", "A", NOW, end, random);
        assert_int_equal(find("k", end - 900 + random % 151 - 1, "A"), VAULT_CACHED_GOOD);
        assert_int_equal(find("k", end - 900 + random % 151, "A"), VAULT_CACHED_MINE);
        assert_int_equal(find("k", end - 600, NULL), VAULT_CACHED_BUSY);
    }
}

static void test_nothing_was_had(void **state)
{
    (void)state;
    assert_int_equal(find("k", NOW, NULL), VAULT_CACHED_MINE);
    assert_int_equal(find("k", NOW, NULL), VAULT_CACHED_BUSY);
    pass_on("k");
    assert_int_equal(find("k", NOW, NULL), VAULT_CACHED_MINE);
    have("other", "A", HOUR);
    assert_int_equal(find("other", NOW + HOUR - 1, "A"), VAULT_CACHED_MINE);
    pass_on("other");
    assert_int_equal(find("other", NOW + HOUR - 1, "A"), VAULT_CACHED_MINE);
}

static void test_one_that_never_runs_out(void **state)
{
    (void)state;
    have("k", "A", -NOW); /* expires 0 */
    assert_int_equal(find("k", NOW, "A"), VAULT_CACHED_GOOD);
    assert_int_equal(find("k", NOW + INT64_C(100) * 365 * 24 * HOUR, "A"), VAULT_CACHED_GOOD);
    drop("k", "A");
    assert_int_equal(find("k", NOW, NULL), VAULT_CACHED_MINE);
}

static void test_what_is_not_kept(void **state)
{
    (void)state;
    have("k", "A", 0);
    have("k", "A", -1);
    assert_int_equal(find("k", NOW, NULL), VAULT_CACHED_MINE);
}

static void test_a_list_of_what_is_kept(void **state)
{
    struct vault_kept_credential list[3];

    (void)state;
    assert_int_equal(vault_credential_cache_list(list, 3), 0);
    assert_int_equal(find("being had", NOW, NULL), VAULT_CACHED_MINE);
    have("a", "A", HOUR);
    assert_int_equal(vault_credential_cache_list(list, 3), 1);
    assert_string_equal(list[0].source, "imds");
    assert_int_equal(list[0].expires, NOW + HOUR);
    have("b", "B", HOUR);
    have("c", "C", HOUR);
    have("d", "D", HOUR);
    assert_int_equal(vault_credential_cache_list(list, 3), 3);
    assert_int_equal(vault_credential_cache_list(list, 0), 0);
}

static void test_drop(void **state)
{
    (void)state;
    have("k", "A", HOUR);
    drop("k", "B");
    drop("other", "A");
    assert_int_equal(find("k", NOW, "A"), VAULT_CACHED_GOOD);
    drop("k", "A");
    have("k", "B", HOUR);
    drop("k", "A"); /* was renewed since */
    assert_int_equal(find("k", NOW, "B"), VAULT_CACHED_GOOD);
}

/* Whoever was refused must not be given the same one again because another renews it. */
static void test_drop_while_another_renews(void **state)
{
    const int64_t now = NOW + HOUR - 900;

    (void)state;
    have("k", "A", HOUR);
    assert_int_equal(find("k", now, "A"), VAULT_CACHED_MINE);
    drop("k", "A");
    assert_int_equal(find("k", now, NULL), VAULT_CACHED_BUSY);
    keep("k", "B", now, now + HOUR);
    assert_int_equal(find("k", now, "B"), VAULT_CACHED_GOOD);
}

/* ---- threads, fork, memory ---- */

static atomic_int mine;

static void *look_at_once(void *at)
{
    struct vault_cache_look look = look_for("k", NOW);
    bool is_mine = vault_credential_cache_find(&look) == VAULT_CACHED_MINE;

    (void)at;
    atomic_fetch_add(&mine, is_mine);
    vault_credential_clear(&look.credential);
    return NULL;
}

static void test_one_of_many_threads_renews(void **state)
{
    pthread_t threads[8];

    (void)state;
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, look_at_once, NULL), 0);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(mine, 1);
}

/* A child has what its parent kept; what the parent was renewing it renews itself. */
static void test_fork(void **state)
{
    int status = 0;
    pid_t child;

    (void)state;
    have("kept", "A", HOUR);
    assert_int_equal(find("k", NOW, NULL), VAULT_CACHED_MINE);
    child = fork();
    if (child == 0) {
        struct vault_cache_look kept = look_for("kept", NOW), other = look_for("k", NOW);
        bool good = vault_credential_cache_find(&kept) == VAULT_CACHED_GOOD;

        vault_credential_clear(&kept.credential);
        good = good && vault_credential_cache_find(&other) == VAULT_CACHED_MINE;
        good = good && vault_credential_cache_find(&other) == VAULT_CACHED_BUSY;
        _exit(good ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(find("k", NOW, NULL), VAULT_CACHED_BUSY);
}

#define CHILDREN 8
#define MOST     127 /* of the codes that a child can end with */
#define STEP     2   /* seconds for each, or some windows would be longer */

static int look_until_mine(void *at)
{
    const int64_t first = *(const int64_t *)at;
    int after = 0;

    for (; after < MOST; after++) {
        struct vault_cache_look look = look_for("k", first + STEP * after);
        bool is_good = vault_credential_cache_find(&look) == VAULT_CACHED_GOOD;

        vault_credential_clear(&look.credential);
        if (!is_good)
            break;
    }
    return after;
}

/* In a child that looks for the first time at `first`: steps from then until it is to renew. */
static int child_renews_after(int64_t first)
{
    return in_child(look_until_mine, &first);
}

/* No two children need differ, but where none do nothing was drawn. */
static void check_children(int64_t first, int least, int most)
{
    int drawn[CHILDREN], unlike = 0;

    for (int i = 0; i < CHILDREN; i++) {
        drawn[i] = child_renews_after(first);
        assert_in_range(drawn[i], least, most);
        for (int j = 0; j < i; j++)
            unlike += drawn[i] != drawn[j];
    }
    assert_true(unlike >= CHILDREN);
}

/* What many inherited they do not renew in the same second, however late they look first. */
static void test_windows_of_children(void **state)
{
    const int64_t end = NOW + HOUR;

    (void)state;
    have("k", "A", HOUR);
    check_children(end - 910, 10 / STEP, (10 + 150) / STEP);
    check_children(end - 900, 0, 150 / STEP);
    check_children(end - 700, 0, 100 / STEP);
    assert_int_equal(child_renews_after(end - 601), 0);
    assert_int_equal(child_renews_after(end - 300), 0);
    assert_int_equal(find("k", end - 901, "A"), VAULT_CACHED_GOOD); /* as it was */
    assert_int_equal(find("k", end - 900, "A"), VAULT_CACHED_MINE);
}

/* One that never runs out, and one whose renewal was put off, are not renewed for the fork. */
static void test_children_renew_no_sooner(void **state)
{
    const int64_t end = NOW + HOUR;

    (void)state;
    have("k", "A", -NOW);
    assert_int_equal(child_renews_after(NOW), MOST);
    drop("k", "A");
    have("k", "A", HOUR);
    assert_int_equal(find("k", end - 900, "A"), VAULT_CACHED_MINE);
    fails("k", end - 900);
    check_children(end - 890, 50 / STEP, (50 + 150) / STEP);
}

static void test_find_allocations(void **state)
{
    (void)state;
    for (unsigned long nth = 1; nth <= 2; nth++) { /* the entry and its key */
        vault_alloc_fail(nth);
        assert_int_equal(find("k", NOW, NULL), VAULT_CACHED_FULL);
        vault_alloc_fail(0);
    }
    have("k", "A", HOUR);
    for (unsigned long nth = 1; nth <= 3; nth++) { /* the copy's three texts */
        vault_alloc_fail(nth);
        assert_int_equal(find("k", NOW, NULL), VAULT_CACHED_FULL);
        vault_alloc_fail(0);
    }
    assert_int_equal(find("k", NOW + HOUR - 1, "A"), VAULT_CACHED_MINE);
}

/* What could not be kept is not half kept, and blocks nobody. */
static void test_keep_allocations(void **state)
{
    struct vault_cache_look look = look_with("k", "B", NOW, NOW + HOUR);

    (void)state;
    for (unsigned long nth = 1; nth <= 3; nth++) {
        assert_int_equal(find("k", NOW, NULL), VAULT_CACHED_MINE);
        vault_alloc_fail(nth);
        vault_credential_cache_keep(&look, 0);
        vault_alloc_fail(0);
    }
    vault_credential_clear(&look.credential);
    assert_int_equal(find("k", NOW, NULL), VAULT_CACHED_MINE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, clear, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_copy_of_all_of_it),
        TEST(test_windows),
        TEST(test_nobody_waits_long_for_a_better_one),
        TEST(test_windows_by_chance),
        TEST(test_nothing_was_had),
        TEST(test_one_that_never_runs_out),
        TEST(test_what_is_not_kept),
        TEST(test_a_list_of_what_is_kept),
        TEST(test_drop),
        TEST(test_drop_while_another_renews),
        TEST(test_one_of_many_threads_renews),
        TEST(test_fork),
        TEST(test_windows_of_children),
        TEST(test_children_renew_no_sooner),
        TEST(test_find_allocations),
        TEST(test_keep_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
