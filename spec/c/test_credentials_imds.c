/* test_credentials_imds - EC2 instance metadata, played against a script.
 *
 * For:   what credentials_imds.h promises, one row each: v2, v1 and the way between, nobody there,
 *        renewal, malformed answers. The rest is in test_credentials_imds_more.
 * Never: a network, a clock.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "imds_script.h"

struct row {
    const char *entry; /* of the environment; NULL: none */
    struct move moves[MOVES_MAX];
    enum vault_status status;
    const char *says;
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *const entries[] = {rows[i].entry, NULL};
        struct play play;

        if (play_all(&play, &vault_source_imds, entries, rows[i].moves) != rows[i].status ||
            strcmp(play.run.why.text, rows[i].says) != 0)
            fail_msg("row %zu: status %d, \"%s\"", i, play.run.status, play.run.why.text);
        assert_null(play.may_connect);
        if (play.run.status == VAULT_OK) {
            assert_string_equal(play.run.credential.access_key_id, "AKIDCANARY");
            assert_string_equal(play.run.credential.secret_access_key, "secretCANARY");
            assert_string_equal(play.run.credential.session_token, "tokenCANARY");
            assert_string_equal(play.run.credential.source, "imds");
            assert_int_equal(play.run.credential.expires, NOW + 3600);
        }
        play_close(&play);
    }
}

#define CHECK(rows) check_rows(rows, sizeof(rows) / sizeof *(rows))

/* Which version is spoken. */
static void test_versions(void **state)
{
    static const struct row rows[] = {
        {NULL,
         {TOKEN_OK, GET_V2(ASKS_ROLE, 200, "gateway"), GET_V2(ASKS_KEYS, 200, GOOD)},
         VAULT_OK,
         ""},
        {NO_V1,
         {TOKEN_OK, GET_V2(ASKS_ROLE, 200, "gateway\n"), GET_V2(ASKS_KEYS, 200, GOOD)},
         VAULT_OK,
         ""},
        {NULL,
         {TOKEN_HTTP(403), GET_V1(ASKS_ROLE, 200, "gateway"), GET_V1(ASKS_KEYS, 200, GOOD)},
         VAULT_OK,
         ""},
        {NULL,
         {TOKEN_HTTP(404), GET_V1(ASKS_ROLE, 200, "gateway"), GET_V1(ASKS_KEYS, 200, GOOD)},
         VAULT_OK,
         ""},
        {NULL,
         {TOKEN_HTTP(405), GET_V1(ASKS_ROLE, 200, "gateway"), GET_V1(ASKS_KEYS, 200, GOOD)},
         VAULT_OK,
         ""},
        {NULL,
         {TOKEN_LOST(VAULT_TIMEOUT), GET_V1(ASKS_ROLE, 200, "gateway"),
          GET_V1(ASKS_KEYS, 200, GOOD)},
         VAULT_OK,
         ""},
        {NO_V1,
         {TOKEN_HTTP(403)},
         VAULT_CREDENTIALS_REFUSED,
         SAID ": HTTP 403 for a token; AWS_EC2_METADATA_V1_DISABLED is true"},
        {NO_V1,
         {TOKEN_LOST(VAULT_TIMEOUT)},
         VAULT_NOT_CONFIGURED,
         SAID HINT "; AWS_EC2_METADATA_V1_DISABLED is true"},
        {NULL,
         {TOKEN_HTTP(400)},
         VAULT_CREDENTIALS_REFUSED,
         SAID ": HTTP 400 for /latest/api/token"},
        {NULL, {TOKEN_HTTP(302)}, VAULT_BAD_RESPONSE, SAID ": HTTP 302 for /latest/api/token"},
        {NULL, {TOKEN_HTTP(503)}, VAULT_SERVER_ERROR, SAID ": HTTP 503 for /latest/api/token"},
    };

    (void)state;
    CHECK(rows);
}

/* Off AWS, or on an instance without a role. */
static void test_nothing_there(void **state)
{
    static const struct row rows[] = {
        {"AWS_EC2_METADATA_DISABLED=True",
         {{0}},
         VAULT_NOT_CONFIGURED,
         "AWS_EC2_METADATA_DISABLED is true"},
        {"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=x",
         {{0}},
         VAULT_BAD_CONFIG,
         "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE is neither IPv4 nor IPv6"},
        {NULL, {TOKEN_LOST(VAULT_CONNECT_FAILED)}, VAULT_NOT_CONFIGURED, SAID ": planted"},
        {NULL, {TOKEN_LOST(VAULT_RESOLVE_FAILED)}, VAULT_NOT_CONFIGURED, SAID ": planted"},
        {NULL, {TOKEN_LOST(VAULT_CONNECTION_LOST)}, VAULT_NOT_CONFIGURED, SAID ": planted"},
        {NULL,
         {TOKEN_LOST(VAULT_TIMEOUT), GET_LOST(ASKS_ROLE, VAULT_TIMEOUT)},
         VAULT_NOT_CONFIGURED,
         SAID ": planted" HINT},
        {NULL, {TOKEN_LOST(VAULT_TLS_FAILED)}, VAULT_TLS_FAILED, SAID ": planted"},
        {NULL, {TOKEN_LOST(VAULT_NO_MEMORY)}, VAULT_NO_MEMORY, SAID ": planted"},
        {NULL,
         {TOKEN_OK, GET_V2(ASKS_ROLE, 404, "<html>CANARY</html>")},
         VAULT_NOT_CONFIGURED,
         "the instance has no role"},
        {NULL,
         {TOKEN_OK, GET_V2(ASKS_ROLE, 200, NULL)},
         VAULT_NOT_CONFIGURED,
         "the instance has no role"},
        {NULL,
         {TOKEN_OK, GET_V2(ASKS_ROLE, 200, "\n")},
         VAULT_NOT_CONFIGURED,
         "the instance has no role"},
        {NULL,
         {TOKEN_HTTP(403), GET_V1(ASKS_ROLE, 403, NULL)},
         VAULT_NOT_CONFIGURED,
         "instance metadata is turned off"},
        {NULL,
         {TOKEN_OK, GET_V2(ASKS_ROLE, 403, NULL)},
         VAULT_CREDENTIALS_REFUSED,
         SAID ": HTTP 403 for " ROLE_PATH},
        {NULL,
         {TOKEN_HTTP(404), GET_V1(ASKS_ROLE, 200, "gateway"), GET_V1(ASKS_KEYS, 403, NULL)},
         VAULT_CREDENTIALS_REFUSED,
         SAID ": HTTP 403 for " ROLE_PATH},
        {NULL,
         {TOKEN_LOST(VAULT_TIMEOUT), GET_V1(ASKS_ROLE, 403, NULL)},
         VAULT_CREDENTIALS_REFUSED,
         SAID ": HTTP 403 for " ROLE_PATH HINT},
        /* somebody answered before: what follows is no sign of being elsewhere */
        {NULL,
         {TOKEN_OK, GET_LOST(ASKS_ROLE, VAULT_CONNECT_FAILED)},
         VAULT_CONNECT_FAILED,
         SAID ": planted"},
        {NULL,
         {TOKEN_HTTP(405), GET_LOST(ASKS_ROLE, VAULT_TIMEOUT)},
         VAULT_TIMEOUT,
         SAID ": planted"},
        {NULL,
         {TOKEN_OK, GET_V2(ASKS_ROLE, 200, "gateway"), GET_LOST(ASKS_KEYS, VAULT_CONNECTION_LOST)},
         VAULT_CONNECTION_LOST,
         SAID ": planted"},
    };

    (void)state;
    CHECK(rows);
}

/* A refused token is renewed once. */
static void test_renewal(void **state)
{
    static const struct row rows[] = {
        {NULL,
         {TOKEN_OK, GET_V2(ASKS_ROLE, 401, NULL), TOKEN_OK, GET_V2(ASKS_ROLE, 200, "gateway"),
          GET_V2(ASKS_KEYS, 200, GOOD)},
         VAULT_OK,
         ""},
        {NULL,
         {TOKEN_OK,
          GET_V2(ASKS_ROLE, 200, "gateway"),
          GET_V2(ASKS_KEYS, 401, NULL),
          {ASKS_TOKEN, TTL, "second", 0, VAULT_OK},
          {ASKS_ROLE, "X-aws-ec2-metadata-token: second\r\n", "gateway", 0, VAULT_OK},
          {ASKS_KEYS, "X-aws-ec2-metadata-token: second\r\n", GOOD, 0, VAULT_OK}},
         VAULT_OK,
         ""},
        {NULL,
         {TOKEN_OK, GET_V2(ASKS_ROLE, 401, NULL), TOKEN_OK, GET_V2(ASKS_ROLE, 401, NULL)},
         VAULT_CREDENTIALS_REFUSED,
         SAID ": HTTP 401 for " ROLE_PATH},
        {NULL,
         {TOKEN_OK, GET_V2(ASKS_ROLE, 401, NULL), TOKEN_OK, GET_V2(ASKS_ROLE, 200, "gateway"),
          GET_V2(ASKS_KEYS, 401, NULL)},
         VAULT_CREDENTIALS_REFUSED,
         SAID ": HTTP 401 for " ROLE_PATH},
        {NULL,
         {TOKEN_LOST(VAULT_TIMEOUT), GET_V1(ASKS_ROLE, 401, NULL)},
         VAULT_CREDENTIALS_REFUSED,
         SAID ": HTTP 401 for " ROLE_PATH " without a token" HINT},
        {NO_V1,
         {TOKEN_OK, GET_V2(ASKS_ROLE, 401, NULL), TOKEN_LOST(VAULT_TIMEOUT)},
         VAULT_CREDENTIALS_REFUSED,
         SAID HINT "; AWS_EC2_METADATA_V1_DISABLED is true"},
        {NULL,
         {TOKEN_OK, GET_V2(ASKS_ROLE, 401, NULL), TOKEN_LOST(VAULT_CONNECT_FAILED)},
         VAULT_CONNECT_FAILED,
         SAID ": planted"},
    };

    (void)state;
    CHECK(rows);
}

static void test_malformed(void **state)
{
    static const char no_token[] = SAID ": HTTP 200: what came is no token";
    static const char no_role[] = SAID ": HTTP 200: what came is no role's name";
    static const struct row rows[] = {
        {NULL, {{ASKS_TOKEN, TTL, NULL, 0, VAULT_OK}}, VAULT_BAD_RESPONSE, no_token},
        {NULL, {{ASKS_TOKEN, TTL, TOKEN "\n", 0, VAULT_OK}}, VAULT_BAD_RESPONSE, no_token},
        {NULL,
         {{ASKS_TOKEN, TTL, "a\r\nX-Evil: CANARY", 0, VAULT_OK}},
         VAULT_BAD_RESPONSE,
         no_token},
        {NULL, {{ASKS_TOKEN, TTL, "CANARY\x80", 0, VAULT_OK}}, VAULT_BAD_RESPONSE, no_token},
        {NULL, {TOKEN_OK, GET_V2(ASKS_ROLE, 200, "a\r\nb")}, VAULT_BAD_RESPONSE, no_role},
        {NULL, {TOKEN_OK, GET_V2(ASKS_ROLE, 200, "a\n\n")}, VAULT_BAD_RESPONSE, no_role},
        {NULL, {TOKEN_OK, GET_V2(ASKS_ROLE, 200, "<p CANARY>")}, VAULT_BAD_RESPONSE, no_role},
        {NULL, {TOKEN_OK, GET_V2(ASKS_ROLE, 200, ".")}, VAULT_BAD_RESPONSE, no_role},
        {NULL, {TOKEN_OK, GET_V2(ASKS_ROLE, 200, "..\n")}, VAULT_BAD_RESPONSE, no_role},
        {NULL,
         {TOKEN_OK, GET_V2(ASKS_ROLE, 200, "gateway"),
          GET_V2(ASKS_KEYS, 200, "{\"Code\":\"Failed\",\"Message\":\"no metaCANARY==\"}")},
         VAULT_CREDENTIALS_REFUSED,
         SAID ": HTTP 200: Code is not Success: Failed"},
        {NULL,
         {TOKEN_OK, GET_V2(ASKS_ROLE, 200, "gateway"),
          GET_V2(ASKS_KEYS, 200, "{\"Code\":\"Success\",\"AccessKeyId\":\"CANARY\"}")},
         VAULT_BAD_RESPONSE,
         SAID ": HTTP 200: SecretAccessKey is absent or empty"},
        {NULL,
         {TOKEN_OK, GET_V2(ASKS_ROLE, 200, "gateway"), GET_V2(ASKS_KEYS, 404, "CANARY")},
         VAULT_CREDENTIALS_REFUSED,
         SAID ": HTTP 404 for " ROLE_PATH},
        {NULL,
         {TOKEN_OK, GET_V2(ASKS_ROLE, 429, NULL)},
         VAULT_THROTTLED,
         SAID ": HTTP 429 for " ROLE_PATH},
    };

    (void)state;
    CHECK(rows);
}

static void test_no_memory(void **state)
{
    static const char *const none[] = {NULL};
    static const struct move two[] = {TOKEN_OK,
                                      GET_V2(ASKS_ROLE, 401, NULL),
                                      TOKEN_OK,
                                      GET_V2(ASKS_ROLE, 200, "a/b"),
                                      {ASKS_ROLE "a%2Fb", WITH_TOKEN, GOOD, 0, VAULT_OK},
                                      {0}};
    static const struct move one[] = {
        TOKEN_HTTP(403), GET_V1(ASKS_ROLE, 200, "gateway"), GET_V1(ASKS_KEYS, 200, GOOD), {0}};
    static const struct move region[] = {TOKEN_OK, GET_V2(ASKS_REGION, 200, "eu-west-1"), {0}};

    (void)state;
    assert_true(play_without_memory(&vault_source_imds, none, two) > 6);
    assert_true(play_without_memory(&vault_source_imds, none, one) > 6);
    assert_true(play_without_memory(&vault_source_imds_region, none, region) > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions),  cmocka_unit_test(test_nothing_there),
        cmocka_unit_test(test_renewal),   cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
