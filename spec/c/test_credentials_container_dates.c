/* test_credentials_container_dates - whose clock says when a container's credentials run out.
 *
 * For:   answers with a Date, from an agent beside a machine whose clock is off. All else is in
 *        test_credentials_container.
 * Never: a network, a clock.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "credentials_container.h"
#include "source_script.h"

#define ECS "http://169.254.170.2/v2/credentials/x"

#define KEYS(expires)                                                                              \
    "{\"AccessKeyId\":\"AKIDCANARY\",\"SecretAccessKey\":\"secretCANARY\","                        \
    "\"Token\":\"tokenCANARY\",\"Expiration\":\"" expires "\"}"

/* What it hands out runs out by its own clock; how long it is kept ours says. */
static void test_dates(void **state)
{
    static const char *const entries[] = {
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/credentials/x", NULL};
    static const struct {
        int64_t date;
        const char *body;
        int64_t left; /* by our clock; 0: refused as expired */
    } rows[] = {
        {NOW - 1200, KEYS("2023-11-14T22:13:21Z"), 1}, /* our clock is ahead */
        {NOW - 1200, KEYS("2023-11-14T22:13:20Z"), 1200},
        {NOW - 1200, KEYS("2023-11-14T21:53:21Z"), 1},
        {NOW - 1200, KEYS("2023-11-14T21:53:20Z"), 0},
        {NOW + 1200, KEYS("2023-11-14T22:33:20Z"), 0}, /* behind */
        {NOW + 1200, KEYS("2023-11-14T22:33:21Z"), 1201},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct move moves[] = {{"GET " ECS, NULL, rows[i].body, 0, VAULT_OK}, {0}};
        struct play play;

        assert_int_equal(play_dated(&play, &vault_source_container, entries, moves, rows[i].date),
                         rows[i].left ? VAULT_OK : VAULT_EXPIRED_TOKEN);
        if (rows[i].left)
            assert_int_equal(play.run.credential.expires, NOW + rows[i].left);
        play_close(&play);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_dates)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
