/* test_program_exec - a process that becomes another program, and one that does not.
 *
 * For:   what program_exec.h promises.
 * Never: where programs are looked for (test_program_image).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>

#include "child.h"
#include "program_exec.h"

static char folder[64];

static int make_files(void **state)
{
    (void)state;
    make_folder(folder, sizeof folder);
    return run_command("cd %s && echo '#!/nonexistent' >lost && printf 'no format' >odd &&"
                       " chmod 755 lost odd",
                       folder);
}

static int remove_files(void **state)
{
    (void)state;
    remove_folder(folder);
    return 0;
}

struct call {
    const char *words[8], *entries[4];
    struct vault_message why;
};

static enum vault_status become(struct call *call)
{
    struct vault_environment *environment = NULL;
    enum vault_status status = vault_environment_new(call->entries, &environment);
    struct vault_buffer words;

    vault_buffer_init(&words, 1 << 20);
    for (size_t i = 0; status == VAULT_OK && call->words[i]; i++)
        status = vault_buffer_append(&words, call->words[i], strlen(call->words[i]) + 1);
    if (status == VAULT_OK)
        status = vault_program_exec(&words, environment, &call->why);
    vault_environment_free(environment);
    vault_buffer_free(&words);
    return status;
}

/* For a child: only what becomes of it tells. */
static int try(void *at)
{
    (void)become(at);
    return 99;
}

static void test_becomes(void **state)
{
    static struct call rows[] = {
        {{"/bin/sh", "-c", "exit 7"}, {NULL}, {0}},
        {{"sh", "-c", "exit $1", "sh", "7"}, {NULL}, {0}},
        {{"sh", "-c", "test $# = 3 && exit $A", "sh", "", "a b", "$A"}, {"A=7"}, {0}},
        {{"sh", "-c", "test \"$B\" = \"x  y\" && exit 7"}, {"B=x  y", "C="}, {0}},
        /* nothing of this process's own environment */
        {{"sh", "-c", "test -z \"$VT_OWN\" && exit 7"}, {"PATH=/usr/bin:/bin"}, {0}},
    };

    (void)state;
    assert_int_equal(setenv("VT_OWN", "1", 1), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(in_child(try, &rows[i]), 7);
}

/* It stays the same process: number, folder, descriptors that were not to be closed. */
static int try_kept(void *at)
{
    char script[256];
    struct call call = {.words = {"sh", "-c", script}};

    (void)at;
    CHECK(dup2(2, 30) == 30 && fcntl(2, F_DUPFD_CLOEXEC, 31) == 31);
    CHECK(chdir("/") == 0);
    (void)snprintf(script, sizeof script,
                   "test $$ = %ld && test -e /proc/$$/fd/30 && test ! -e /proc/$$/fd/31 &&"
                   " test \"$(pwd)\" = / && exit 7",
                   (long)getpid());
    return try(&call);
}

static void test_stays_the_process(void **state)
{
    (void)state;
    assert_int_equal(in_child(try_kept, NULL), 7);
}

static void test_fails(void **state)
{
    char lost[80], odd[80], why[128];
    struct call call = {.words = {"/nonexistent/x"}};

    (void)state;
    assert_int_equal(become(&call), VAULT_NOT_FOUND);
    assert_string_equal(call.why.text, "cannot execute /nonexistent/x: No such file or directory");
    call = (struct call){.words = {"/tmp"}};
    assert_int_equal(become(&call), VAULT_ACCESS_DENIED);
    call = (struct call){.words = {NULL}};
    assert_int_equal(become(&call), VAULT_NOT_FOUND);
    assert_string_equal(call.why.text, "no program is named");

    (void)snprintf(lost, sizeof lost, "%s/lost", folder);
    call = (struct call){.words = {lost}}; /* there, but what is to run it is not */
    assert_int_equal(become(&call), VAULT_NOT_FOUND);
    (void)snprintf(odd, sizeof odd, "%s/odd", folder);
    call = (struct call){.words = {odd}}; /* no shell steps in */
    assert_int_equal(become(&call), VAULT_INTERNAL);
    (void)snprintf(why, sizeof why, "cannot execute %s: Exec format error", odd);
    assert_string_equal(call.why.text, why);
}

static void test_too_large(void **state)
{
    size_t size = 200000; /* Linux takes 128 KB in one text */
    char *entry = vault_alloc(size + 1);
    struct call call = {.words = {"/bin/true"}, .entries = {entry}};

    (void)state;
    assert_non_null(entry);
    memset(entry, 'x', size);
    memcpy(entry, "A=", 2);
    assert_int_equal(become(&call), VAULT_TOO_LARGE);
    assert_string_equal(call.why.text, "cannot execute /bin/true: Argument list too long");
    vault_free(entry);
}

static void test_no_memory(void **state)
{
    struct call call = {.words = {"/nonexistent/x"}, .entries = {"A=1"}};
    enum vault_status status = VAULT_NO_MEMORY;
    unsigned long nth;

    (void)state;
    for (nth = 1; status == VAULT_NO_MEMORY; nth++) {
        (void)vault_alloc_fail(nth);
        status = become(&call);
    }
    (void)vault_alloc_fail(0);
    assert_int_equal(status, VAULT_NOT_FOUND);
    assert_true(nth > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_becomes),   cmocka_unit_test(test_stays_the_process),
        cmocka_unit_test(test_fails),     cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, make_files, remove_files);
}
