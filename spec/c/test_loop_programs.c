/* test_loop_programs - programs of profiles that a loop runs for the fetches that need them.
 *
 * For:   one program for many fetches, its failure shared; how long it may run; many at a time.
 * Never: programs one by one (test_program), what they print (test_credentials_process).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "child.h"
#include "errand_jobs.h"
#include "server.h"

#define GOOD   "HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\n{\"SecretString\":\"value\"}"
#define MANY   50
#define FOLDER "build/test/loop_programs"

static struct vault_environment *with_program;

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

/* Each fetch has its program itself. */
static struct vault_loop *open_without_errands(void)
{
    const struct vault_loop_settings settings = {
        .environment = with_program, .budgets = &budgets, .skew_ms = &skew_ms, .on_done = on_done};
    struct vault_loop *loop = NULL;

    vault_credential_cache_clear();
    memset(ended, 0, sizeof ended);
    assert_int_equal(vault_loop_new(&settings, &loop), VAULT_OK);
    return loop;
}

static void test_a_program_has_the_time_of_its_fetch(void **state)
{
    struct vault_loop *loop = open_without_errands();
    int64_t began = vault_moment_now().monotonic_ms;

    (void)state;
    profile_runs("/bin/sleep 1000");
    add(loop, "http://127.0.0.1:1/", NULL, 300);
    finish(loop);
    assert_int_equal(ended[VAULT_TIMEOUT], 1);
    assert_in_range(vault_moment_now().monotonic_ms - began, 250, 3000);
    vault_loop_free(loop);
}

/* Of more programs than are watched each is heard of, though nothing happens to those watched: the
 * first ends once all others run, which go on. */
static void test_more_programs_than_are_watched(void **state)
{
    struct vault_loop *loop = open_without_errands();
    int64_t began;

    (void)state;
    (void)remove(FOLDER "/go");
    (void)rmdir(FOLDER "/first");
    profile_runs("/bin/sh -c 'mkdir " FOLDER "/first 2>/dev/null || exec sleep 1000; "
                 "while [ ! -e " FOLDER "/go ]; do sleep 0.01; done; exit 3'");
    add(loop, "http://127.0.0.1:1/", "http://127.0.0.1:1/0", 20000);
    while (access(FOLDER "/first", F_OK) != 0)
        vault_loop_turn(loop, 10);
    for (int i = 1; i <= 20; i++) {
        char sts[64];

        snprintf(sts, sizeof sts, "http://127.0.0.1:1/%d", i);
        add(loop, "http://127.0.0.1:1/", sts, 20000);
    }
    write_file(FOLDER "/go", "");
    began = vault_moment_now().monotonic_ms;
    while (ended[VAULT_CREDENTIALS_REFUSED] == 0)
        vault_loop_turn(loop, 10000);
    assert_in_range(vault_moment_now().monotonic_ms - began, 0, 5000);
    vault_loop_free(loop);
}

static int set_up(void **state)
{
    static const char *const program[] = {"AWS_CONFIG_FILE=" FOLDER "/config", "HOME=/nonexistent",
                                          "PATH=/usr/bin:/bin", "AWS_EC2_METADATA_DISABLED=true",
                                          NULL};
    struct vault_message why = {0};

    (void)state;
    mkdir("build", 0755); /* of a sanitizer's tests alone nobody may have made it */
    mkdir("build/test", 0755);
    mkdir(FOLDER, 0700);
    if (vault_environment_new(program, &with_program) != VAULT_OK)
        return -1;
    return vault_http_start(&why) == VAULT_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    vault_credential_cache_clear();
    vault_environment_free(with_program);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_program_for_many),
        cmocka_unit_test(test_a_program_that_fails),
        cmocka_unit_test(test_a_program_that_is_missing),
        cmocka_unit_test(test_a_program_that_hangs),
        cmocka_unit_test(test_a_program_has_the_time_of_its_fetch),
        cmocka_unit_test(test_more_programs_than_are_watched),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
