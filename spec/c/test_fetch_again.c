/* test_fetch_again - a fetch against time: pauses, deadlines, clocks, keys that change.
 *
 * For:   pauses and the budget; the deadline in each state; the correction of the clock and what
 *        shares it; reading the providers again.
 * Never: the rest of the state table (test_fetch).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "child.h"
#include "script.h"

static const struct answer good = {.body = GOOD};
static const struct answer busy = {.body = ERROR("InternalServiceError"), .status = 500};
static const struct answer throttled = {.body = ERROR("ThrottlingException")};
static const struct answer skewed = {.body = ERROR("RequestTimeTooSkewed"), .clock_off_s = 1200};
static const struct answer refused = {.body = ERROR("InvalidSignatureException")};

static struct vault_fetch *open_within(struct stage *stage, int64_t timeout_ms)
{
    struct vault_fetch_request request = request_of("db");

    request.timeout_ms = timeout_ms;
    return open_fetch(stage, &request);
}

static void test_pauses_and_budget(void **state)
{
    static const struct answer wish = {.body = ERROR("ThrottlingException"), .retry_after = 1700};
    struct stage stage;

    (void)state;
    open_stage(&stage, NULL);
    stage.bits = UINT32_MAX;
    assert_int_equal(play(&stage, (struct answer[]){busy, wish, good}, 3, NULL), VAULT_OK);
    assert_int_equal(stage.paused_ms[0], 49);
    assert_int_equal(stage.paused_ms[1], 1999);
    assert_int_equal(*tokens_of(&stage.budgets, SECRETS_HOST), 500 - 14);
    stage.bits = 0;
    assert_int_equal(play(&stage, (struct answer[]){wish, good}, 2, NULL), VAULT_OK);
    assert_int_equal(stage.paused_ms[0], 1700);
    assert_int_equal(*tokens_of(&stage.budgets, SECRETS_HOST), 500 - 14);
    *tokens_of(&stage.budgets, SECRETS_HOST) = 13;
    assert_int_equal(play(&stage, &busy, 1, NULL), VAULT_SERVER_ERROR);
    assert_int_equal(*tokens_of(&stage.budgets, SECRETS_HOST), 13);
    assert_int_equal(play(&stage, &good, 1, NULL), VAULT_OK);
    assert_int_equal(*tokens_of(&stage.budgets, SECRETS_HOST), 14);
    close_stage(&stage);
}

/* A driver with a pace of its own wants one attempt; a wrong clock is still put right. */
static void test_one_attempt(void **state)
{
    struct vault_fetch_request request = request_of("db");
    struct vault_fetch *fetch;
    struct stage stage;

    (void)state;
    open_stage(&stage, NULL);
    request.attempts = 1;
    fetch = open_fetch(&stage, &request);
    assert_int_equal(drive(&stage, fetch, &busy, 1), VAULT_SERVER_ERROR);
    assert_int_equal(*tokens_of(&stage.budgets, SECRETS_HOST), 500);
    vault_fetch_free(fetch);
    fetch = open_fetch(&stage, &request);
    assert_int_equal(drive(&stage, fetch, (struct answer[]){skewed, good}, 2), VAULT_OK);
    vault_fetch_free(fetch);
    close_stage(&stage);
}

/* A fetch that waited in a queue beyond its time asks AWS nothing. */
static void test_deadline_before_the_start(void **state)
{
    struct stage stage;
    struct vault_fetch *fetch;

    (void)state;
    open_stage(&stage, NULL);
    fetch = open_within(&stage, 100);
    pass(&stage, 99);
    assert_int_equal(vault_fetch_advance(fetch, stage.now), VAULT_FETCH_NEED_EXCHANGE);
    vault_fetch_free(fetch);

    fetch = open_within(&stage, 100);
    pass(&stage, 100);
    assert_int_equal(drive(&stage, fetch, NULL, 0), VAULT_TIMEOUT);
    assert_string_equal(vault_fetch_message(fetch)->text,
                        "secret \"db\" in eu-west-1: the time allowed for the fetch is over");
    vault_fetch_free(fetch);
    close_stage(&stage);
}

static void test_deadline_in_the_exchange(void **state)
{
    static const struct answer slow[] = {
        {.outcome = VAULT_TIMEOUT, .takes_ms = 100},
        {.body = ERROR("InternalServiceError"), .status = 500, .takes_ms = 100},
        {.body = ERROR("ExpiredTokenException"), .takes_ms = 100},
        {.body = ERROR("RequestTimeTooSkewed"), .clock_off_s = 1200, .takes_ms = 100},
        {.body = GOOD, .takes_ms = 100}, /* an answer in hand is not thrown away */
    };
    static const enum vault_status statuses[] = {VAULT_TIMEOUT, VAULT_SERVER_ERROR,
                                                 VAULT_EXPIRED_TOKEN, VAULT_CLOCK_SKEW, VAULT_OK};
    struct stage stage;

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        struct vault_fetch *fetch;

        open_stage(&stage, NULL);
        fetch = open_within(&stage, 100);
        assert_int_equal(drive(&stage, fetch, &slow[i], 1), statuses[i]);
        assert_int_equal(*tokens_of(&stage.budgets, SECRETS_HOST), 500);
        vault_fetch_free(fetch);
        close_stage(&stage);
    }
    /* Within its time a connection that timed out is tried again. */
    open_stage(&stage, NULL);
    assert_int_equal(play(&stage, (struct answer[]){slow[0], good}, 2, NULL), VAULT_OK);
    close_stage(&stage);
}

/* A pause after which less than 10 ms were left is not begun, and nothing is drawn for it. */
static void test_deadline_before_the_pause(void **state)
{
    struct stage stage;
    struct vault_fetch *fetch;

    (void)state;
    open_stage(&stage, NULL);
    stage.bits = UINT32_MAX; /* 999 ms */
    fetch = open_within(&stage, 1008);
    assert_int_equal(drive(&stage, fetch, &throttled, 1), VAULT_THROTTLED);
    assert_int_equal(stage.pauses, 0);
    assert_int_equal(*tokens_of(&stage.budgets, SECRETS_HOST), 500);
    vault_fetch_free(fetch);
    fetch = open_within(&stage, 1009);
    assert_int_equal(drive(&stage, fetch, (struct answer[]){throttled, good}, 2), VAULT_OK);
    assert_int_equal(stage.pauses, 1);
    vault_fetch_free(fetch);
    close_stage(&stage);
}

/* A driver that comes late out of the pause makes no further attempt. */
static void test_deadline_in_the_pause(void **state)
{
    struct stage stage;
    struct vault_fetch *fetch;

    (void)state;
    open_stage(&stage, NULL);
    stage.bits = UINT32_MAX;
    fetch = open_within(&stage, 2000);
    assert_int_equal(vault_fetch_advance(fetch, stage.now), VAULT_FETCH_NEED_EXCHANGE);
    perform(&stage, fetch, &throttled);
    assert_int_equal(vault_fetch_advance(fetch, stage.now), VAULT_FETCH_NEED_TIME);
    assert_int_equal(vault_fetch_wake(fetch), 5999);
    pass(&stage, 998);
    assert_int_equal(vault_fetch_advance(fetch, stage.now), VAULT_FETCH_NEED_TIME);
    pass(&stage, 1002);
    assert_int_equal(vault_fetch_advance(fetch, stage.now), VAULT_FETCH_NEED_NOTHING);
    assert_int_equal(vault_fetch_status(fetch), VAULT_THROTTLED);
    assert_int_equal(vault_fetch_attempts(fetch), 1);
    assert_int_equal(*tokens_of(&stage.budgets, SECRETS_HOST), 500);
    assert_non_null(strstr(vault_fetch_message(fetch)->text, ": ThrottlingException: planted"));
    vault_fetch_free(fetch);
    close_stage(&stage);
}

static void test_clock_is_corrected(void **state)
{
    static const struct {
        const char *body;
        int64_t off_s;
        const char *date; /* of the second attempt */
    } rows[] = {
        {ERROR("RequestTimeTooSkewed"), 1200, "20150830T125600Z"},
        {ERROR("RequestTimeTooSkewed"), -1200, "20150830T121600Z"},
        {ERROR("RequestExpired"), 300, "20150830T124100Z"},
        {ERROR("RequestInTheFuture"), -300, "20150830T123100Z"},
        {ERROR("SignatureDoesNotMatch"), 1200, "20150830T125600Z"},
        {ERROR("InvalidSignatureException"), 1200, "20150830T125600Z"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct answer off = {.body = rows[i].body, .clock_off_s = rows[i].off_s};
        struct stage stage;

        open_stage(&stage, NULL);
        assert_int_equal(play(&stage, (struct answer[]){off, good}, 2, NULL), VAULT_OK);
        assert_string_equal(stage.dates[0], "20150830T123600Z");
        assert_string_equal(stage.dates[1], rows[i].date);
        assert_int_equal(stage.pauses, 0);
        assert_int_equal(stage.skew_ms, rows[i].off_s * 1000);
        assert_true(stage.edges[VAULT_FETCH_READ][VAULT_FETCH_SIGN]);
        assert_false(stage.edges[VAULT_FETCH_READ][VAULT_FETCH_IDENTIFY]);
        /* The next fetch signs right at once. */
        assert_int_equal(play(&stage, &good, 1, NULL), VAULT_OK);
        assert_string_equal(stage.dates[0], rows[i].date);
        close_stage(&stage);
    }
}

static void test_clock_is_left_alone(void **state)
{
    static const struct {
        struct answer answer;
        enum vault_status status;
        unsigned attempts;
    } rows[] = {
        {{.body = ERROR("RequestTimeTooSkewed"), .clock_off_s = 299}, VAULT_CLOCK_SKEW, 3},
        {{.body = ERROR("RequestTimeTooSkewed"), .clock_off_s = -299}, VAULT_CLOCK_SKEW, 3},
        {{.body = ERROR("RequestTimeTooSkewed"), .no_date = true}, VAULT_CLOCK_SKEW, 3},
        {{.body = ERROR("InvalidSignatureException"), .clock_off_s = 299},
         VAULT_CREDENTIALS_REFUSED,
         2},
        {{.body = ERROR("ResourceNotFoundException"), .clock_off_s = 1200}, VAULT_NOT_FOUND, 1},
        {{.body = ERROR("ThrottlingException"), .clock_off_s = 1200}, VAULT_THROTTLED, 3},
        {{.body = "<html>", .status = 403, .clock_off_s = 1200}, VAULT_REJECTED, 1},
        {{.body = GOOD, .clock_off_s = 1200}, VAULT_OK, 1},
        {{.outcome = VAULT_TIMEOUT, .clock_off_s = 1200}, VAULT_TIMEOUT, 3},
        /* A date that no signature can have would lock all fetches out for ever. */
        {{.body = ERROR("RequestTimeTooSkewed"), .date = 253402300800}, VAULT_CLOCK_SKEW, 3},
        {{.body = ERROR("RequestTimeTooSkewed"), .date = INT64_MAX}, VAULT_CLOCK_SKEW, 3},
        {{.body = ERROR("RequestTimeTooSkewed"), .date = INT64_MAX / 1000}, VAULT_CLOCK_SKEW, 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct answer *answer = &rows[i].answer;
        struct stage stage;

        open_stage(&stage, NULL);
        assert_int_equal(
            play(&stage, (struct answer[]){*answer, *answer, *answer}, rows[i].attempts, NULL),
            rows[i].status);
        assert_int_equal(stage.skew_ms, 0);
        for (unsigned attempt = 1; attempt < rows[i].attempts; attempt++)
            assert_memory_equal(stage.dates[attempt], "20150830T1236", 13);
        close_stage(&stage);
    }
}

static void test_clock_is_corrected_once(void **state)
{
    static const struct answer other = {.body = ERROR("RequestTimeTooSkewed"),
                                        .clock_off_s = -1200};
    struct stage stage;

    (void)state;
    open_stage(&stage, NULL);
    stage.bits = UINT32_MAX;
    assert_int_equal(play(&stage, (struct answer[]){skewed, other, other}, 3, NULL),
                     VAULT_CLOCK_SKEW);
    assert_int_equal(stage.skew_ms, 1200000);
    assert_int_equal(stage.pauses, 1);
    /* Another fetch corrects it again. */
    assert_int_equal(play(&stage, (struct answer[]){other, good}, 2, NULL), VAULT_OK);
    assert_in_range(stage.skew_ms + 1201000, 0, 2000);
    close_stage(&stage);
}

/* Many at once on a machine with a wrong clock: each one's refusal is its own clock's fault, even
 * where another has corrected it since, and costs neither an attempt nor the budget. */
static void test_clock_is_corrected_for_all_under_way(void **state)
{
    static const char *const entries[] = {"AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b",
                                          "AWS_MAX_ATTEMPTS=1", NULL};
    const struct vault_fetch_request request = request_of("db");
    struct vault_fetch *fetches[3];
    struct stage stage;

    (void)state;
    open_stage(&stage, entries);
    for (int i = 0; i < 3; i++) {
        fetches[i] = open_fetch(&stage, &request);
        assert_int_equal(vault_fetch_advance(fetches[i], stage.now), VAULT_FETCH_NEED_EXCHANGE);
    }
    for (int i = 0; i < 3; i++) {
        perform(&stage, fetches[i], &skewed);
        assert_int_equal(vault_fetch_advance(fetches[i], stage.now), VAULT_FETCH_NEED_EXCHANGE);
        perform(&stage, fetches[i], &good);
        assert_int_equal(vault_fetch_advance(fetches[i], stage.now), VAULT_FETCH_NEED_NOTHING);
        assert_int_equal(vault_fetch_status(fetches[i]), VAULT_OK);
        vault_fetch_free(fetches[i]);
    }
    assert_int_equal(stage.skew_ms, 1200000);
    assert_int_equal(*tokens_of(&stage.budgets, SECRETS_HOST), 500);
    close_stage(&stage);
}

static void test_providers_are_asked_again_once(void **state)
{
    static const struct answer expired = {.body = ERROR("ExpiredTokenException")};
    struct vault_message message;
    struct stage stage;

    (void)state;
    open_stage(&stage, NULL);
    assert_int_equal(play(&stage, (struct answer[]){expired, good}, 2, NULL), VAULT_OK);
    assert_int_equal(stage.pauses, 0);
    assert_int_equal(play(&stage, (struct answer[]){expired, expired}, 2, &message),
                     VAULT_EXPIRED_TOKEN);
    assert_string_equal(message.text, "secret \"db\" in eu-west-1: ExpiredTokenException: planted"
                                      " (2 attempts)");
    assert_int_equal(play(&stage, (struct answer[]){refused, expired}, 2, NULL),
                     VAULT_EXPIRED_TOKEN);
    assert_int_equal(play(&stage, (struct answer[]){expired, refused}, 2, NULL),
                     VAULT_CREDENTIALS_REFUSED);
    /* With a correction of the clock besides: these attempts count like any other. */
    assert_int_equal(play(&stage, (struct answer[]){skewed, expired, busy}, 3, NULL),
                     VAULT_SERVER_ERROR);
    close_stage(&stage);
}

static char credentials_path[128];

static void write_credentials(const char *id)
{
    FILE *file = fopen(credentials_path, "w");

    assert_non_null(file);
    if (id)
        fprintf(file, "[default]\naws_access_key_id=%s\naws_secret_access_key=secretCANARY\n", id);
    fclose(file);
}

static void rotate(struct stage *stage)
{
    if (stage->exchanges == 1)
        write_credentials("AKIDSECOND");
}

static void lose(struct stage *stage)
{
    (void)stage;
    write_credentials(NULL);
}

/* A key that was rotated under us is found; one that has gone is said to have gone. */
static void test_keys_that_change(void **state)
{
    static const struct answer expired = {.body = ERROR("ExpiredTokenException")};
    char folder[64], variable[192];
    const char *entries[] = {variable, "AWS_CONFIG_FILE=/nonexistent",
                             "AWS_EC2_METADATA_DISABLED=true", NULL};
    struct vault_message message;
    struct stage stage;

    (void)state;
    make_folder(folder, sizeof folder);
    snprintf(credentials_path, sizeof credentials_path, "%s/credentials", folder);
    snprintf(variable, sizeof variable, "AWS_SHARED_CREDENTIALS_FILE=%s", credentials_path);
    write_credentials("AKIDFIRST");
    open_stage(&stage, entries);
    stage.on_exchange = rotate;
    assert_int_equal(play(&stage, (struct answer[]){refused, good}, 2, NULL), VAULT_OK);
    assert_string_equal(stage.keys[0], "AKIDFIRST");
    assert_string_equal(stage.keys[1], "AKIDSECOND");
    stage.on_exchange = lose;
    assert_int_equal(play(&stage, &expired, 1, &message), VAULT_NO_CREDENTIALS);
    assert_non_null(strstr(message.text, ": no AWS credentials: environment ("));
    assert_null(strstr(message.text, "ExpiredToken"));
    close_stage(&stage);
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pauses_and_budget),
        cmocka_unit_test(test_one_attempt),
        cmocka_unit_test(test_deadline_before_the_start),
        cmocka_unit_test(test_deadline_in_the_exchange),
        cmocka_unit_test(test_deadline_before_the_pause),
        cmocka_unit_test(test_deadline_in_the_pause),
        cmocka_unit_test(test_clock_is_corrected),
        cmocka_unit_test(test_clock_is_left_alone),
        cmocka_unit_test(test_clock_is_corrected_once),
        cmocka_unit_test(test_clock_is_corrected_for_all_under_way),
        cmocka_unit_test(test_providers_are_asked_again_once),
        cmocka_unit_test(test_keys_that_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
