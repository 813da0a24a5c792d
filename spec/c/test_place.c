/* test_place - where a service is, as it was found a moment ago.
 *
 * For:   vault_place_*: what is kept and for how long, who is told apart, holds, lost memory.
 * Never: where a service is (test_service_endpoint).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "place.h"
#include "profile_home.h"

#define NOW     1000000
#define PROFILE "[default]\nendpoint_url = http://profile\n"
#define OTHER   "[default]\nendpoint_url = http://other\n"

static struct vault_environment *environment;

static int open_home(void **state)
{
    if (make_home(state) != 0)
        return -1;
    environment = environment_with(no_entries);
    put(".aws/config", PROFILE);
    return 0;
}

static int close_home(void **state)
{
    vault_environment_free(environment);
    return remove_home(state);
}

static struct vault_endpoint_query asking(const char *region, const char *override)
{
    return (struct vault_endpoint_query){
        .service = "secretsmanager", .region = region, .override = override};
}

static struct vault_place *find(struct vault_places *places, struct vault_endpoint_query asked,
                                int64_t now, const char *url)
{
    const struct vault_credential_query query = {.environment = environment};
    struct vault_message why = {0};
    struct vault_place *place = NULL;

    assert_int_equal(vault_place_find(places, &query, &asked, now, &place, &why), VAULT_OK);
    assert_string_equal(vault_place_endpoint(place)->url.data, url);
    return place;
}

static void look(struct vault_places *places, struct vault_endpoint_query asked, int64_t now,
                 const char *url)
{
    vault_place_release(find(places, asked, now, url));
}

/* A file that changes is seen within a second, and at once by whoever keeps nothing. */
static void test_for_a_second(void **state)
{
    struct vault_places places = {0};
    struct vault_endpoint_query asked = asking("eu-west-1", NULL);

    (void)state;
    look(&places, asked, NOW, "http://profile/");
    put(".aws/config", OTHER);
    look(&places, asked, NOW, "http://profile/");
    look(&places, asked, NOW + 999, "http://profile/");
    look(NULL, asked, NOW, "http://other/");
    look(&places, asked, NOW + 1000, "http://other/");
    put(".aws/config", PROFILE);
    look(&places, asked, NOW + 1999, "http://other/");
    look(&places, asked, NOW + 2000, "http://profile/");
    vault_places_free(&places);
    look(&places, asked, NOW, "http://profile/");
    vault_places_free(&places);
}

static void test_told_apart(void **state)
{
    static const struct vault_endpoint_query asked[] = {
        {.service = "secretsmanager", .region = "eu-west-1", .override = "http://a"},
        {.service = "secretsmanager", .region = "eu-west-1", .override = "http://b"},
        {.service = "secretsmanager", .region = "eu-west-1", .override = ""},
        {.service = "secretsmanager", .region = "eu-west-2", .override = "http://a"},
        {.service = "sts", .region = "eu-west-1", .override = "http://a/sts"},
        {.service = "sts", .region = "eu-west-1"},
    };
    static const char *const urls[] = {"http://a/", "http://b/",    "http://profile/",
                                       "http://a/", "http://a/sts", "http://profile/"};
    struct vault_places places = {0};

    (void)state;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
            struct vault_place *place = find(&places, asked[i], NOW, urls[i]);

            assert_string_equal(vault_place_endpoint(place)->region, asked[i].region);
            vault_place_release(place);
        }
        put(".aws/config", OTHER); /* none of them is asked for anew */
    }
    vault_places_free(&places);
}

/* Whoever holds one has it, however many others came since. */
static void test_held(void **state)
{
    struct vault_places places = {0};
    struct vault_place *held =
        find(&places, asking("eu-west-1", "http://held"), NOW, "http://held/");
    struct vault_place *again =
        find(&places, asking("eu-west-1", "http://held"), NOW, "http://held/");
    char url[32], wanted[32];

    (void)state;
    assert_ptr_equal(held, again);
    vault_place_release(again);
    for (int i = 0; i < 3 * VAULT_PLACES_MAX; i++) {
        snprintf(url, sizeof url, "http://h%d", i);
        snprintf(wanted, sizeof wanted, "http://h%d/", i);
        look(&places, asking("eu-west-1", url), NOW, wanted);
    }
    again = find(&places, asking("eu-west-1", "http://held"), NOW, "http://held/");
    assert_ptr_not_equal(held, again);
    vault_places_free(&places);
    assert_string_equal(vault_place_endpoint(held)->host.data, "held");
    assert_string_equal(vault_place_endpoint(again)->host.data, "held");
    vault_place_release(held);
    vault_place_release(again);
    vault_place_release(NULL);
}

static void test_failures_are_not_kept(void **state)
{
    const struct vault_credential_query query = {.environment = environment};
    const struct vault_endpoint_query asked = asking("eu-west-1", NULL);
    struct vault_places places = {0};
    struct vault_place *place = NULL;
    struct vault_message why = {0};

    (void)state;
    put(".aws/config", "[default]\nservices = gone\n");
    assert_int_equal(vault_place_find(&places, &query, &asked, NOW, &place, &why),
                     VAULT_BAD_PROFILE);
    assert_null(place);
    assert_true(why.length > 0);
    put(".aws/config", PROFILE);
    look(&places, asked, NOW, "http://profile/");
    vault_places_free(&places);
}

static void test_allocations(void **state)
{
    const struct vault_credential_query query = {.environment = environment};
    const struct vault_endpoint_query asked = asking("eu-west-1", "http://a");
    enum vault_status status = VAULT_NO_MEMORY;
    unsigned long nth;

    (void)state;
    for (nth = 1; status != VAULT_OK; nth++) {
        struct vault_places places = {0};
        struct vault_place *place = NULL;
        struct vault_message why = {0};

        (void)vault_alloc_fail(nth);
        status = vault_place_find(&places, &query, &asked, NOW, &place, &why);
        assert_int_equal(status, vault_alloc_fail(0) >= nth ? VAULT_NO_MEMORY : VAULT_OK);
        vault_place_release(place);
        look(&places, asked, NOW, "http://a/");
        vault_places_free(&places);
    }
    assert_true(nth > 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_home, close_home)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_for_a_second),          TEST(test_told_apart),  TEST(test_held),
        TEST(test_failures_are_not_kept), TEST(test_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
