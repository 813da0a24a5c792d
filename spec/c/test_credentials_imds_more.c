/* test_credentials_imds_more - EC2 instance metadata, played against a script.
 *
 * For:   what credentials_imds.h promises, where it is more than a row: sizes, names, settings,
 *        attempts, static stability, the region.
 * Never: a network, a clock.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "imds_script.h"

static void test_sizes(void **state)
{
    static char token[4098], role[258], asks[512], header[4200];
    static const char *const none[] = {NULL};
    struct move moves[] = {
        {ASKS_TOKEN, TTL, token, 0, VAULT_OK},
        {ASKS_ROLE, header, role, 0, VAULT_OK},
        {asks, header, GOOD, 0, VAULT_OK},
        {0},
    };
    struct play play;

    (void)state;
    memset(token, 't', 4096);
    memset(role, 'r', 256);
    snprintf(asks, sizeof asks, "%s%s", ASKS_ROLE, role);
    snprintf(header, sizeof header, "X-aws-ec2-metadata-token: %s\r\n", token);
    assert_int_equal(play_all(&play, &vault_source_imds, none, moves), VAULT_OK);
    play_close(&play);
    role[256] = 'r';
    moves[2].asks = NULL;
    assert_int_equal(play_all(&play, &vault_source_imds, none, moves), VAULT_BAD_RESPONSE);
    play_close(&play);
    token[4096] = 't';
    moves[1].asks = NULL;
    assert_int_equal(play_all(&play, &vault_source_imds, none, moves), VAULT_BAD_RESPONSE);
    play_close(&play);
}

/* Names that IAM allows go out as they are, all else escaped. */
static void test_role_names(void **state)
{
    static const struct {
        const char *role, *sent;
    } rows[] = {
        {"A-z_0.9~+=,@", "A-z_0.9~+=,@"},
        {"...", "..."},
        {"!", "%21"},
        {"a/../b?c#d%e", "a%2F..%2Fb%3Fc%23d%25e"},
        {"a:b&c;\\\"`{", "a%3Ab%26c%3B%5C%22%60%7B"},
    };
    static const char *const none[] = {NULL};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char asks[256];
        const struct move moves[] = {
            TOKEN_OK, GET_V2(ASKS_ROLE, 200, rows[i].role), GET_V2(asks, 200, GOOD), {0}};
        struct play play;

        snprintf(asks, sizeof asks, "%s%s", ASKS_ROLE, rows[i].sent);
        assert_int_equal(play_all(&play, &vault_source_imds, none, moves), VAULT_OK);
        play_close(&play);
    }
}

static void test_settings(void **state)
{
    static const char *const entries[] = {"AWS_EC2_METADATA_SERVICE_ENDPOINT=http://host:1338/a/",
                                          "AWS_METADATA_SERVICE_TIMEOUT=7", NULL};
    static const char *const six[] = {"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=IPv6", NULL};
    static const struct move moves[] = {
        {"PUT http://host:1338/a/latest/api/token", TTL, TOKEN, 0, VAULT_OK},
        {"GET http://host:1338/a" ROLE_PATH, WITH_TOKEN, "gateway", 0, VAULT_OK},
        {"GET http://host:1338/a" ROLE_PATH "gateway", WITH_TOKEN, GOOD, 0, VAULT_OK},
        {0}};
    static const struct move lost[] = {
        {"PUT http://[fd00:ec2::254]/latest/api/token", TTL, NULL, 0, VAULT_CONNECT_FAILED}, {0}};
    struct play play;

    (void)state;
    assert_int_equal(play_all(&play, &vault_source_imds, entries, moves), VAULT_OK);
    assert_int_equal(play.timeout_ms, 7000);
    play_close(&play);
    assert_int_equal(play_all(&play, &vault_source_imds, six, lost), VAULT_NOT_CONFIGURED);
    assert_int_equal(play.timeout_ms, 1000);
    play_close(&play);
}

/* Each question has its attempts; a token that does not come in time has one. */
static void test_attempts(void **state)
{
    static const char *const entries[] = {"AWS_METADATA_SERVICE_NUM_ATTEMPTS=2", NULL};
    static const struct {
        struct move moves[MOVES_MAX];
        enum vault_status status;
        unsigned pauses;
    } rows[] = {
        {{TOKEN_LOST(VAULT_CONNECT_FAILED), TOKEN_OK, GET_V2(ASKS_ROLE, 503, NULL),
          GET_V2(ASKS_ROLE, 200, "gateway"), GET_LOST(ASKS_KEYS, VAULT_TIMEOUT),
          GET_V2(ASKS_KEYS, 200, GOOD)},
         VAULT_OK,
         3},
        {{TOKEN_LOST(VAULT_CONNECT_FAILED), TOKEN_LOST(VAULT_CONNECT_FAILED)},
         VAULT_NOT_CONFIGURED,
         1},
        {{TOKEN_HTTP(500), TOKEN_HTTP(500)}, VAULT_SERVER_ERROR, 1},
        {{TOKEN_HTTP(400)}, VAULT_CREDENTIALS_REFUSED, 0},
        {{TOKEN_LOST(VAULT_TIMEOUT), GET_LOST(ASKS_ROLE, VAULT_TIMEOUT),
          GET_V1(ASKS_ROLE, 200, "gateway"), GET_V1(ASKS_KEYS, 200, GOOD)},
         VAULT_OK,
         1},
        {{TOKEN_OK, GET_V2(ASKS_ROLE, 429, NULL), GET_V2(ASKS_ROLE, 429, NULL)},
         VAULT_THROTTLED,
         1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct play play;

        assert_int_equal(play_all(&play, &vault_source_imds, entries, rows[i].moves),
                         rows[i].status);
        assert_int_equal(play.pauses, rows[i].pauses);
        assert_int_equal(play.paused_ms, rows[i].pauses * INT64_C(100));
        play_close(&play);
    }
}

/* Static stability: 12 to 25 minutes more, the same for the same key and moment. */
static void test_expired_keys(void **state)
{
    static const char *const bodies[] = {KEYS("2023-11-14T22:13:20Z"), KEYS("2023-11-14T22:13:19Z"),
                                         KEYS("1970-01-01T00:00:00Z")};
    static const char *const none[] = {NULL};
    int64_t first = 0;
    struct play play;

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        const struct move moves[] = {
            TOKEN_OK, GET_V2(ASKS_ROLE, 200, "gateway"), GET_V2(ASKS_KEYS, 200, bodies[i]), {0}};

        assert_int_equal(play_all(&play, &vault_source_imds, none, moves), VAULT_OK);
        assert_in_range(play.run.credential.expires - NOW, 12 * 60, 25 * 60);
        if (first == 0)
            first = play.run.credential.expires;
        assert_int_equal(play.run.credential.expires, first);
        play_close(&play);
    }
    const struct move valid[] = {TOKEN_OK,
                                 GET_V2(ASKS_ROLE, 200, "gateway"),
                                 GET_V2(ASKS_KEYS, 200, KEYS("2023-11-14T22:13:21Z")),
                                 {0}};
    assert_int_equal(play_all(&play, &vault_source_imds, none, valid), VAULT_OK);
    assert_int_equal(play.run.credential.expires, NOW + 1);
    play_close(&play);
}

/* Whether they have run out the service's clock says; how long they are kept or extended ours. */
static void test_dates(void **state)
{
    static const struct {
        int64_t date;
        const char *expires;
        int64_t left; /* by our clock; 0: extended */
    } rows[] = {
        {NOW - 1200, KEYS("2023-11-14T21:53:21Z"), 1}, /* our clock is ahead */
        {NOW - 1200, KEYS("2023-11-14T22:08:20Z"), 900},
        {NOW - 1200, KEYS("2023-11-14T21:53:20Z"), 0},
        {NOW + 1200, KEYS("2023-11-14T22:33:20Z"), 0}, /* behind */
        {NOW + 1200, KEYS("2023-11-14T22:33:21Z"), 1201},
    };
    static const char *const none[] = {NULL};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct move moves[] = {TOKEN_OK,
                                     GET_V2(ASKS_ROLE, 200, "gateway"),
                                     GET_V2(ASKS_KEYS, 200, rows[i].expires),
                                     {0}};
        struct play play;

        assert_int_equal(play_dated(&play, &vault_source_imds, none, moves, rows[i].date),
                         VAULT_OK);
        if (rows[i].left)
            assert_int_equal(play.run.credential.expires, NOW + rows[i].left);
        else
            assert_in_range(play.run.credential.expires - NOW, 12 * 60, 25 * 60);
        play_close(&play);
    }
}

/* Machines with keys of their own do not come back together. */
static void test_extensions_differ(void **state)
{
    static const char *const none[] = {NULL};
    int64_t least = INT64_MAX, most = 0;

    (void)state;
    for (int i = 0; i < 200; i++) {
        char body[256];
        const struct move moves[] = {
            TOKEN_OK, GET_V2(ASKS_ROLE, 200, "gateway"), GET_V2(ASKS_KEYS, 200, body), {0}};
        struct play play;

        snprintf(body, sizeof body,
                 "{\"AccessKeyId\":\"AKID%d\",\"SecretAccessKey\":\"s\",\"Token\":\"t\","
                 "\"Expiration\":\"2020-01-01T00:00:00Z\"}",
                 i);
        assert_int_equal(play_all(&play, &vault_source_imds, none, moves), VAULT_OK);
        assert_in_range(play.run.credential.expires - NOW, 12 * 60, 25 * 60);
        if (play.run.credential.expires < least)
            least = play.run.credential.expires;
        if (play.run.credential.expires > most)
            most = play.run.credential.expires;
        play_close(&play);
    }
    assert_true(most - least > 8 * 60);
}

static void test_region(void **state)
{
    static const char none[] = SAID ": HTTP 200: what came is no region";
    static const struct {
        struct move moves[MOVES_MAX];
        enum vault_status status;
        const char *says; /* the region, or why not */
    } rows[] = {
        {{TOKEN_OK, GET_V2(ASKS_REGION, 200, "eu-west-1")}, VAULT_OK, "eu-west-1"},
        {{TOKEN_OK, GET_V2(ASKS_REGION, 200, "us-iso-east-1\n")}, VAULT_OK, "us-iso-east-1"},
        {{TOKEN_HTTP(404), GET_V1(ASKS_REGION, 200, "eu-west-1")}, VAULT_OK, "eu-west-1"},
        {{TOKEN_OK, GET_V2(ASKS_REGION, 401, NULL), TOKEN_OK,
          GET_V2(ASKS_REGION, 200, "eu-west-1")},
         VAULT_OK,
         "eu-west-1"},
        {{TOKEN_OK, GET_V2(ASKS_REGION, 200, NULL)}, VAULT_BAD_RESPONSE, none},
        {{TOKEN_OK, GET_V2(ASKS_REGION, 200, "eu-west-1.evil")}, VAULT_BAD_RESPONSE, none},
        {{TOKEN_OK, GET_V2(ASKS_REGION, 200, "eu\r\nCANARY")}, VAULT_BAD_RESPONSE, none},
        {{TOKEN_OK, GET_V2(ASKS_REGION, 404, NULL)},
         VAULT_NOT_CONFIGURED,
         "the instance knows no region"},
        {{TOKEN_OK, GET_V2(ASKS_REGION, 500, NULL)},
         VAULT_SERVER_ERROR,
         SAID ": HTTP 500 for /latest/meta-data/placement/region"},
        {{TOKEN_LOST(VAULT_CONNECT_FAILED)}, VAULT_NOT_CONFIGURED, SAID ": planted"},
    };
    static const char *const entries[] = {NULL};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct play play;

        assert_int_equal(play_all(&play, &vault_source_imds_region, entries, rows[i].moves),
                         rows[i].status);
        assert_string_equal(rows[i].status == VAULT_OK ? play.run.memory.data : play.run.why.text,
                            rows[i].says);
        assert_null(play.run.credential.access_key_id);
        play_close(&play);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),        cmocka_unit_test(test_role_names),
        cmocka_unit_test(test_settings),     cmocka_unit_test(test_attempts),
        cmocka_unit_test(test_expired_keys), cmocka_unit_test(test_extensions_differ),
        cmocka_unit_test(test_dates),        cmocka_unit_test(test_region),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
