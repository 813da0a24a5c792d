/* test_identity_role - one role assumed.
 *
 * For:   vault_role_*: where it is asked, the token's file, what is tried again and after how long,
 *        the budget, a clock that is off.
 * Never: which role (test_identity_roles), STS's answers one by one (test_credentials_sts_read).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "identity_role.h"
#include "identity_script.h"

#define FULL VAULT_RETRY_BUDGET_FULL
#define GOOD_ANSWER                                                                                \
    {                                                                                              \
        STS, "AKIDCANARY", .body = STS_KEYS("a")                                                   \
    }

struct assumption {
    struct asking asking;
    struct vault_credential_query query;
    struct vault_credential caller;
    struct vault_exchange exchange;
    struct vault_role_tools tools;
    struct vault_role_wish wish;
    struct vault_role_run run;
    int64_t now;
};

static void open_assumption(struct assumption *it, const char *const *entries)
{
    struct vault_message why = {0};

    memset(it, 0, sizeof *it);
    open_asking(&it->asking, entries);
    it->query.environment = it->asking.environment;
    assert_int_equal(
        vault_credential_set(&it->caller, "AKIDCANARY", "secretCANARY", NULL, "test", &why),
        VAULT_OK);
    vault_exchange_init(&it->exchange);
    it->tools = (struct vault_role_tools){&it->exchange, it->asking.signer, &it->asking.budgets,
                                          asking_bits,   &it->asking,       &it->asking.skew_ms};
    it->wish = (struct vault_role_wish){
        .query = &it->query,
        .role = {ARN("a"), "KongVault", NULL, 0},
        .region = "eu-west-1",
        .caller = &it->caller,
    };
    it->now = NOW;
    vault_role_begin(&it->run, it->asking.environment, &it->tools);
}

static void close_assumption(struct assumption *it)
{
    vault_role_free(&it->run);
    vault_exchange_free(&it->exchange);
    vault_credential_clear(&it->caller);
    close_asking(&it->asking);
}

static enum vault_status assume(struct assumption *it, const struct ask *asks)
{
    struct asking *asking = &it->asking;
    enum vault_step step;

    while ((step = vault_role_next(&it->run, &it->wish, &it->tools,
                                   it->now + asking->skew_ms / 1000)) != VAULT_STEP_DONE) {
        if (step == VAULT_STEP_EXCHANGE)
            answer_ask(&it->exchange, &asks[asking->asked++]);
        else
            asking->paused_ms[asking->pauses++] = it->run.pause_ms;
    }
    assert_null(asks[asking->asked].asks);
    assert_null(strstr(it->run.why.text, "CANARY"));
    assert_int_equal(it->run.credential.access_key_id != NULL, it->run.status == VAULT_OK);
    return it->run.status;
}

/* ---- tried again ---- */

struct course {
    struct ask asks[5];
    enum vault_status status;
    const char *message;
    unsigned pauses;
    int64_t paused_ms[2];
    int budget, left;
};

#define SILENCE                                                                                    \
    {                                                                                              \
        STS, "AKIDCANARY", .outcome = VAULT_CONNECT_FAILED                                         \
    }
#define ERROR_500                                                                                  \
    {                                                                                              \
        STS, "AKIDCANARY", .status = 500                                                           \
    }
#define THROTTLING                                                                                 \
    {                                                                                              \
        STS, "AKIDCANARY", .body = STS_ERROR("Throttling"), .status = 400                          \
    }

/* The random number is the largest: pauses are all but their upper bounds. */
static const struct course courses[] = {
    {{GOOD_ANSWER}, VAULT_OK, "", 0, {0}, 100, 101},
    {{SILENCE, GOOD_ANSWER}, VAULT_OK, "", 1, {49}, FULL, FULL},
    {{ERROR_500, ERROR_500, GOOD_ANSWER}, VAULT_OK, "", 2, {49, 99}, FULL, FULL - 14},
    {{THROTTLING, THROTTLING, GOOD_ANSWER}, VAULT_OK, "", 2, {999, 1999}, FULL, FULL - 5},
    {{SILENCE, SILENCE, SILENCE}, VAULT_CONNECT_FAILED, "planted", 2, {49, 99}, FULL, FULL - 28},
    {{ERROR_500}, VAULT_SERVER_ERROR, "HTTP 500", 0, {0}, 13, 13},
    {{{STS, "AKIDCANARY", .body = STS_ERROR("AccessDenied"), .status = 403}},
     VAULT_ACCESS_DENIED,
     "AccessDenied: planted",
     0,
     {0},
     FULL,
     FULL},
    {{{STS, "AKIDCANARY", .outcome = VAULT_TLS_FAILED}},
     VAULT_TLS_FAILED,
     "planted",
     0,
     {0},
     FULL,
     FULL},
};

static void test_tries_and_pauses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof courses / sizeof *courses; i++) {
        const struct course *course = &courses[i];
        struct assumption it;

        open_assumption(&it, no_entries);
        it.asking.bits = UINT32_MAX;
        *tokens_of(&it.asking.budgets, STS_HOST) = course->budget;
        assert_int_equal(assume(&it, course->asks), course->status);
        assert_int_equal(it.asking.pauses, course->pauses);
        for (unsigned j = 0; j < course->pauses; j++)
            assert_int_equal(it.asking.paused_ms[j], course->paused_ms[j]);
        assert_int_equal(*tokens_of(&it.asking.budgets, STS_HOST), course->left);
        assert_string_equal(it.run.why.text, course->message);
        close_assumption(&it);
    }
}

static void test_max_attempts(void **state)
{
    static const struct ask asks[] = {ERROR_500, {0}};
    const char *const once[] = {"AWS_MAX_ATTEMPTS=1", NULL};
    struct assumption it;

    (void)state;
    open_assumption(&it, once);
    assert_int_equal(assume(&it, asks), VAULT_SERVER_ERROR);
    close_assumption(&it);
}

/* What is given up in a pause was never tried: the budget has back what that took. */
static void test_given_up_in_a_pause(void **state)
{
    static const struct vault_identity_request request = {
        "AKIDCANARY", "secretCANARY", NULL, "eu-west-1", ARN("a"), NULL, NULL, NULL};
    static const struct ask lost = ERROR_500;
    struct vault_identity *identity = NULL;
    struct asking asking;

    (void)state;
    for (int again = 0; again < 2; again++) {
        open_asking(&asking, no_entries);
        assert_int_equal(vault_identity_new(&request, &asking.world, &identity), VAULT_OK);
        assert_int_equal(vault_identity_next(identity, NOW), VAULT_STEP_EXCHANGE);
        answer_ask(vault_identity_exchange(identity), &lost);
        assert_int_equal(vault_identity_next(identity, NOW), VAULT_STEP_PAUSE);
        assert_int_equal(*tokens_of(&asking.budgets, STS_HOST), FULL - 14);
        if (again)
            assert_int_equal(vault_identity_next(identity, NOW), VAULT_STEP_EXCHANGE);
        vault_identity_free(identity);
        assert_int_equal(*tokens_of(&asking.budgets, STS_HOST), again ? FULL - 14 : FULL);
        close_asking(&asking);
    }
}

/* ---- the clock ---- */

static const struct {
    struct ask asks[4];
    enum vault_status status;
    int64_t skew_ms;
} clocks[] = {
    /* 20 minutes behind: corrected, at once and once. */
    {{{STS, "AKIDCANARY", .body = STS_ERROR("RequestExpired"), .status = 400, .date = NOW + 1200},
      GOOD_ANSWER},
     VAULT_OK,
     1200000},
    {{{STS, "AKIDCANARY", .body = STS_ERROR("SignatureDoesNotMatch"), .status = 403,
       .date = NOW - 1200},
      GOOD_ANSWER},
     VAULT_OK,
     -1200000},
    {{{STS, "AKIDCANARY", .body = STS_ERROR("SignatureDoesNotMatch"), .status = 403,
       .date = NOW + 1200},
      {STS, "AKIDCANARY", .body = STS_ERROR("SignatureDoesNotMatch"), .status = 403,
       .date = NOW + 2400}},
     VAULT_CREDENTIALS_REFUSED,
     1200000},
    /* The clock is right: the key is wrong. */
    {{{STS, "AKIDCANARY", .body = STS_ERROR("SignatureDoesNotMatch"), .status = 403,
       .date = NOW + 299}},
     VAULT_CREDENTIALS_REFUSED,
     0},
    {{{STS, "AKIDCANARY", .body = STS_ERROR("AccessDenied"), .status = 403, .date = NOW + 1200}},
     VAULT_ACCESS_DENIED,
     0},
};

static void test_a_clock_that_is_off(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
        struct assumption it;

        open_assumption(&it, no_entries);
        assert_int_equal(assume(&it, clocks[i].asks), clocks[i].status);
        assert_int_equal(it.asking.skew_ms, clocks[i].skew_ms);
        assert_int_equal(it.asking.pauses, 0);
        close_assumption(&it);
    }
}

/* Who is asked without a signature does not mind a wrong clock. */
static void test_keys_that_seem_to_have_expired(void **state)
{
    static const int64_t rows[][3] = {/* Date, now, and when they run out, 0: they have */
                                      {0, NOW + 3599, NOW + 3600},
                                      {0, NOW + 3600, 0},
                                      {NOW, NOW + 7200, NOW + 7200 + 3600},
                                      {NOW + 3600, NOW + 3600, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct ask ask = {STS, "AKIDCANARY", .body = STS_KEYS("a"), .date = rows[i][0]};
        struct assumption it;

        open_assumption(&it, no_entries);
        (void)vault_role_next(&it.run, &it.wish, &it.tools, rows[i][1]);
        assert_true(it.exchange.wants_date);
        answer_ask(&it.exchange, &ask);
        (void)vault_role_next(&it.run, &it.wish, &it.tools, rows[i][1]);
        assert_int_equal(it.run.credential.expires, rows[i][2]);
        assert_int_equal(strstr(it.run.why.text, "have expired") != NULL, rows[i][2] == 0);
        close_assumption(&it);
    }
}

/* ---- where, and with which token ---- */

static void test_endpoints(void **state)
{
    static const struct ask asks[][2] = {
        {{"POST https://sts.amazonaws.com/", "AKIDCANARY", .body = STS_KEYS("a")}},
        {{"POST http://localhost:9/", "AKIDCANARY", .body = STS_KEYS("a")}},
        {{"POST https://own.example.com/x", "AKIDCANARY", .body = STS_KEYS("a")}},
        {{"POST http://localhost:9/", .body = STS_KEYS("a")}},
    };
    const char *const legacy[] = {"AWS_STS_REGIONAL_ENDPOINTS=legacy", NULL};
    const char *const set[] = {"AWS_ENDPOINT_URL_STS=http://localhost:9", NULL};

    (void)state;
    put("token", "jwt.CANARY");
    for (int i = 0; i < 4; i++) {
        char path[128];
        struct assumption it;

        open_assumption(&it, i == 0 ? legacy : set);
        if (i >= 2)
            it.wish.endpoint_url = "https://own.example.com/x";
        if (i == 3) {
            it.wish.caller = NULL;
            it.wish.token_file = in_home("%/token", path, sizeof path);
        }
        assert_int_equal(assume(&it, asks[i]), VAULT_OK);
        assert_string_equal(it.run.credential.source, i == 3 ? "web identity" : "assumed role");
        close_assumption(&it);
    }
}

static void test_no_endpoint(void **state)
{
    static const struct ask none[] = {{0}};
    struct assumption it;

    (void)state;
    open_assumption(&it, no_entries);
    it.wish.endpoint_url = "ftp://CANARY@example.com";
    assert_int_equal(assume(&it, none), VAULT_BAD_ENDPOINT);
    close_assumption(&it);
}

/* A path of outside is escaped. */
static void test_token_files(void **state)
{
    static const struct ask asks[] = {
        {STS, NULL, TOKEN_BODY("a", "KongVault&WebIdentityToken=a.b%2Bc"), .body = STS_KEYS("a")},
        {0}};
    static const struct ask none[] = {{0}};
    static char large[20002];
    static const struct {
        const char *text;
        const char *message;
    } rows[] = {{"a.b+c", NULL},
                {"a.b+c \t\r\n\n", NULL},
                {"", "%/token\\x0A: the web identity token is empty"},
                {"\n \n", "%/token\\x0A: the web identity token is empty"},
                {"abc", "%/token\\x0A: the web identity token is under 4 characters"},
                {large, "cannot open %/token\\x0A: over 20000 bytes"},
                {NULL, "cannot open %/token\\x0A: No such file or directory"}};

    (void)state;
    memset(large, 'C', sizeof large - 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[128];
        bool good = !rows[i].message;
        struct assumption it;

        put("token\n", rows[i].text);
        open_assumption(&it, no_entries);
        it.wish.caller = NULL;
        it.wish.token_file = in_home("%/token\n", path, sizeof path);
        assert_int_equal(assume(&it, good ? asks : none), good ? VAULT_OK : VAULT_BAD_CONFIG);
        check_message(&it.run.why, good ? "" : rows[i].message);
        close_assumption(&it);
    }
}

/* The role is at fault, not the token. */
static void test_web_identity_of_a_bad_role(void **state)
{
    static const struct ask none[] = {{0}};
    struct assumption it;

    (void)state;
    open_assumption(&it, no_entries);
    it.wish.caller = NULL;
    it.wish.token_file = "/none";
    it.wish.role.session_name = "a b";
    assert_int_equal(assume(&it, none), VAULT_BAD_CONFIG);
    check_message(&it.run.why, "the role session name holds a character that is not of A-Z a-z 0-9 "
                               "_+=,.@-");
    close_assumption(&it);
}

static void test_role_allocations(void **state)
{
    static const struct ask good = GOOD_ANSWER;
    enum vault_status status = VAULT_NO_MEMORY;

    (void)state;
    for (unsigned long nth = 1; status != VAULT_OK; nth++) {
        unsigned long made = 0;
        enum vault_step step = VAULT_STEP_EXCHANGE;
        struct assumption it;

        open_assumption(&it, no_entries);
        while (step != VAULT_STEP_DONE) {
            vault_alloc_fail(made < nth ? nth - made : 0);
            step = vault_role_next(&it.run, &it.wish, &it.tools, NOW);
            made += vault_alloc_fail(0);
            if (step == VAULT_STEP_EXCHANGE)
                answer_ask(&it.exchange, &good);
        }
        status = it.run.status;
        assert_int_equal(status, made >= nth ? VAULT_NO_MEMORY : VAULT_OK);
        assert_int_equal(it.run.credential.access_key_id == NULL, made >= nth);
        close_assumption(&it);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tries_and_pauses),
        cmocka_unit_test(test_max_attempts),
        cmocka_unit_test(test_given_up_in_a_pause),
        cmocka_unit_test(test_a_clock_that_is_off),
        cmocka_unit_test(test_keys_that_seem_to_have_expired),
        cmocka_unit_test(test_endpoints),
        cmocka_unit_test(test_no_endpoint),
        cmocka_unit_test(test_token_files),
        cmocka_unit_test(test_web_identity_of_a_bad_role),
        cmocka_unit_test(test_role_allocations),
    };

    return cmocka_run_group_tests(tests, make_home, remove_home);
}
