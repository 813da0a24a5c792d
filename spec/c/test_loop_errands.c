/* test_loop_errands - credentials that the loop has for all fetches that need them.
 *
 * For:   one errand for many fetches, its failure shared, fetches that end before it, its pauses,
 *        lost memory.
 * Never: what a caller decides (test_caller), programs (test_loop_programs).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "child.h"
#include "errand_jobs.h"
#include "host_tokens.h"
#include "server.h"

#define GOOD  "HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\n{\"SecretString\":\"value\"}"
#define MANY  50
#define PLAIN "HTTP/1.1 %s\r\nConnection: close\r\n\r\n%s"

#define ROLE_KEYS                                                                                  \
    "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE</AccessKeyId>"       \
    "<SecretAccessKey>roleCANARY</SecretAccessKey><SessionToken>roleCANARY</SessionToken>"         \
    "<Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>"               \
    "</AssumeRoleResponse>"
#define DENIED                                                                                     \
    "<ErrorResponse><Error><Code>AccessDenied</Code><Message>planted</Message></Error></"          \
    "ErrorResponse>"

static struct vault_environment *with_keys;
static char role_answer[1024], denied_answer[1024], busy_answer[1024];

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

static int set_up(void **state)
{
    static const char *const keys[] = {"AWS_ACCESS_KEY_ID=AKIDEXAMPLE",
                                       "AWS_SECRET_ACCESS_KEY=secretCANARY", "HOME=/nonexistent",
                                       NULL};
    struct vault_message why = {0};

    (void)state;
    snprintf(role_answer, sizeof role_answer, PLAIN, "200 OK", ROLE_KEYS);
    snprintf(busy_answer, sizeof busy_answer, PLAIN, "503 Busy\r\nx-amz-retry-after: 4000", "");
    snprintf(denied_answer, sizeof denied_answer, PLAIN, "403 Forbidden", DENIED);
    if (vault_environment_new(keys, &with_keys) != VAULT_OK)
        return -1;
    return vault_http_start(&why) == VAULT_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    vault_credential_cache_clear();
    vault_environment_free(with_keys);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_for_many),          cmocka_unit_test(test_a_refusal_for_many),
        cmocka_unit_test(test_it_outlives_the_fetch), cmocka_unit_test(test_a_pause_of_its_own),
        cmocka_unit_test(test_allocations),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
