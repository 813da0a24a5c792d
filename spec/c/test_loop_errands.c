/* test_loop_errands - credentials that the loop has for all fetches that need them.
 *
 * For:   one errand for many fetches, its failure shared, fetches that end before it, its pauses,
 *        programs as its exchanges; lost memory.
 * Never: what a caller decides (test_caller), programs one by one (test_program).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <sys/stat.h>

#include "child.h"
#include "credential_cache.h"
#include "host_tokens.h"
#include "http.h"
#include "loop.h"
#include "server.h"

#define GOOD   "HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\n{\"SecretString\":\"value\"}"
#define ROLE   "arn:aws:iam::123456789012:role/reader"
#define MANY   50
#define PLAIN  "HTTP/1.1 %s\r\nConnection: close\r\n\r\n%s"
#define FOLDER "build/test/loop_errands"

#define ROLE_KEYS                                                                                  \
    "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE</AccessKeyId>"       \
    "<SecretAccessKey>roleCANARY</SecretAccessKey><SessionToken>roleCANARY</SessionToken>"         \
    "<Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>"               \
    "</AssumeRoleResponse>"
#define DENIED                                                                                     \
    "<ErrorResponse><Error><Code>AccessDenied</Code><Message>planted</Message></Error></"          \
    "ErrorResponse>"

static struct vault_environment *with_keys, *with_program;
static struct vault_retry_budgets budgets;
static _Atomic int64_t skew_ms;
static unsigned ended[VAULT_STATUS_COUNT];
static char last_message[VAULT_MESSAGE_MAX];
static char role_answer[1024], denied_answer[1024], busy_answer[1024];

static void on_done(struct vault_job *job)
{
    ended[vault_fetch_status(job->fetch)]++;
    strcpy(last_message, vault_fetch_message(job->fetch)->text);
    vault_fetch_free(job->fetch);
    vault_free(job);
}

static struct vault_loop *open_loop(const struct vault_environment *environment)
{
    const struct vault_loop_settings settings = {.environment = environment,
                                                 .budgets = &budgets,
                                                 .skew_ms = &skew_ms,
                                                 .errands = true,
                                                 .on_done = on_done};
    struct vault_loop *loop = NULL;

    vault_credential_cache_clear();
    memset(ended, 0, sizeof ended);
    memset(&budgets, 0, sizeof budgets);
    assert_int_equal(vault_loop_new(&settings, &loop), VAULT_OK);
    return loop;
}

static struct vault_job *new_job(struct vault_loop *loop, const char *url, const char *sts,
                                 int64_t timeout_ms)
{
    const struct vault_fetch_request request = {
        .secret_id = "db",
        .secret_id_length = 2,
        .region = "eu-west-1",
        .endpoint_url = url,
        .timeout_ms = timeout_ms,
        .caller = {.assume_role_arn = sts ? ROLE : NULL, .sts_endpoint_url = sts},
    };
    struct vault_job *job = vault_alloc(sizeof *job);

    assert_non_null(job);
    assert_int_equal(
        vault_fetch_new(&request, vault_loop_world(loop), vault_moment_now(), &job->fetch),
        VAULT_OK);
    return job;
}

static void add(struct vault_loop *loop, const char *url, const char *sts, int64_t timeout_ms)
{
    vault_loop_add(loop, new_job(loop, url, sts, timeout_ms));
}

static void finish(struct vault_loop *loop)
{
    while (vault_loop_busy(loop))
        vault_loop_turn(loop, 10000);
}

static void test_one_for_many(void **state)
{
    static struct server sts = {.answer = role_answer, .end = SERVER_CLOSE}, aws = {.answer = GOOD};
    struct vault_loop *loop = open_loop(with_keys);

    (void)state;
    server_start(&sts);
    server_start(&aws);
    for (int i = 0; i < MANY; i++)
        add(loop, aws.url, sts.url, 5000);
    finish(loop);
    assert_int_equal(ended[VAULT_OK], MANY);
    assert_int_equal(atomic_load(&sts.requests), 1);
    assert_int_equal(atomic_load(&aws.requests), MANY);
    vault_loop_free(loop);
    server_stop(&sts);
    server_stop(&aws);
}

static void test_a_refusal_for_many(void **state)
{
    static struct server sts = {.answer = denied_answer, .end = SERVER_CLOSE};
    struct vault_loop *loop = open_loop(with_keys);

    (void)state;
    server_start(&sts);
    for (int i = 0; i < MANY; i++)
        add(loop, sts.url, sts.url, 5000);
    finish(loop);
    assert_int_equal(ended[VAULT_ACCESS_DENIED], MANY);
    assert_non_null(strstr(last_message, "assuming the role " ROLE ": AccessDenied: planted"));
    assert_int_equal(atomic_load(&sts.requests), 1);
    add(loop, sts.url, sts.url, 5000); /* who comes later tries anew */
    finish(loop);
    assert_int_equal(atomic_load(&sts.requests), 2);
    vault_loop_free(loop);
    server_stop(&sts);
}

/* What takes longer than a fetch may is not begun again by the next one, whose time is its own. */
static void test_it_outlives_the_fetch(void **state)
{
    static struct server sts = {.answer = "", .end = SERVER_HANG}, aws = {.answer = GOOD};
    struct vault_loop *loop = open_loop(with_keys);
    int64_t before = test_clock_ms();

    (void)state;
    server_start(&sts);
    server_start(&aws);
    for (int i = 0; i < 3; i++) {
        add(loop, aws.url, sts.url, 50);
        while (ended[VAULT_TIMEOUT] == (unsigned)i)
            vault_loop_turn(loop, 10000);
        assert_non_null(strstr(last_message, "while credentials were asked for"));
    }
    assert_true(test_clock_ms() - before < 2500);
    assert_int_equal(vault_loop_busy(loop), 1);
    assert_int_equal(atomic_load(&sts.requests), 1);
    vault_loop_free(loop); /* and ends with the loop */
    server_stop(&sts);
    server_stop(&aws);
}

/* One that AWS told to wait waits, though others end. */
static void test_a_pause_of_its_own(void **state)
{
    static struct server busy = {.answer = busy_answer, .end = SERVER_CLOSE};
    static struct server sts[2] = {{.answer = role_answer, .end = SERVER_CLOSE},
                                   {.answer = role_answer, .end = SERVER_CLOSE}};
    static struct server aws = {.answer = GOOD};
    struct vault_loop *loop = open_loop(with_keys);

    (void)state;
    server_start(&busy);
    server_start(&aws);
    add(loop, aws.url, busy.url, 5000);
    while (*tokens_at(&budgets, busy.url) == VAULT_RETRY_BUDGET_FULL)
        vault_loop_turn(loop, 10);
    for (unsigned i = 0; i < 2; i++) {
        server_start(&sts[i]);
        add(loop, aws.url, sts[i].url, 5000);
        while (ended[VAULT_OK] == i)
            vault_loop_turn(loop, 10);
    }
    assert_int_equal(atomic_load(&busy.requests), 1);
    vault_loop_free(loop);
    server_stop(&busy);
    server_stop(&sts[0]);
    server_stop(&sts[1]);
    server_stop(&aws);
}

/* What a role's keys are kept by. */
static void keep_role(const char *sts, int64_t from, int64_t until)
{
    const struct vault_identity_request request = {
        .region = "eu-west-1", .assume_role_arn = ROLE, .sts_endpoint_url = sts};
    struct vault_message why = {0};
    struct vault_buffer key;
    struct vault_cache_look look = {.now = from, .why = &why};

    vault_buffer_init(&key, 4096);
    assert_int_equal(vault_identity_key(&request, &key), VAULT_OK);
    look.key = key.data;
    look.key_length = key.length;
    assert_int_equal(vault_credential_cache_find(&look), VAULT_CACHED_MINE);
    assert_int_equal(vault_credential_set(&look.credential, "ASIAOLD", "s", "t", "test", &why),
                     VAULT_OK);
    look.credential.expires = until;
    vault_credential_cache_keep(&look, 0);
    vault_credential_clear(&look.credential);
    vault_buffer_free(&key);
}

/* The old keys are to be renewed, and serve: a sanitizer sees that no errand is lost. */
static void test_allocations(void **state)
{
    static struct server sts = {.answer = role_answer, .end = SERVER_CLOSE}, aws = {.answer = GOOD};
    bool failed = true;

    (void)state;
    server_start(&sts);
    server_start(&aws);
    for (unsigned long nth = 1; failed; nth++) {
        struct vault_loop *loop = open_loop(with_keys);
        struct vault_job *job = new_job(loop, aws.url, sts.url, 5000);
        int64_t now = vault_moment_now().wall_ms / 1000;

        keep_role(sts.url, now - 2880, now + 720);
        (void)vault_alloc_fail(nth);
        vault_loop_add(loop, job);
        finish(loop);
        failed = vault_alloc_fail(0) >= nth;
        assert_int_equal(ended[VAULT_OK] + ended[VAULT_NO_MEMORY], 1);
        vault_loop_free(loop);
    }
    server_stop(&sts);
    server_stop(&aws);
}

/* ---- programs ---- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void profile_runs(const char *command)
{
    char text[1024];

    snprintf(text, sizeof text, "[default]\ncredential_process = %s\n", command);
    write_file(FOLDER "/config", text);
}

#define PRINTS                                                                                     \
    "/bin/sh -c 'echo >> " FOLDER "/runs; sleep 0.05; printf %s "                                  \
    "\"{\\\"Version\\\":1,\\\"AccessKeyId\\\":\\\"AKIDPROGRAM\\\",\\\"SecretAccessKey\\\":"        \
    "\\\"programCANARY\\\"}\"'"

static void test_a_program_for_many(void **state)
{
    static struct server aws = {.answer = GOOD};
    struct vault_loop *loop = open_loop(with_program);
    struct stat runs;

    (void)state;
    server_start(&aws);
    profile_runs(PRINTS);
    write_file(FOLDER "/runs", "");
    for (int i = 0; i < MANY; i++)
        add(loop, aws.url, NULL, 5000);
    finish(loop);
    assert_int_equal(ended[VAULT_OK], MANY);
    add(loop, aws.url, NULL, 5000); /* it named no end: its keys are kept */
    finish(loop);
    assert_int_equal(ended[VAULT_OK], MANY + 1);
    assert_int_equal(stat(FOLDER "/runs", &runs), 0);
    assert_int_equal(runs.st_size, 1);
    vault_loop_free(loop);
    server_stop(&aws);
}

static void test_a_program_that_fails(void **state)
{
    struct vault_loop *loop = open_loop(with_program);

    (void)state;
    profile_runs("/bin/sh -c 'echo planted >&2; exit 3'");
    for (int i = 0; i < MANY; i++)
        add(loop, "http://127.0.0.1:1/", NULL, 5000);
    finish(loop);
    assert_int_equal(ended[VAULT_CREDENTIALS_REFUSED], MANY);
    assert_non_null(strstr(last_message, "planted"));
    vault_loop_free(loop);
}

static void test_a_program_that_is_missing(void **state)
{
    struct vault_loop *loop = open_loop(with_program);

    (void)state;
    profile_runs("/nonexistent/program");
    add(loop, "http://127.0.0.1:1/", NULL, 5000);
    finish(loop);
    assert_int_equal(ended[VAULT_BAD_PROFILE], 1);
    vault_loop_free(loop);
}

/* The fetch ends in its own time, and the program with the loop. */
static void test_a_program_that_hangs(void **state)
{
    struct vault_loop *loop = open_loop(with_program);

    (void)state;
    profile_runs("/bin/sleep 1000");
    add(loop, "http://127.0.0.1:1/", NULL, 50);
    while (ended[VAULT_TIMEOUT] == 0)
        vault_loop_turn(loop, 1000);
    assert_int_equal(vault_loop_busy(loop), 1);
    vault_loop_free(loop);
}

static int set_up(void **state)
{
    static const char *const keys[] = {"AWS_ACCESS_KEY_ID=AKIDEXAMPLE",
                                       "AWS_SECRET_ACCESS_KEY=secretCANARY", "HOME=/nonexistent",
                                       NULL};
    static const char *const program[] = {"AWS_CONFIG_FILE=" FOLDER "/config", "HOME=/nonexistent",
                                          "PATH=/usr/bin:/bin", "AWS_EC2_METADATA_DISABLED=true",
                                          NULL};
    struct vault_message why = {0};

    (void)state;
    snprintf(role_answer, sizeof role_answer, PLAIN, "200 OK", ROLE_KEYS);
    snprintf(busy_answer, sizeof busy_answer, PLAIN, "503 Busy\r\nx-amz-retry-after: 4000", "");
    snprintf(denied_answer, sizeof denied_answer, PLAIN, "403 Forbidden", DENIED);
    mkdir(FOLDER, 0700);
    if (vault_environment_new(keys, &with_keys) != VAULT_OK ||
        vault_environment_new(program, &with_program) != VAULT_OK)
        return -1;
    return vault_http_start(&why) == VAULT_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    vault_credential_cache_clear();
    vault_environment_free(with_keys);
    vault_environment_free(with_program);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_for_many),
        cmocka_unit_test(test_a_refusal_for_many),
        cmocka_unit_test(test_it_outlives_the_fetch),
        cmocka_unit_test(test_a_pause_of_its_own),
        cmocka_unit_test(test_allocations),
        cmocka_unit_test(test_a_program_for_many),
        cmocka_unit_test(test_a_program_that_fails),
        cmocka_unit_test(test_a_program_that_is_missing),
        cmocka_unit_test(test_a_program_that_hangs),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
