/* test_environment - the environment, kept from before nginx empties it.
 *
 * For:   look-up; the capture and what a worker lays over it, each in a process of its own.
 * Never: what a variable means.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "buffer.h"
#include "child.h"
#include "environment.h"

static void test_get(void **state)
{
    static const char *const entries[] = {"A=1",    "AB=2",     "EMPTY=",    "A=second", "NOVALUE",
                                          "EQ=a=b", "UTF=\xff", "lower=yes", NULL};
    static const struct {
        const char *name, *value;
    } rows[] = {
        {"A", "1"},         {"AB", "2"},      {"EMPTY", ""}, {"EQ", "a=b"},     {"UTF", "\xff"},
        {"lower", "yes"},   {"LOWER", NULL},  {"ABC", NULL}, {"NOVALUE", NULL}, {"B", NULL},
        {"NOVALUE2", NULL}, {"EMPTYX", NULL}, {"", NULL},
    };
    struct vault_environment *environment = NULL;

    (void)state;
    assert_int_equal(vault_environment_new(entries, &environment), VAULT_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *value = vault_environment_get(environment, rows[i].name);

        if (rows[i].value)
            assert_string_equal(value, rows[i].value);
        else
            assert_null(value);
    }
    assert_null(vault_environment_set(environment, "EMPTY"));
    assert_null(vault_environment_set(environment, "B"));
    assert_string_equal(vault_environment_set(environment, "A"), "1");
    vault_environment_free(environment);
}

static void test_empty(void **state)
{
    static const char *const none[] = {NULL};
    struct vault_environment *environment = NULL;

    (void)state;
    assert_null(vault_environment_get(NULL, "A"));
    vault_environment_free(NULL);
    assert_int_equal(vault_environment_new(none, &environment), VAULT_OK);
    assert_null(vault_environment_get(environment, "A"));
    vault_environment_free(environment);
    assert_int_equal(vault_environment_new(NULL, &environment), VAULT_OK);
    assert_null(vault_environment_get(environment, "A"));
    vault_environment_free(environment);
}

static void test_is_a_copy(void **state)
{
    char entry[] = "A=1";
    const char *entries[] = {entry, NULL};
    struct vault_environment *environment = NULL;

    (void)state;
    assert_int_equal(vault_environment_new(entries, &environment), VAULT_OK);
    entry[2] = '2';
    entries[0] = NULL;
    assert_string_equal(vault_environment_get(environment, "A"), "1");
    vault_environment_free(environment);
}

static void test_entries(void **state)
{
    static const char *const entries[] = {"A=1", "EMPTY=", "A=second", "NOVALUE", NULL};
    struct vault_environment *environment = NULL;
    char *const *all;

    (void)state;
    assert_null(vault_environment_entries(NULL)[0]);
    assert_int_equal(vault_environment_new(entries, &environment), VAULT_OK);
    all = vault_environment_entries(environment);
    for (size_t i = 0; entries[i]; i++)
        assert_string_equal(all[i], entries[i]);
    assert_null(all[4]);
    vault_environment_free(environment);
}

static enum vault_status change(const char *const *base, const char *const *entries,
                                const char *without, struct vault_environment **made)
{
    struct vault_environment *environment = NULL;
    enum vault_status status = vault_environment_new(base, &environment);

    if (status == VAULT_OK)
        status = vault_environment_change(environment, entries, without, made);
    vault_environment_free(environment);
    return status;
}

static void test_change(void **state)
{
    static const struct {
        const char *entries[4], *without, *wanted[8];
    } rows[] = {
        {{NULL}, NULL, {"A=1", "AB=2", "XA=3", "A", NULL}},
        {{NULL}, "A", {"XA=3", NULL}},
        {{NULL}, "AB", {"A=1", "XA=3", "A", NULL}},
        {{NULL}, "AB=2", {"A=1", "XA=3", "A", NULL}},
        {{NULL}, "ABC", {"A=1", "AB=2", "XA=3", "A", NULL}},
        {{NULL}, "", {NULL}},
        {{"A=new", "N=", NULL}, NULL, {"A=new", "N=", "AB=2", "XA=3", NULL}},
        {{"AB=new", "XA=", NULL}, "A", {"AB=new", "XA=", NULL}},
        {{"N=1", "N=2", "M=3", NULL}, "A", {"N=1", "N=2", "M=3", "XA=3", NULL}},
    };
    static const char *const base[] = {"A=1", "AB=2", "XA=3", "A", NULL};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vault_environment *made = NULL;
        char *const *all;
        size_t count = 0;

        assert_int_equal(change(base, rows[i].entries, rows[i].without, &made), VAULT_OK);
        all = vault_environment_entries(made);
        for (; rows[i].wanted[count]; count++)
            assert_string_equal(all[count], rows[i].wanted[count]);
        assert_null(all[count]);
        vault_environment_free(made);
    }
}

static void test_change_of_nothing(void **state)
{
    static const char *const entries[] = {"A=1", NULL};
    struct vault_environment *made = NULL;

    (void)state;
    assert_int_equal(vault_environment_change(NULL, entries, "A", &made), VAULT_OK);
    assert_string_equal(vault_environment_get(made, "A"), "1");
    vault_environment_free(made);
}

static void test_change_allocations(void **state)
{
    static const char *const base[] = {"A=1", "B=2", NULL}, *const entries[] = {"C=3", NULL};
    struct vault_environment *made = NULL;
    enum vault_status status = VAULT_NO_MEMORY;
    unsigned long nth;

    (void)state;
    for (nth = 1; status == VAULT_NO_MEMORY; nth++) {
        assert_null(made);
        (void)vault_alloc_fail(nth);
        status = change(base, entries, "B", &made);
    }
    (void)vault_alloc_fail(0);
    assert_int_equal(status, VAULT_OK);
    assert_true(nth > 7);
    vault_environment_free(made);
}

static void test_allocations(void **state)
{
    static const char *const entries[] = {"A=1", "B=2", "C=3", NULL};
    struct vault_environment *environment = NULL;
    enum vault_status status = VAULT_NO_MEMORY;
    unsigned long nth;

    (void)state;
    for (nth = 1; status == VAULT_NO_MEMORY; nth++) {
        assert_null(environment);
        (void)vault_alloc_fail(nth);
        status = vault_environment_new(entries, &environment);
    }
    (void)vault_alloc_fail(0);
    assert_int_equal(status, VAULT_OK);
    assert_true(nth > 5);
    vault_environment_free(environment);
}

/* How many entries of the process's environment have the name. */
static int process_count(const char *name)
{
    char *const *entries = vault_environment_entries(vault_environment_process());
    size_t length = strlen(name);
    int count = 0;

    for (; *entries; entries++)
        count += strncmp(*entries, name, length) == 0 && (*entries)[length] == '=';
    return count;
}

static const char *process_get(const char *name)
{
    return vault_environment_get(vault_environment_process(), name);
}

/* The worker: nginx has emptied its environment, then set what `env NAME=value;` says. */
static int worker(void *at)
{
    (void)at;
    clearenv();
    CHECK(setenv("VT_OVER", "worker", 1) == 0);
    CHECK(setenv("VT_OWN", "worker", 1) == 0);
    CHECK(setenv("VT_EMPTY", "", 1) == 0);
    (void)vault_alloc_fail(1);
    CHECK(vault_environment_process() == NULL);
    (void)vault_alloc_fail(0);
    CHECK(vault_environment_process() != NULL);
    CHECK(strcmp(process_get("VT_KEPT"), "master") == 0);
    CHECK(strcmp(process_get("VT_OVER"), "worker") == 0);
    CHECK(strcmp(process_get("VT_OWN"), "worker") == 0);
    CHECK(strcmp(process_get("VT_EMPTY"), "") == 0);
    CHECK(process_get("VT_LATE") == NULL);
    CHECK(process_count("VT_OVER") == 1 && process_count("VT_KEPT") == 1);

    /* At first use, and once. */
    const struct vault_environment *first = vault_environment_process();
    CHECK(setenv("VT_OWN", "later", 1) == 0);
    CHECK(vault_environment_capture() == VAULT_OK);
    CHECK(vault_environment_process() == first);
    CHECK(strcmp(process_get("VT_OWN"), "worker") == 0);
    return 0;
}

/* A child of a worker lays its own over the capture, not over the worker's. */
static int grandchild(void *at)
{
    (void)at;
    CHECK(setenv("VT_OVER", "grandchild", 1) == 0);
    CHECK(unsetenv("VT_OWN") == 0);
    CHECK(strcmp(process_get("VT_OVER"), "grandchild") == 0);
    CHECK(process_get("VT_OWN") == NULL);
    CHECK(strcmp(process_get("VT_KEPT"), "master") == 0);
    return 0;
}

static int worker_that_forks(void *at)
{
    int code = worker(at), status = 0;
    pid_t child;

    CHECK(code == 0);
    child = fork();
    if (child == 0)
        _exit(grandchild(at));
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    CHECK(strcmp(process_get("VT_OVER"), "worker") == 0);
    return 0;
}

/* The whole of a process's life, in a child since the capture is once in it. */
static int master(void *at)
{
    (void)at;
    CHECK(vault_environment_process() == NULL);
    CHECK(setenv("VT_KEPT", "master", 1) == 0);
    CHECK(setenv("VT_OVER", "master", 1) == 0);
    CHECK(setenv("VT_EMPTY", "master", 1) == 0);
    (void)vault_alloc_fail(1);
    CHECK(vault_environment_capture() == VAULT_NO_MEMORY);
    (void)vault_alloc_fail(2);
    CHECK(vault_environment_capture() == VAULT_NO_MEMORY);
    (void)vault_alloc_fail(0);
    CHECK(vault_environment_process() == NULL);
    CHECK(vault_environment_capture() == VAULT_OK);
    CHECK(setenv("VT_LATE", "late", 1) == 0);
    CHECK(vault_environment_capture() == VAULT_OK);
    CHECK(process_get("VT_LATE") == NULL);
    CHECK(strcmp(process_get("VT_OVER"), "master") == 0);

    clearenv();
    CHECK(strcmp(process_get("VT_KEPT"), "master") == 0);
    CHECK(in_child(worker_that_forks, NULL) == 0);
    CHECK(strcmp(process_get("VT_OVER"), "master") == 0);
    return 0;
}

static void test_process(void **state)
{
    (void)state;
    assert_int_equal(in_child(master, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_is_a_copy),
        cmocka_unit_test(test_allocations),
        cmocka_unit_test(test_process),
        cmocka_unit_test(test_change),
        cmocka_unit_test(test_change_of_nothing),
        cmocka_unit_test(test_change_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
