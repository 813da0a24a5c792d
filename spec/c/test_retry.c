/* test_retry - whether another attempt may be made, and after how long.
 *
 * For:   attempts, pauses with the random number given, AWS's wish, the budget of one host and of
 *        many, with and without threads.
 * Never: clocks.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "retry.h"

#define MOST UINT32_MAX

static uint32_t given(void *at)
{
    return *(uint32_t *)at;
}

/* A retry whose random number is always *bits, after its first attempt. */
static struct vault_retry retry_of(const char *attempts, uint32_t *bits)
{
    char entry[64] = "AWS_MAX_ATTEMPTS=";
    const char *entries[] = {entry, NULL};
    struct vault_environment *environment = NULL;
    struct vault_retry retry;

    if (attempts) {
        strcat(entry, attempts);
        assert_int_equal(vault_environment_new(entries, &environment), VAULT_OK);
    }
    vault_retry_init(&retry, environment, given, bits);
    vault_environment_free(environment);
    assert_int_equal(retry.attempts, 0);
    retry.attempts = 1;
    return retry;
}

static struct vault_retry_budget full(void)
{
    return (struct vault_retry_budget){VAULT_RETRY_BUDGET_FULL};
}

static void test_max_attempts(void **state)
{
    static const struct {
        const char *text;
        unsigned attempts;
    } rows[] = {
        {NULL, 3},  {"", 3},           {"1", 1},
        {"2", 2},   {"3", 3},          {"9", 9},
        {"10", 10}, {"11", 3},         {"0", 3},
        {"-1", 3},  {"3x", 3},         {"x", 3},
        {"5 ", 3},  {"1e1", 3},        {"0x5", 3},
        {"5.0", 3}, {"five", 3},       {"99999999999999999999", 3},
        {"007", 7}, {"4294967297", 3}, {"-18446744073709551611", 3},
    };
    uint32_t bits = 0;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vault_retry_budget budget = full();
        struct vault_retry retry = retry_of(rows[i].text, &bits);

        assert_int_equal(retry.max_attempts, rows[i].attempts);
        for (; retry.attempts < rows[i].attempts; retry.attempts++)
            assert_int_equal(vault_retry_pause(&retry, &budget, VAULT_TIMEOUT, -1), 0);
        assert_int_equal(vault_retry_pause(&retry, &budget, VAULT_TIMEOUT, -1), -1);
        assert_int_equal(budget.tokens, 500 - 14 * (int)(rows[i].attempts - 1));
    }
}

/* The pause before the retry after attempt `attempt`. */
static int64_t pause_after(unsigned attempt, enum vault_status status, uint32_t bits, int64_t wish)
{
    struct vault_retry_budget budget = full();
    struct vault_retry retry = retry_of("10", &bits);

    retry.attempts = attempt;
    return vault_retry_pause(&retry, &budget, status, wish);
}

static void test_pauses(void **state)
{
    /* The most, exclusive: base, doubled each time, 20 s at the end. */
    static const int64_t transient[] = {50, 100, 200, 400, 800, 1600, 3200, 6400, 12800};
    static const int64_t throttled[] = {1000, 2000, 4000, 8000, 16000, 20000, 20000, 20000, 20000};

    (void)state;
    for (unsigned i = 0; i < 9; i++) {
        assert_int_equal(pause_after(i + 1, VAULT_SERVER_ERROR, 0, -1), 0);
        assert_int_equal(pause_after(i + 1, VAULT_SERVER_ERROR, MOST, -1), transient[i] - 1);
        assert_int_equal(pause_after(i + 1, VAULT_SERVER_ERROR, 1u << 31, -1), transient[i] / 2);
        assert_int_equal(pause_after(i + 1, VAULT_THROTTLED, 0, -1), 0);
        assert_int_equal(pause_after(i + 1, VAULT_THROTTLED, MOST, -1), throttled[i] - 1);
        assert_int_equal(pause_after(i + 1, VAULT_THROTTLED, 1u << 31, -1), throttled[i] / 2);
    }
}

static void test_retry_after(void **state)
{
    static const struct {
        int64_t wish, pause; /* where the computed pause is 500 */
    } rows[] = {{-1, 500},    {0, 500},     {499, 500},   {500, 500},       {501, 501},
                {5499, 5499}, {5500, 5500}, {5501, 5500}, {INT64_MAX, 5500}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(pause_after(1, VAULT_THROTTLED, 1u << 31, rows[i].wish), rows[i].pause);
    assert_int_equal(pause_after(1, VAULT_SERVER_ERROR, 0, 60), 60);
}

static void test_words(void **state)
{
    static const enum vault_status retryable[] = {
        VAULT_TIMEOUT,      VAULT_RESOLVE_FAILED, VAULT_CONNECT_FAILED, VAULT_CONNECTION_LOST,
        VAULT_PROXY_FAILED, VAULT_CLOCK_SKEW,     VAULT_THROTTLED,      VAULT_SERVER_ERROR};
    uint32_t bits = MOST;

    (void)state;
    for (int status = 0; status < VAULT_STATUS_COUNT + 1; status++) {
        struct vault_retry_budget budget = full();
        struct vault_retry retry = retry_of(NULL, &bits);
        int64_t pause = vault_retry_pause(&retry, &budget, (enum vault_status)status, 100000);
        bool expected = false;

        for (size_t i = 0; i < sizeof retryable / sizeof *retryable; i++)
            expected = expected || retryable[i] == (enum vault_status)status;
        assert_int_equal(pause >= 0, expected);
        if (!expected)
            assert_int_equal(pause, -1);
        assert_int_equal(budget.tokens,
                         expected ? 500 - (status == VAULT_THROTTLED ? 5 : 14) : 500);
    }
}

static void test_budget_runs_dry(void **state)
{
    struct vault_retry_budget budget = full();
    uint32_t bits = 0;
    int retries = 0;

    (void)state;
    for (;; retries++) {
        struct vault_retry retry = retry_of(NULL, &bits);

        if (vault_retry_pause(&retry, &budget, VAULT_SERVER_ERROR, -1) < 0)
            break;
    }
    assert_int_equal(retries, 500 / 14);
    assert_int_equal(budget.tokens, 500 % 14);
    for (retries = 0;; retries++) {
        struct vault_retry retry = retry_of(NULL, &bits);

        if (vault_retry_pause(&retry, &budget, VAULT_THROTTLED, -1) < 0)
            break;
    }
    assert_int_equal(retries, 500 % 14 / 5);
    assert_int_equal(budget.tokens, 500 % 14 % 5);
}

static void test_pay_back(void **state)
{
    struct vault_retry_budget budget = {100};
    uint32_t bits = 0;
    struct vault_retry retry = retry_of(NULL, &bits);

    (void)state;
    vault_retry_succeeded(&retry, &budget);
    assert_int_equal(budget.tokens, 101);
    assert_int_equal(vault_retry_pause(&retry, &budget, VAULT_THROTTLED, -1), 0);
    assert_int_equal(budget.tokens, 96);
    retry.attempts++;
    assert_int_equal(vault_retry_pause(&retry, &budget, VAULT_SERVER_ERROR, -1), 0);
    assert_int_equal(budget.tokens, 82);
    vault_retry_succeeded(&retry, &budget);
    assert_int_equal(budget.tokens, 96);
    vault_retry_succeeded(&retry, &budget);
    assert_int_equal(budget.tokens, 97);
    assert_int_equal(vault_retry_pause(&retry, &budget, VAULT_SERVER_ERROR, -1), 0);
    vault_retry_forgo(&retry, &budget);
    assert_int_equal(budget.tokens, 97);
    vault_retry_forgo(&retry, &budget);
    assert_int_equal(budget.tokens, 97);
    budget.tokens = 499;
    vault_retry_succeeded(&retry, &budget);
    vault_retry_succeeded(&retry, &budget);
    assert_int_equal(budget.tokens, 500);
    retry.drawn = 14;
    vault_retry_succeeded(&retry, &budget);
    assert_int_equal(budget.tokens, 500);
}

/* Two threads on one budget, which each watches. */
struct drawer {
    struct vault_retry_budget *budget;
    enum vault_status status;
    int drawn, paid;
    bool out_of_bounds;
};

static void *draw_and_pay(void *at)
{
    struct drawer *self = at;
    uint32_t bits = 0;

    for (int i = 0; i < 20000; i++) {
        struct vault_retry retry = retry_of(NULL, &bits);
        int tokens;

        if (vault_retry_pause(&retry, self->budget, self->status, -1) >= 0) {
            self->drawn++;
            if (i % 2000) {
                vault_retry_succeeded(&retry, self->budget);
                self->paid++;
            }
        }
        tokens = atomic_load(&self->budget->tokens);
        self->out_of_bounds |= tokens < 0 || tokens > VAULT_RETRY_BUDGET_FULL;
    }
    return NULL;
}

static void test_budget_of_two_threads(void **state)
{
    struct vault_retry_budget budget = full();
    struct drawer drawers[2] = {{&budget, VAULT_SERVER_ERROR, 0, 0, false},
                                {&budget, VAULT_THROTTLED, 0, 0, false}};
    pthread_t threads[2];

    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, draw_and_pay, &drawers[i]), 0);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_false(drawers[i].out_of_bounds);
        assert_true(drawers[i].drawn > 0);
    }
    /* Nothing drawn is lost and nothing paid is paid twice: what is short is what was not paid. */
    assert_int_equal(budget.tokens, 500 - 14 * (drawers[0].drawn - drawers[0].paid) -
                                        5 * (drawers[1].drawn - drawers[1].paid));
}

/* ---- a budget for each host ---- */

static struct vault_retry_budgets budgets;

static const char *numbered(int number)
{
    static char text[32];

    snprintf(text, sizeof text, "127.0.0.1:%d", number);
    return text;
}

static void drain(const char *host)
{
    struct vault_retry_budget *budget = vault_retry_budget_of(&budgets, host);
    uint32_t bits = 0;
    struct vault_retry retry = retry_of(NULL, &bits);

    while (vault_retry_pause(&retry, budget, VAULT_THROTTLED, -1) >= 0)
        continue;
    assert_int_equal(budget->tokens, 0);
}

static void test_hosts_draw_apart(void **state)
{
    (void)state;
    memset(&budgets, 0, sizeof budgets);
    assert_int_equal(vault_retry_budget_of(&budgets, "a")->tokens, 500);
    drain("b");
    assert_int_equal(vault_retry_budget_of(&budgets, "a")->tokens, 500);
    assert_int_equal(vault_retry_budget_of(&budgets, "b")->tokens, 0);
    assert_ptr_equal(vault_retry_budget_of(&budgets, "b"), vault_retry_budget_of(&budgets, "b"));
    assert_int_equal(vault_retry_budget_of(&budgets, "")->tokens, 500);
}

/* The least recently used makes room, and begins anew where it comes again. */
static void test_more_hosts_than_room(void **state)
{
    (void)state;
    memset(&budgets, 0, sizeof budgets);
    for (int i = 0; i < VAULT_RETRY_HOSTS; i++)
        drain(numbered(i));
    (void)vault_retry_budget_of(&budgets, numbered(0));
    assert_int_equal(vault_retry_budget_of(&budgets, "new")->tokens, 500);
    assert_int_equal(vault_retry_budget_of(&budgets, numbered(0))->tokens, 0);
    for (int i = 2; i < VAULT_RETRY_HOSTS; i++)
        assert_int_equal(vault_retry_budget_of(&budgets, numbered(i))->tokens, 0);
    assert_int_equal(vault_retry_budget_of(&budgets, numbered(1))->tokens, 500);
}

static void *come_and_go(void *at)
{
    bool *in_bounds = at;

    for (int i = 0; i < 20000; i++) {
        struct vault_retry_budget *budget =
            vault_retry_budget_of(&budgets, i % 3 ? "often" : "seldom");
        uint32_t bits = 0;
        struct vault_retry retry = {.attempts = 1, .max_attempts = 3};
        int tokens;

        retry.random = given;
        retry.random_at = &bits;
        if (vault_retry_pause(&retry, budget, VAULT_THROTTLED, -1) >= 0)
            vault_retry_succeeded(&retry, budget);
        tokens = atomic_load(&budget->tokens);
        *in_bounds = *in_bounds && tokens >= 0 && tokens <= VAULT_RETRY_BUDGET_FULL;
    }
    return NULL;
}

static void test_hosts_of_two_threads(void **state)
{
    bool in_bounds[2] = {true, true};
    pthread_t threads[2];

    (void)state;
    memset(&budgets, 0, sizeof budgets);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &in_bounds[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_true(in_bounds[0] && in_bounds[1]);
    assert_int_equal(vault_retry_budget_of(&budgets, "often")->tokens, 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_max_attempts),          cmocka_unit_test(test_pauses),
        cmocka_unit_test(test_retry_after),           cmocka_unit_test(test_words),
        cmocka_unit_test(test_budget_runs_dry),       cmocka_unit_test(test_pay_back),
        cmocka_unit_test(test_budget_of_two_threads), cmocka_unit_test(test_hosts_draw_apart),
        cmocka_unit_test(test_more_hosts_than_room),  cmocka_unit_test(test_hosts_of_two_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
