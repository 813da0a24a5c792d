/* test_credentials_process - credential_process, played without a process.
 *
 * For:   what credentials_process.h promises: the words, the JSON, every way in which it fails. No
 *        message shows the word CANARY.
 * Never: running programs (test_program).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "credentials_process.h"
#include "saying.h"

#define NOW INT64_C(1700000000) /* 2023-11-14T22:13:20Z */

#define KEYS "\"AccessKeyId\":\"AKIDCANARY\",\"SecretAccessKey\":\"secretCANARY\""
#define GOOD                                                                                       \
    "{\"Version\":1," KEYS ",\"SessionToken\":\"tokenCANARY\","                                    \
    "\"Expiration\":\"2023-11-14T23:13:20Z\"}\n"

struct play {
    struct vault_credential_query query;
    struct vault_exchange exchange;
    struct vault_plan plan;
    struct vault_credential_run run;
};

/* What a program came to. */
struct end {
    enum vault_status outcome;
    int status;
    const char *output, *why;
};

static void play_open(struct play *play, const char *command)
{
    memset(play, 0, sizeof *play);
    play->plan.base = VAULT_PLAN_PROCESS;
    play->plan.command = vault_copy(command, strlen(command));
    assert_non_null(play->plan.command);
    vault_exchange_init(&play->exchange);
    vault_credential_run_init(&play->run, &play->query, &play->exchange);
    play->run.plan = &play->plan;
    play->run.now = NOW;
}

static void play_close(struct play *play)
{
    vault_credential_run_free(&play->run);
    vault_exchange_free(&play->exchange);
    vault_plan_clear(&play->plan);
}

/* Do to the exchange what program.c would. */
static void play_end(struct play *play, const struct end *end)
{
    play->exchange.outcome = end->outcome;
    play->exchange.status = end->status;
    if (end->output)
        assert_int_equal(vault_buffer_text(&play->exchange.answer, end->output), VAULT_OK);
    if (end->why)
        plant_note(&play->exchange.why, end->why);
}

static void check_done(const struct play *play)
{
    assert_null(strstr(play->run.why.text, "CANARY"));
    assert_int_equal(play->run.why.length == 0, play->run.status == VAULT_OK);
    assert_int_equal(play->exchange.answer.length, 0);
    assert_int_equal(play->exchange.program.length, 0);
    if (play->exchange.answer.room > 0) /* wiped */
        for (size_t i = 0; i < play->exchange.answer.room; i++)
            assert_int_equal(play->exchange.answer.data[i], 0);
    if (play->run.status != VAULT_OK)
        assert_null(play->run.credential.access_key_id);
}

/* The whole of it for a command that is well. Needs play_close. */
static enum vault_status play_all(struct play *play, const struct end *end)
{
    play_open(play, "program");
    assert_int_equal(vault_source_process.next(&play->run), VAULT_STEP_EXCHANGE);
    play_end(play, end);
    assert_int_equal(vault_source_process.next(&play->run), VAULT_STEP_DONE);
    check_done(play);
    return play->run.status;
}

static void test_asks(void **state)
{
    static const char words[] = "~/bin/x\0--for\0a b\0$HOME";
    struct play play;

    (void)state;
    play_open(&play, "~/bin/x --for 'a b' $HOME");
    assert_int_equal(vault_source_process.next(&play.run), VAULT_STEP_EXCHANGE);
    assert_int_equal(play.exchange.program.length, sizeof words);
    assert_memory_equal(play.exchange.program.data, words, sizeof words);
    assert_int_equal(play.exchange.timeout_ms, 10000);
    assert_int_equal(play.exchange.url.length, 0);
    play_close(&play);
}

static void test_bad_commands(void **state)
{
    static const struct {
        const char *command, *says;
    } rows[] = {
        {"", "credential_process: there is no word"},
        {"x 'CANARY", "credential_process: no end of the quote at byte 3"},
        {"x CANARY\n", "credential_process: a control byte at byte 9"},
    };
    char *large = calloc(1, 16386);
    struct play play;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        play_open(&play, rows[i].command);
        assert_int_equal(vault_source_process.next(&play.run), VAULT_STEP_DONE);
        assert_int_equal(play.run.status, VAULT_BAD_PROFILE);
        assert_string_equal(play.run.why.text, rows[i].says);
        check_done(&play);
        play_close(&play);
    }
    memset(large, 'x', 16384);
    play_open(&play, large);
    assert_int_equal(vault_source_process.next(&play.run), VAULT_STEP_DONE);
    assert_int_equal(play.run.status, VAULT_BAD_PROFILE);
    assert_string_equal(play.run.why.text, "credential_process: the command is over 16383 bytes");
    play_close(&play);
    large[16383] = '\0';
    play_open(&play, large);
    assert_int_equal(vault_source_process.next(&play.run), VAULT_STEP_EXCHANGE);
    play_close(&play);
    free(large);
}

static void test_credentials(void **state)
{
    static const struct {
        const char *output, *token;
        int64_t expires;
    } rows[] = {
        {GOOD, "tokenCANARY", NOW + 3600},
        {"{\"Version\":1," KEYS "}", NULL, 0},
        {" {\"Version\" : 1, " KEYS ",\"SessionToken\":null,\"Expiration\":null}\r\n", NULL, 0},
        {"{\"Version\":1," KEYS ",\"SessionToken\":\"\",\"AccountId\":\"1\",\"More\":[{}]}", NULL,
         0},
        {"{" KEYS ",\"Expiration\":\"2023-11-14T22:13:21Z\",\"Version\":1}", NULL, NOW + 1},
        {"{" KEYS ",\"Expiration\":\"2023-11-15T00:13:20.5+01:00\",\"Version\":1}", NULL,
         NOW + 3600},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct end end = {VAULT_OK, 0, rows[i].output, NULL};
        const struct vault_credential *credential;
        struct play play;

        assert_int_equal(play_all(&play, &end), VAULT_OK);
        credential = &play.run.credential;
        assert_string_equal(credential->access_key_id, "AKIDCANARY");
        assert_string_equal(credential->secret_access_key, "secretCANARY");
        if (rows[i].token)
            assert_string_equal(credential->session_token, rows[i].token);
        else
            assert_null(credential->session_token);
        assert_int_equal(credential->expires, rows[i].expires);
        assert_string_equal(credential->source, "process");
        play_close(&play);
    }
}

#define SAID "credential_process: "

static void test_output_refused(void **state)
{
    static const struct {
        const char *output;
        enum vault_status status;
        const char *says;
    } rows[] = {
        {NULL, VAULT_BAD_RESPONSE, SAID "its output: the text is not JSON, at byte 1"},
        {"CANARY", VAULT_BAD_RESPONSE, SAID "its output: the text is not JSON, at byte 1"},
        {"[]", VAULT_BAD_RESPONSE, SAID "its output: the text is not a JSON object, at byte 1"},
        {GOOD "CANARY", VAULT_BAD_RESPONSE,
         SAID "its output: bytes follow the JSON value, at byte 140"},
        {"{\"Version\":1,\"Version\":1," KEYS "}", VAULT_BAD_RESPONSE,
         SAID "its output: the JSON object has the key twice, at byte 14"},
        {"{" KEYS "}", VAULT_BAD_RESPONSE, SAID "Version is absent"},
        {"{\"Version\":null," KEYS "}", VAULT_BAD_RESPONSE, SAID "Version is absent"},
        {"{\"Version\":\"1\"," KEYS "}", VAULT_BAD_RESPONSE, SAID "Version is not a number"},
        {"{\"Version\":true," KEYS "}", VAULT_BAD_RESPONSE, SAID "Version is not a number"},
        {"{\"Version\":2," KEYS "}", VAULT_BAD_RESPONSE, SAID "Version is not 1"},
        {"{\"Version\":11," KEYS "}", VAULT_BAD_RESPONSE, SAID "Version is not 1"},
        {"{\"Version\":1.0," KEYS "}", VAULT_BAD_RESPONSE, SAID "Version is not 1"},
        {"{\"Version\":1}", VAULT_BAD_RESPONSE, SAID "AccessKeyId is absent or empty"},
        {"{\"Version\":1,\"AccessKeyId\":\"\",\"SecretAccessKey\":\"CANARY\"}", VAULT_BAD_RESPONSE,
         SAID "AccessKeyId is absent or empty"},
        {"{\"Version\":1,\"AccessKeyId\":\"CANARY\",\"SecretAccessKey\":null}", VAULT_BAD_RESPONSE,
         SAID "SecretAccessKey is absent or empty"},
        {"{\"Version\":1,\"AccessKeyId\":[\"CANARY\"]}", VAULT_BAD_RESPONSE,
         SAID "AccessKeyId is not a string"},
        {"{\"Version\":1,\"AccessKeyId\":\"CANARY\",\"SecretAccessKey\":7}", VAULT_BAD_RESPONSE,
         SAID "SecretAccessKey is not a string"},
        {"{\"Version\":1," KEYS ",\"SessionToken\":{}}", VAULT_BAD_RESPONSE,
         SAID "SessionToken is not a string"},
        {"{\"Version\":1,\"AccessKeyId\":\"CANARY\\u0000\",\"SecretAccessKey\":\"x\"}",
         VAULT_BAD_RESPONSE, SAID "AccessKeyId holds a NUL"},
        {"{\"Version\":1,\"AccessKeyId\":\"CANARY \",\"SecretAccessKey\":\"x\"}",
         VAULT_BAD_RESPONSE,
         SAID "the access key id holds white space or a byte that is not printable ASCII"},
        {"{\"Version\":1," KEYS ",\"SessionToken\":\"CANARY\\r\\nX: y\"}", VAULT_BAD_RESPONSE,
         SAID "the session token holds white space or a byte that is not printable ASCII"},
        {"{\"Version\":1," KEYS ",\"Expiration\":\"CANARY\"}", VAULT_BAD_RESPONSE,
         SAID "Expiration is not a time"},
        {"{\"Version\":1," KEYS ",\"Expiration\":\"\"}", VAULT_BAD_RESPONSE,
         SAID "Expiration is absent or empty"},
        {"{\"Version\":1," KEYS ",\"Expiration\":1700003600}", VAULT_BAD_RESPONSE,
         SAID "Expiration is not a string"},
        {"{\"Version\":1," KEYS ",\"Expiration\":\"2023-11-14T22:13:20Z\"}", VAULT_EXPIRED_TOKEN,
         SAID "it prints credentials that have expired"},
        {"{\"Version\":1," KEYS ",\"Expiration\":\"1970-01-01T00:00:00Z\"}", VAULT_EXPIRED_TOKEN,
         SAID "it prints credentials that have expired"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct end end = {VAULT_OK, 0, rows[i].output, NULL};
        struct play play;

        assert_int_equal(play_all(&play, &end), rows[i].status);
        assert_string_equal(play.run.why.text, rows[i].says);
        play_close(&play);
    }
}

static void test_ends(void **state)
{
    static const struct {
        struct end end;
        enum vault_status status;
        const char *says;
    } rows[] = {
        {{VAULT_OK, 1, GOOD, "no such profile"},
         VAULT_CREDENTIALS_REFUSED,
         SAID "exit status 1: no such profile"},
        {{VAULT_OK, 137, NULL, NULL}, VAULT_CREDENTIALS_REFUSED, SAID "exit status 137"},
        {{VAULT_OK, 0, GOOD, NULL}, VAULT_OK, ""},
        {{VAULT_NOT_FOUND, 0, NULL, "there is no program x in PATH"},
         VAULT_BAD_PROFILE,
         SAID "there is no program x in PATH"},
        {{VAULT_TIMEOUT, 0, NULL, "it was killed"}, VAULT_TIMEOUT, SAID "it was killed"},
        {{VAULT_TOO_LARGE, 0, NULL, "its output is over"},
         VAULT_TOO_LARGE,
         SAID "its output is over"},
        {{VAULT_INTERNAL, 0, NULL, "cannot execute"}, VAULT_INTERNAL, SAID "cannot execute"},
        {{VAULT_CANCELLED, 0, NULL, "leaving"}, VAULT_CANCELLED, SAID "leaving"},
        {{VAULT_NO_MEMORY, 0, NULL, NULL}, VAULT_NO_MEMORY, SAID "out of memory"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct play play;

        assert_int_equal(play_all(&play, &rows[i].end), rows[i].status);
        assert_string_equal(play.run.why.text, rows[i].says);
        play_close(&play);
    }
}

/* The next call fails in its `nth` allocation; false where it has none such. */
static bool fails(struct play *play, unsigned long nth)
{
    enum vault_step step;

    (void)vault_alloc_fail(nth);
    step = vault_source_process.next(&play->run);
    if (vault_alloc_fail(0) < nth)
        return false;
    assert_int_equal(step, VAULT_STEP_DONE);
    assert_int_equal(play->run.status, VAULT_NO_MEMORY);
    check_done(play);
    return true;
}

static void test_no_memory(void **state)
{
    static const struct end end = {VAULT_OK, 0, GOOD, NULL};
    unsigned failures = 0;
    bool failed = true;

    (void)state;
    for (unsigned long nth = 1; failed; nth++) {
        struct play play;

        play_open(&play, "program");
        failed = fails(&play, nth);
        play_close(&play);
        failures += failed;
    }
    failed = true;
    for (unsigned long nth = 1; failed; nth++) {
        struct play play;

        play_open(&play, "program");
        assert_int_equal(vault_source_process.next(&play.run), VAULT_STEP_EXCHANGE);
        play_end(&play, &end);
        failed = fails(&play, nth);
        play_close(&play);
        failures += failed;
    }
    assert_true(failures > 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asks),           cmocka_unit_test(test_bad_commands),
        cmocka_unit_test(test_credentials),    cmocka_unit_test(test_ends),
        cmocka_unit_test(test_output_refused), cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
