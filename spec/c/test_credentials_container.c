/* test_credentials_container - ECS and EKS Pod Identity, played against a script.
 *
 * For:   what credentials_container.h promises, one row each.
 * Never: a network, a clock.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "container_address.h"
#include "credentials_container.h"
#include "source_script.h"

#define RELATIVE   "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI="
#define FULL       "AWS_CONTAINER_CREDENTIALS_FULL_URI="
#define TOKEN      "AWS_CONTAINER_AUTHORIZATION_TOKEN="
#define TOKEN_FILE "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE="
#define POD        "http://169.254.170.23/v1/credentials"
#define ECS        "http://169.254.170.2/v2/credentials/x"
#define ACCEPT     "Accept: application/json\r\n"
#define SAID       "container credentials (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI): "

#define KEYS(expires)                                                                              \
    "{\"AccessKeyId\":\"AKIDCANARY\",\"SecretAccessKey\":\"secretCANARY\","                        \
    "\"Token\":\"tokenCANARY\",\"Expiration\":\"" expires "\"}"
#define GOOD KEYS("2023-11-14T23:13:20Z") /* an hour after NOW */

static char folder[64];
static char token_path[128];
static char file_entry[256];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/vault_container_XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(token_path, sizeof token_path, "%s/token", folder);
    snprintf(file_entry, sizeof file_entry, "%s%s", TOKEN_FILE, token_path);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(token_path);
    return rmdir(folder);
}

static void put_token(const char *bytes, size_t length)
{
    FILE *file = fopen(token_path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void check_good(struct play *play)
{
    assert_int_equal(play->run.status, VAULT_OK);
    assert_string_equal(play->run.credential.access_key_id, "AKIDCANARY");
    assert_string_equal(play->run.credential.secret_access_key, "secretCANARY");
    assert_string_equal(play->run.credential.session_token, "tokenCANARY");
    assert_string_equal(play->run.credential.source, "container");
    assert_int_equal(play->run.credential.expires, NOW + 3600);
    assert_int_equal(play->timeout_ms, 2000);
}

/* Where it asks, with what, and whether every address is looked at. */
static void test_asks(void **state)
{
    static const struct {
        const char *entries[5];
        const char *asks, *headers;
        bool any_address;
    } rows[] = {
        {{RELATIVE "/v2/credentials/x"}, "GET " ECS, ACCEPT, false},
        {{RELATIVE "/v2/credentials/x", FULL "https://host/x"}, "GET " ECS, ACCEPT, false},
        {{RELATIVE, FULL POD}, "GET " POD, ACCEPT, false},
        {{RELATIVE "/!~", TOKEN " ~!"},
         "GET http://169.254.170.2/!~",
         ACCEPT "Authorization:  ~!\r\n",
         false},
        {{RELATIVE "/x?id=1", TOKEN "Basic a b=="},
         "GET http://169.254.170.2/x?id=1",
         ACCEPT "Authorization: Basic a b==\r\n",
         false},
        {{FULL POD, TOKEN "tokenCANARY", TOKEN_FILE},
         "GET " POD,
         ACCEPT "Authorization: tokenCANARY\r\n",
         false},
        {{FULL POD, TOKEN}, "GET " POD, ACCEPT, false},
        {{FULL "https://10.0.0.1:8443/a//b/?c=d"},
         "GET https://10.0.0.1:8443/a//b/?c=d",
         ACCEPT,
         true},
        {{FULL "HTTPS://host"}, "GET HTTPS://host", ACCEPT, true},
        {{FULL "http://localhost:1338/x/"}, "GET http://localhost:1338/x/", ACCEPT, false},
        {{FULL "http://[::1]:80?x"}, "GET http://[::1]:80?x", ACCEPT, false},
        {{FULL "http://[fd00:ec2::23]/v1/credentials"},
         "GET http://[fd00:ec2::23]/v1/credentials",
         ACCEPT,
         false},
        {{FULL "http://name.example.com/x"}, "GET http://name.example.com/x", ACCEPT, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct move moves[] = {{rows[i].asks, rows[i].headers, GOOD, 0, VAULT_OK}, {0}};
        struct play play;

        play_all(&play, &vault_source_container, rows[i].entries, moves);
        check_good(&play);
        assert_ptr_equal(play.may_connect, rows[i].any_address ? NULL : vault_container_address);
        play_close(&play);
    }
}

/* What is refused before anything is sent. */
static void test_settings(void **state)
{
    static const char plain[] =
        "AWS_CONTAINER_CREDENTIALS_FULL_URI has an address that may not be asked over plain http: "
        "only loopback, 169.254.170.2, 169.254.170.23 and [fd00:ec2::23] may";
    static const char unset[] = "neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor "
                                "AWS_CONTAINER_CREDENTIALS_FULL_URI is set";
    static const char scheme[] = "AWS_CONTAINER_CREDENTIALS_FULL_URI: endpoint URL: does not begin "
                                 "with http:// or https://";
    static const char slash[] =
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with a slash";
    static const char bytes[] = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI holds a blank, a fragment "
                                "or a byte that no URL has";
    static const char illegal[] = "AWS_CONTAINER_AUTHORIZATION_TOKEN: the token holds a line's end "
                                  "or a byte that is not printable ASCII";
    static const struct {
        const char *entries[4];
        enum vault_status status;
        const char *says;
    } rows[] = {
        {{NULL}, VAULT_NOT_CONFIGURED, unset},
        {{RELATIVE, FULL, TOKEN "tokenCANARY"}, VAULT_NOT_CONFIGURED, unset},
        {{RELATIVE "@evil.example.com/"}, VAULT_BAD_CONFIG, slash},
        {{RELATIVE ":80@evil/", FULL POD}, VAULT_BAD_CONFIG, slash},
        {{RELATIVE "/a\r\nb"}, VAULT_BAD_CONFIG, bytes},
        {{RELATIVE "/a b"}, VAULT_BAD_CONFIG, bytes},
        {{RELATIVE "/a#b"}, VAULT_BAD_CONFIG, bytes},
        {{FULL "http://10.0.0.1/x"}, VAULT_BAD_CONFIG, plain},
        {{FULL "http://169.254.169.254/x"}, VAULT_BAD_CONFIG, plain},
        {{FULL "http://[fd00:ec2::254]/x"}, VAULT_BAD_CONFIG, plain},
        {{FULL "http://[::ffff:10.0.0.1]"}, VAULT_BAD_CONFIG, plain},
        {{FULL "http://tokenCANARY@localhost/"},
         VAULT_BAD_CONFIG,
         "AWS_CONTAINER_CREDENTIALS_FULL_URI: endpoint URL: holds a user name or a password"},
        {{FULL "http://localhost\\@evil/"},
         VAULT_BAD_CONFIG,
         "AWS_CONTAINER_CREDENTIALS_FULL_URI: endpoint URL: holds a blank or a byte that no URL "
         "has"},
        {{FULL "ftp://localhost/"}, VAULT_BAD_CONFIG, scheme},
        {{FULL "/v1/credentials"}, VAULT_BAD_CONFIG, scheme},
        {{FULL POD, TOKEN "tokenCANARY\r\nX-Evil: 1"}, VAULT_BAD_CONFIG, illegal},
        {{FULL POD, TOKEN "tokenCANARY\n"}, VAULT_BAD_CONFIG, illegal},
        {{FULL POD, TOKEN "tokenCANARY\x7f"}, VAULT_BAD_CONFIG, illegal},
        {{FULL POD, TOKEN "x", TOKEN_FILE "/nonexistent/token"},
         VAULT_BAD_CONFIG,
         "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: cannot open /nonexistent/token: No such file or "
         "directory"},
    };
    static const struct move none[] = {{0}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct play play;

        assert_int_equal(play_all(&play, &vault_source_container, rows[i].entries, none),
                         rows[i].status);
        assert_string_equal(play.run.why.text, rows[i].says);
        play_close(&play);
    }
}

static void check_long(const char *name, const char *start, const char *more, size_t length,
                       const char *says)
{
    static const struct move none[] = {{0}};
    char *entry = calloc(1, length + 128);
    const char *entries[] = {entry, more, NULL};
    struct play play;

    sprintf(entry, "%s%s", name, start);
    memset(entry + strlen(entry), 'k', length);
    assert_int_equal(play_all(&play, &vault_source_container, entries, none), VAULT_BAD_CONFIG);
    assert_string_equal(play.run.why.text, says);
    play_close(&play);
    free(entry);
}

static void test_long_settings(void **state)
{
    (void)state;
    check_long(RELATIVE, "/", NULL, 2048,
               "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is over 2048 bytes");
    check_long(FULL, "http://localhost/", NULL, 2048,
               "AWS_CONTAINER_CREDENTIALS_FULL_URI is over 2048 bytes");
    check_long(TOKEN, "", FULL POD, 16385, "AWS_CONTAINER_AUTHORIZATION_TOKEN is over 16384 bytes");
}

/* The file before the variable, and its bytes. */
static void test_token_file(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *sent; /* NULL: refused */
        const char *says;
    } rows[] = {
        {"tokenCANARY", 11, "tokenCANARY", NULL},
        {"tokenCANARY\n", 12, "tokenCANARY", NULL},
        {"tokenCANARY\r\n", 13, "tokenCANARY", NULL},
        {"Bearer tokenCANARY", 18, "Bearer tokenCANARY", NULL},
        {"tokenCANARY\n\n", 13, NULL,
         "the token holds a line's end or a byte that is not "
         "printable ASCII"},
        {"tokenCANARY\r\nX-Evil: 1", 22, NULL,
         "the token holds a line's end or a byte that is not printable ASCII"},
        {"tokenCANARY\0x", 13, NULL, "the token holds a NUL"},
        {"", 0, NULL, "the token is empty"},
        {"\n", 1, NULL, "the token is empty"},
    };
    const char *entries[] = {FULL POD, TOKEN "otherCANARY", file_entry, NULL};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char headers[128] = "", says[256];
        struct move moves[] = {{"GET " POD, headers, GOOD, 0, VAULT_OK}, {0}};
        struct play play;

        put_token(rows[i].bytes, rows[i].length);
        if (rows[i].sent) {
            snprintf(headers, sizeof headers, ACCEPT "Authorization: %s\r\n", rows[i].sent);
            play_all(&play, &vault_source_container, entries, moves);
            check_good(&play);
        } else {
            assert_int_equal(play_all(&play, &vault_source_container, entries, &moves[1]),
                             VAULT_BAD_CONFIG);
            snprintf(says, sizeof says, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE %s: %s", token_path,
                     rows[i].says);
            assert_string_equal(play.run.why.text, says);
        }
        play_close(&play);
    }
}

/* Pod Identity turns the token over: the next attempt sends what the file holds by then. */
static void test_token_file_is_read_anew(void **state)
{
    const char *entries[] = {FULL POD, file_entry, NULL};
    static const struct move moves[] = {
        {"GET " POD, ACCEPT "Authorization: first\r\n", NULL, 500, VAULT_OK},
        {"GET " POD, ACCEPT "Authorization: second\r\n", GOOD, 0, VAULT_OK},
        {0},
    };
    struct play play;

    (void)state;
    put_token("first", 5);
    play_open(&play, &vault_source_container, entries);
    assert_false(play_step(&play, moves));
    put_token("second", 6);
    assert_false(play_step(&play, moves));
    assert_int_equal(play.pauses, 1);
    assert_false(play_step(&play, moves));
    assert_true(play_step(&play, moves));
    check_good(&play);
    play_close(&play);

    unlink(token_path);
    assert_int_equal(play_all(&play, &vault_source_container, entries, &moves[2]),
                     VAULT_BAD_CONFIG);
    play_close(&play);
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
        {VAULT_CONNECT_FAILED, 0, 3, VAULT_CONNECT_FAILED, SAID "planted"},
        {VAULT_TIMEOUT, 0, 3, VAULT_TIMEOUT, SAID "planted"},
        {VAULT_CONNECTION_LOST, 0, 3, VAULT_CONNECTION_LOST, SAID "planted"},
        {VAULT_TLS_FAILED, 0, 1, VAULT_TLS_FAILED, SAID "planted"},
        {VAULT_OK, 500, 3, VAULT_SERVER_ERROR, SAID "HTTP 500"},
        {VAULT_OK, 503, 3, VAULT_SERVER_ERROR, SAID "HTTP 503"},
        {VAULT_OK, 429, 3, VAULT_THROTTLED, SAID "HTTP 429"},
        {VAULT_OK, 403, 1, VAULT_CREDENTIALS_REFUSED, SAID "HTTP 403"},
        {VAULT_OK, 302, 1, VAULT_BAD_RESPONSE, SAID "HTTP 302"},
    };
    static const char *const entries[] = {RELATIVE "/v2/credentials/x", NULL};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct move moves[4] = {0};
        struct play play;

        for (unsigned k = 0; k < rows[i].attempts; k++)
            moves[k] =
                (struct move){"GET " ECS, ACCEPT, "bodyCANARY", rows[i].http, rows[i].outcome};
        assert_int_equal(play_all(&play, &vault_source_container, entries, moves), rows[i].status);
        assert_string_equal(play.run.why.text, rows[i].says);
        assert_int_equal(play.pauses, rows[i].attempts - 1);
        assert_int_equal(play.paused_ms, play.pauses * INT64_C(1000));
        play_close(&play);
        if (rows[i].attempts == 1)
            continue;
        moves[2] = (struct move){"GET " ECS, ACCEPT, GOOD, 0, VAULT_OK};
        play_all(&play, &vault_source_container, entries, moves);
        check_good(&play);
        play_close(&play);
    }
}

static void test_answers(void **state)
{
    static const char *const entries[] = {RELATIVE "/v2/credentials/x",
                                          TOKEN "tokenCANARYtokenCANARY", NULL};
    static const struct {
        int http;
        const char *body;
        enum vault_status status;
        const char *says;
    } rows[] = {
        {400,
         "{\"code\":\"InvalidIdInRequest\",\"message\":\"no\\nsuch task\",\"HTTPErrorCode\":400}",
         VAULT_CREDENTIALS_REFUSED, SAID "HTTP 400, InvalidIdInRequest: no\\x0Asuch task"},
        {403, "{\"Message\":\"CANARY\"}", VAULT_CREDENTIALS_REFUSED, SAID "HTTP 403"},
        {401, "{\"code\":\"Denied\",\"message\":\"not tokenCANARYtokenCANARY\"}",
         VAULT_CREDENTIALS_REFUSED, SAID "HTTP 401, Denied: not ..."},
        {401, "{\"code\":\"tokenCANARYtokenCANARY\",\"message\":\"no\"}", VAULT_CREDENTIALS_REFUSED,
         SAID "HTTP 401"},
        {404, "<html>CANARY</html>", VAULT_CREDENTIALS_REFUSED, SAID "HTTP 404"},
        {200, "{\"Code\":\"Failed\",\"Message\":\"no trust\"}", VAULT_CREDENTIALS_REFUSED,
         SAID "HTTP 200: Code is not Success: Failed: no trust"},
        {200, "{\"AccessKeyId\":\"AKIDCANARY\"}", VAULT_BAD_RESPONSE,
         SAID "HTTP 200: SecretAccessKey is absent or empty"},
        {200, NULL, VAULT_BAD_RESPONSE, SAID "HTTP 200: the text is not JSON, at byte 1"},
        {200, KEYS("2023-11-14T22:13:20Z"), VAULT_EXPIRED_TOKEN,
         SAID "it hands out credentials that have expired"},
        {200, KEYS("2020-01-01T00:00:00Z"), VAULT_EXPIRED_TOKEN,
         SAID "it hands out credentials that have expired"},
        {200, KEYS("2023-11-14T22:13:21Z"), VAULT_OK, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct move moves[] = {{"GET " ECS, NULL, rows[i].body, rows[i].http, VAULT_OK}, {0}};
        struct play play;

        assert_int_equal(play_all(&play, &vault_source_container, entries, moves), rows[i].status);
        assert_string_equal(play.run.why.text, rows[i].says);
        play_close(&play);
    }
}

static void test_no_memory(void **state)
{
    const char *entries[] = {FULL POD, file_entry, NULL};
    static const struct move good[] = {
        {"GET " POD, NULL, NULL, 500, VAULT_OK}, {"GET " POD, NULL, GOOD, 0, VAULT_OK}, {0}};
    static const struct move bad[] = {
        {"GET " POD, NULL, "{\"code\":\"a\",\"message\":\"b\"}", 400, VAULT_OK}, {0}};

    (void)state;
    put_token("tokenCANARY", 11);
    assert_true(play_without_memory(&vault_source_container, entries, good) > 10);
    assert_true(play_without_memory(&vault_source_container, entries, bad) > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asks),          cmocka_unit_test(test_settings),
        cmocka_unit_test(test_long_settings), cmocka_unit_test(test_token_file),
        cmocka_unit_test(test_attempts),      cmocka_unit_test(test_token_file_is_read_anew),
        cmocka_unit_test(test_answers),       cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
