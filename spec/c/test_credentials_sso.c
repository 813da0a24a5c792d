/* test_credentials_sso - IAM Identity Center, played against a script.
 *
 * For:   what credentials_sso.h promises, one row each: the login's file, what is asked, what is
 *        answered.
 * Never: a network, a clock, which file it is (test_profile_plan).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "credentials_sso.h"
#include "profile_home.h"
#include "source_script.h"

#define PORTAL  "GET https://portal.sso.eu-west-1.amazonaws.com/federation/credentials"
#define QUERY   "?role_name=Gate%2Bway&account_id=012345678901"
#define BEARER  "Accept: application/json\r\nx-amz-sso_bearer_token: "
#define HEADERS BEARER "tokenCANARYtokenCANARY\r\n"
#define TOKEN   "\"accessToken\":\"tokenCANARYtokenCANARY\""
#define LATER   "\"expiresAt\":\"2023-11-14T22:13:21Z\"" /* a second after NOW */
#define FILE    "{" TOKEN "," LATER "}"
#define KEYS                                                                                       \
    "\"accessKeyId\":\"AKIDCANARY\",\"secretAccessKey\":\"secretCANARY\","                         \
    "\"sessionToken\":\"sessionCANARY\""
#define CREDENTIALS(inside) "{\"roleCredentials\":{" inside "}}"
#define GOOD                CREDENTIALS(KEYS ",\"expiration\":1700003600999")
#define LOGIN               ": run \"aws sso login --profile x\""
#define WHO                 "IAM Identity Center (role Gate+way of account 012345678901): "

static char token_file[128], home_entry[128];
static char account[] = "012345678901", role[] = "Gate+way", region[] = "eu-west-1",
            login[] = "aws sso login --profile x";
static const struct vault_plan plan = {.base = VAULT_PLAN_SSO,
                                       .sso = {account, role, region, token_file, login}};
static const char *const at_home[] = {home_entry, NULL};

static int begin(void **state)
{
    if (make_home(state) != 0)
        return -1;
    snprintf(token_file, sizeof token_file, "%s/token.json", home);
    snprintf(home_entry, sizeof home_entry, "HOME=%s", home);
    play_plan = &plan;
    return 0;
}

static void check_good(const struct play *play)
{
    const struct vault_credential *had = &play->run.credential;

    assert_int_equal(play->run.status, VAULT_OK);
    assert_string_equal(had->access_key_id, "AKIDCANARY");
    assert_string_equal(had->secret_access_key, "secretCANARY");
    assert_string_equal(had->session_token, "sessionCANARY");
    assert_string_equal(had->source, "sso");
    assert_int_equal(had->expires, NOW + 3600);
    assert_int_equal(play->timeout_ms, 5000);
    assert_null(play->may_connect);
}

static void check_play(const char *const *entries, const struct move *moves,
                       enum vault_status status, const char *says)
{
    struct play play;

    assert_int_equal(play_all(&play, &vault_source_sso, entries, moves), status);
    check_message(&play.run.why, says);
    if (status == VAULT_OK)
        check_good(&play);
    play_close(&play);
}

/* Where it asks, by all that may say so. */
static void test_asks(void **state)
{
    static const struct {
        const char *entry, *config, *asks;
    } rows[] = {
        {NULL, NULL, PORTAL QUERY},
        {"AWS_ENDPOINT_URL_SSO=http://localhost:1", NULL,
         "GET http://localhost:1/federation/credentials" QUERY},
        {"AWS_ENDPOINT_URL=https://vpce/base", NULL,
         "GET https://vpce/base/federation/credentials" QUERY},
        {"AWS_ENDPOINT_URL=https://vpce/base/", NULL,
         "GET https://vpce/base/federation/credentials" QUERY},
        {"AWS_ENDPOINT_URL_STS=http://sts", NULL, PORTAL QUERY},
        {NULL, "[default]\nservices = s\n[services s]\nsso =\n  endpoint_url = http://s\n",
         "GET http://s/federation/credentials" QUERY},
        {NULL, "[default]\nendpoint_url = http://all\n",
         "GET http://all/federation/credentials" QUERY},
        {"AWS_USE_FIPS_ENDPOINT=true", NULL,
         "GET https://portal.sso-fips.eu-west-1.amazonaws.com/federation/credentials" QUERY},
    };

    (void)state;
    put("token.json", FILE);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *const entries[] = {home_entry, rows[i].entry, NULL};
        const struct move moves[] = {{rows[i].asks, HEADERS, GOOD, 0, VAULT_OK}, {0}};

        put(".aws/config", rows[i].config);
        check_play(entries, moves, VAULT_OK, "");
    }
    put(".aws/config", NULL);
}

static void test_parameters_are_encoded(void **state)
{
    char names[] = "a b&c=/?#", id[] = "1 2";
    const struct vault_plan odd = {.base = VAULT_PLAN_SSO,
                                   .sso = {id, names, region, token_file, login}};
    const struct move moves[] = {
        {PORTAL "?role_name=a%20b%26c%3D%2F%3F%23&account_id=1%202", NULL, GOOD, 0, VAULT_OK}, {0}};

    (void)state;
    put("token.json", FILE);
    play_plan = &odd;
    check_play(at_home, moves, VAULT_OK, "");
    play_plan = &plan;
}

static void test_endpoint_is_refused(void **state)
{
    static const struct move none[] = {{0}};
    const char *entries[] = {home_entry, "AWS_ENDPOINT_URL_SSO=http://u:CANARY@h", NULL};

    (void)state;
    put("token.json", FILE);
    check_play(entries, none, VAULT_BAD_ENDPOINT,
               "IAM Identity Center: endpoint URL: holds a user name or a password");
}

#define SAID "the IAM Identity Center login in %/token.json cannot be used: "

static void test_token_file(void **state)
{
    static const char expired[] = "the IAM Identity Center login has expired" LOGIN;
    static const char no_object[] = SAID "it is not a JSON object" LOGIN;
    static const char no_time[] = SAID "expiresAt is not a time" LOGIN;
    static const char bytes[] =
        SAID "accessToken holds white space or a byte that is not printable ASCII" LOGIN;
    static const struct {
        const char *text;
        enum vault_status status;
        const char *says;
    } rows[] = {
        {FILE, VAULT_OK, ""},
        {"{\"startUrl\":\"u\",\"clientSecret\":[]," TOKEN
         ",\"expiresAt\":\"2023-11-14T22:13:21UTC\"}",
         VAULT_OK, ""},
        {"{" TOKEN ",\"expiresAt\":\"2023-11-15T00:13:21.5+02:00\"}\n", VAULT_OK, ""},
        {"{" TOKEN ",\"expiresAt\":\"2023-11-14T22:13:20Z\"}", VAULT_EXPIRED_TOKEN, expired},
        {"{" TOKEN ",\"expiresAt\":\"2020-01-01T00:00:00UTC\"}", VAULT_EXPIRED_TOKEN, expired},
        {"{\"expiresAt\":\"2020-01-01T00:00:00Z\"}", VAULT_EXPIRED_TOKEN, expired},
        {"{" TOKEN ",\"expiresAt\":\"UTC\"}", VAULT_BAD_PROFILE, no_time},
        {"{" TOKEN ",\"expiresAt\":\"CANARY\"}", VAULT_BAD_PROFILE, no_time},
        {"{" TOKEN ",\"expiresAt\":1700000001}", VAULT_BAD_PROFILE,
         SAID "expiresAt is not a string" LOGIN},
        {"{" TOKEN "}", VAULT_BAD_PROFILE, SAID "expiresAt is absent or empty" LOGIN},
        {"{" LATER "}", VAULT_BAD_PROFILE, SAID "accessToken is absent or empty" LOGIN},
        {"{\"accessToken\":[\"CANARY\"]," LATER "}", VAULT_BAD_PROFILE,
         SAID "accessToken is not a string" LOGIN},
        {"{\"accessToken\":\"CANARY\\u0000\"," LATER "}", VAULT_BAD_PROFILE,
         SAID "accessToken holds a NUL" LOGIN},
        {"{\"accessToken\":\"CANARY\\r\\nX-Evil: 1\"," LATER "}", VAULT_BAD_PROFILE, bytes},
        {"{\"accessToken\":\"CANARY \"," LATER "}", VAULT_BAD_PROFILE, bytes},
        {"{\"accessToken\":\"\\u00fc\"," LATER "}", VAULT_BAD_PROFILE, bytes},
        {"", VAULT_BAD_PROFILE, no_object},
        {"[" FILE "]", VAULT_BAD_PROFILE, no_object},
        {FILE "CANARY", VAULT_BAD_PROFILE, no_object},
        {"{" TOKEN "," TOKEN "," LATER "}", VAULT_BAD_PROFILE, no_object},
        {NULL, VAULT_BAD_PROFILE,
         "no IAM Identity Center login: cannot open %/token.json: No such file or directory" LOGIN},
    };
    static const struct move moves[] = {{PORTAL QUERY, HEADERS, GOOD, 0, VAULT_OK}, {0}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        put("token.json", rows[i].text);
        check_play(at_home, rows[i].status == VAULT_OK ? moves : &moves[1], rows[i].status,
                   rows[i].says);
    }
}

static void check_long(size_t length, const char *says)
{
    static const struct move none[] = {{0}};
    char *text = calloc(1, length + 128);

    strcpy(text, "{" LATER ",\"accessToken\":\"");
    memset(text + strlen(text), 'k', length);
    strcat(text, "\"}");
    put("token.json", text);
    check_play(at_home, none, VAULT_BAD_PROFILE, says);
    free(text);
}

static void test_long_token_file(void **state)
{
    (void)state;
    check_long(16385, SAID "accessToken is too long" LOGIN);
    check_long(65536, "no IAM Identity Center login: cannot open %/token.json: over 65536 "
                      "bytes" LOGIN);
}

static void test_denied_token_file(void **state)
{
    static const struct move none[] = {{0}};

    (void)state;
    put("token.json", FILE);
    set_mode("%/token.json", 0);
    if (in_nobodys_child()) {
        check_play(at_home, none, VAULT_BAD_PROFILE,
                   "no IAM Identity Center login: cannot open %/token.json: Permission denied; the "
                   "user of this process cannot read it");
        _exit(0);
    }
}

/* Three attempts for what may pass, one for what will not. */
static void test_attempts(void **state)
{
    static const struct {
        enum vault_status outcome;
        int http;
        unsigned attempts;
        enum vault_status status;
        const char *says;
    } rows[] = {
        {VAULT_CONNECT_FAILED, 0, 3, VAULT_CONNECT_FAILED, WHO "planted"},
        {VAULT_TIMEOUT, 0, 3, VAULT_TIMEOUT, WHO "planted"},
        {VAULT_TLS_FAILED, 0, 1, VAULT_TLS_FAILED, WHO "planted"},
        {VAULT_OK, 500, 3, VAULT_SERVER_ERROR, WHO "HTTP 500"},
        {VAULT_OK, 503, 3, VAULT_SERVER_ERROR, WHO "HTTP 503"},
        {VAULT_OK, 429, 3, VAULT_THROTTLED, WHO "HTTP 429"},
        {VAULT_OK, 401, 1, VAULT_EXPIRED_TOKEN, WHO "HTTP 401" LOGIN},
        {VAULT_OK, 403, 1, VAULT_ACCESS_DENIED, WHO "HTTP 403"},
        {VAULT_OK, 404, 1, VAULT_ACCESS_DENIED, WHO "HTTP 404"},
        {VAULT_OK, 400, 1, VAULT_BAD_RESPONSE, WHO "HTTP 400"},
        {VAULT_OK, 302, 1, VAULT_BAD_RESPONSE, WHO "HTTP 302"},
    };

    (void)state;
    put("token.json", FILE);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct move moves[4] = {0};
        struct play play;

        for (unsigned k = 0; k < rows[i].attempts; k++)
            moves[k] =
                (struct move){PORTAL QUERY, HEADERS, "CANARY", rows[i].http, rows[i].outcome};
        assert_int_equal(play_all(&play, &vault_source_sso, at_home, moves), rows[i].status);
        check_message(&play.run.why, rows[i].says);
        assert_int_equal(play.pauses, rows[i].attempts - 1);
        assert_int_equal(play.paused_ms, play.pauses * INT64_C(1000));
        play_close(&play);
        moves[rows[i].attempts - 1] = (struct move){PORTAL QUERY, HEADERS, GOOD, 0, VAULT_OK};
        check_play(at_home, moves, VAULT_OK, "");
    }
}

/* A login made between two attempts is the one that the second goes with. */
static void test_token_is_read_anew(void **state)
{
    static const struct move moves[] = {
        {PORTAL QUERY, HEADERS, NULL, 500, VAULT_OK},
        {PORTAL QUERY, BEARER "second\r\n", GOOD, 0, VAULT_OK},
        {0},
    };
    struct play play;

    (void)state;
    put("token.json", FILE);
    play_open(&play, &vault_source_sso, at_home);
    assert_false(play_step(&play, moves));
    put("token.json", "{\"accessToken\":\"second\"," LATER "}");
    assert_false(play_step(&play, moves));
    assert_int_equal(play.pauses, 1);
    assert_false(play_step(&play, moves));
    assert_true(play_step(&play, moves));
    check_good(&play);
    play_close(&play);
}

static void test_answers(void **state)
{
    static const char no_time[] = WHO "HTTP 200: expiration is not a time in milliseconds";
    static const struct {
        int http;
        const char *body;
        enum vault_status status;
        const char *says;
    } rows[] = {
        {401,
         "{\"message\":\"Session token not\\nfound\",\"__type\":\"com.amazonaws.switchboard.portal#"
         "UnauthorizedException\"}",
         VAULT_EXPIRED_TOKEN,
         WHO "HTTP 401, UnauthorizedException: Session token not\\x0Afound" LOGIN},
        {403, "{\"message\":\"No access\",\"__type\":\"x#ForbiddenException\"}",
         VAULT_ACCESS_DENIED, WHO "HTTP 403, ForbiddenException: No access"},
        {403, "{\"message\":\"not tokenCANARYtokenCANARY\",\"__type\":\"Denied\"}",
         VAULT_ACCESS_DENIED, WHO "HTTP 403, Denied: not ..."},
        {403, "{\"message\":\"no\",\"__type\":\"tokenCANARYtokenCANARY\"}", VAULT_ACCESS_DENIED,
         WHO "HTTP 403"},
        {404, "<html>CANARY</html>", VAULT_ACCESS_DENIED, WHO "HTTP 404"},
        {200, CREDENTIALS(KEYS ",\"expiration\":1700000000999"), VAULT_BAD_RESPONSE,
         WHO "HTTP 200: it hands out credentials that have expired"},
        {200, CREDENTIALS(KEYS ",\"expiration\":\"1700003600000\""), VAULT_BAD_RESPONSE, no_time},
        {200, CREDENTIALS(KEYS ",\"expiration\":1700003600000.5"), VAULT_BAD_RESPONSE, no_time},
        {200, CREDENTIALS(KEYS ",\"expiration\":-1"), VAULT_BAD_RESPONSE, no_time},
        {200, CREDENTIALS(KEYS ",\"expiration\":1e12"), VAULT_BAD_RESPONSE, no_time},
        {200, CREDENTIALS(KEYS ",\"expiration\":1700003600000000"), VAULT_BAD_RESPONSE, no_time},
        {200, CREDENTIALS(KEYS), VAULT_BAD_RESPONSE, no_time},
        {200, CREDENTIALS("\"expiration\":1700003600000"), VAULT_BAD_RESPONSE,
         WHO "HTTP 200: accessKeyId is absent or empty"},
        {200,
         CREDENTIALS("\"accessKeyId\":\"CANARY\",\"secretAccessKey\":\"CANARY\","
                     "\"expiration\":1700003600000"),
         VAULT_BAD_RESPONSE, WHO "HTTP 200: sessionToken is absent or empty"},
        {200,
         CREDENTIALS("\"accessKeyId\":\"a CANARY\",\"secretAccessKey\":\"CANARY\","
                     "\"sessionToken\":\"CANARY\",\"expiration\":1700003600000"),
         VAULT_BAD_RESPONSE,
         WHO "HTTP 200: the access key id holds white space or a byte that is not printable ASCII"},
        {200, CREDENTIALS(KEYS "," KEYS ",\"expiration\":1700003600000"), VAULT_BAD_RESPONSE,
         WHO "HTTP 200: roleCredentials: the JSON object has the key twice"},
        {200, "{\"roleCredentials\":[\"CANARY\"]}", VAULT_BAD_RESPONSE,
         WHO "HTTP 200: roleCredentials is absent or not an object"},
        {200, "{" KEYS ",\"expiration\":1700003600000}", VAULT_BAD_RESPONSE,
         WHO "HTTP 200: roleCredentials is absent or not an object"},
        {200, GOOD "CANARY", VAULT_BAD_RESPONSE,
         WHO "HTTP 200: bytes follow the JSON value, at byte 140"},
        {200, NULL, VAULT_BAD_RESPONSE, WHO "HTTP 200: the text is not JSON, at byte 1"},
    };

    (void)state;
    put("token.json", FILE);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct move moves[] = {{PORTAL QUERY, HEADERS, rows[i].body, rows[i].http, VAULT_OK},
                                     {0}};

        check_play(at_home, moves, rows[i].status, rows[i].says);
    }
}

static void test_no_memory(void **state)
{
    static const struct move good[] = {
        {PORTAL QUERY, NULL, NULL, 500, VAULT_OK}, {PORTAL QUERY, NULL, GOOD, 0, VAULT_OK}, {0}};
    static const struct move bad[] = {
        {PORTAL QUERY, NULL, "{\"code\":\"a\",\"message\":\"b\"}", 403, VAULT_OK}, {0}};

    (void)state;
    put("token.json", FILE);
    assert_true(play_without_memory(&vault_source_sso, at_home, good) > 20);
    assert_true(play_without_memory(&vault_source_sso, at_home, bad) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asks),
        cmocka_unit_test(test_parameters_are_encoded),
        cmocka_unit_test(test_endpoint_is_refused),
        cmocka_unit_test(test_token_file),
        cmocka_unit_test(test_long_token_file),
        cmocka_unit_test(test_denied_token_file),
        cmocka_unit_test(test_attempts),
        cmocka_unit_test(test_token_is_read_anew),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, begin, remove_home);
}
