/* test_program - programs run for their output, with real ones.
 *
 * For:   what program.h promises: output, exit status, what standard error says, limits.
 * Never: how it ends, and what is left then (test_program_end); what runs between us and the
 *        program (test_program_attendant).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>

#include "child.h"
#include "program_run.h"

/* Words as they are: no shell. */
static void test_output(void **state)
{
    static const struct {
        const char *words[8], *answer;
    } rows[] = {
        {{"/bin/echo", "one", "two"}, "one two\n"},
        {{"echo", "found", "in", "PATH"}, "found in PATH\n"},
        {{"printf", "[%s]", "$HOME", "a  b", "", "*", "~;|&`x`"}, "[$HOME][a  b][][*][~;|&`x`]"},
        {{"/bin/true"}, ""},
        {{"cat"}, ""}, /* its input is empty */
        {{"readlink", "/proc/self/fd/0"}, "/dev/null\n"},
        {{"env"}, "PATH=/usr/local/bin:/usr/bin:/bin\nLC_ALL=C\n"},
        {{"printf", "a\\0b"}, "a"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct run run;

        assert_int_equal(run_all(&run, rows[i].words), VAULT_OK);
        assert_int_equal(run.exchange.outcome, VAULT_OK);
        assert_int_equal(run.exchange.status, 0);
        assert_string_equal(run_answer(&run), rows[i].answer);
        assert_int_equal(run.exchange.why.length, 0);
        run_close(&run);
    }
}

#define LINE16  "0123456789abcdef"
#define LINE64  LINE16 LINE16 LINE16 LINE16
#define LINE256 LINE64 LINE64 LINE64 LINE64

static void test_exit_status(void **state)
{
    static const struct {
        const char *script;
        int status;
        const char *why;
    } rows[] = {
        {"echo said >&2; exit 0", 0, ""},
        {"exit 1", 1, ""},
        {"echo said >&2; exit 255", 255, "said"},
        {"printf 'no end' >&2; exit 3", 3, "no end"},
        {"printf 'first\\nsecond\\n' >&2; exit 3", 3, "first"},
        {"printf '\\n \\t\\r\\n  first \\r\\nsecond\\n' >&2; exit 3", 3, "first"},
        {"printf '\\n\\n' >&2; exit 3", 3, ""},
        {"printf 'a\\033[31m\\tb\\\\\\303\\244\\0c\\n' >&2; exit 3", 3,
         "a\\x1B[31m\\x09b\\\\\\xC3\\xA4\\x00c"},
        {"echo " LINE256 " >&2; exit 3", 3, LINE256},
        {"echo " LINE256 "x >&2; exit 3", 3, LINE256 "..."},
        {"echo fir >&2; echo secret; echo st >&2; exit 3", 3, "fir"},
        {"kill -KILL $$", 128 + SIGKILL, ""},
        {"echo dying >&2; kill -TERM $$", 128 + SIGTERM, "dying"},
        {"kill -USR1 $$", 128 + SIGUSR1, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct run run;

        assert_int_equal(run_shell(&run, rows[i].script), VAULT_OK);
        assert_int_equal(run.exchange.status, rows[i].status);
        assert_string_equal(run.exchange.why.text, rows[i].why);
        run_close(&run);
    }
}

/* Standard error is read to its end, however long. */
static void test_long_errors(void **state)
{
    struct run run;

    (void)state;
    assert_int_equal(run_shell(&run, "head -c 300000 /dev/zero >&2; echo done; exit 3"), VAULT_OK);
    assert_string_equal(run_answer(&run), "done\n");
    assert_int_equal(run.exchange.status, 3);
    assert_int_equal(run.exchange.why.length, 256 * 4 + 3);
    run_close(&run);
}

static void test_output_limit(void **state)
{
    static const struct {
        const char *script;
        enum vault_status status;
    } rows[] = {
        {"head -c 65536 /dev/zero", VAULT_OK},
        {"head -c 65537 /dev/zero", VAULT_TOO_LARGE},
        {"exec cat /dev/zero", VAULT_TOO_LARGE},
        {"echo said >&2; head -c 65537 /dev/zero; exit 1", VAULT_TOO_LARGE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct run run;

        assert_int_equal(run_shell(&run, rows[i].script), rows[i].status);
        assert_int_equal(run.exchange.answer.length, rows[i].status == VAULT_OK ? 65536 : 0);
        assert_string_equal(run.exchange.why.text,
                            rows[i].status == VAULT_OK ? "" : "its output is over 65536 bytes");
        run_close(&run);
    }
}

/* Output that comes in pieces, its end before that of the program. */
static void test_pieces(void **state)
{
    struct run run;

    (void)state;
    run_open_shell(&run, "echo one; sleep 0.02; printf two; exec >&-; sleep 0.02; exec 2>&-;"
                         "sleep 0.02; exit 5");
    assert_int_equal(run_start(&run), VAULT_OK);
    assert_true(run_on(&run, true));
    assert_true(run_on(&run, false));
    assert_int_equal(run_finish(&run, VAULT_OK), VAULT_OK);
    assert_string_equal(run_answer(&run), "one\ntwo");
    assert_int_equal(run.exchange.status, 5);
    run_close(&run);
}

static void put_script(char *path, size_t room, const char *folder, const char *text)
{
    FILE *file;

    assert_true(snprintf(path, room, "%s/script", folder) < (int)room);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0755), 0);
}

/* What is found to be no program before anything starts, and after. */
static void test_no_program(void **state)
{
    static const char *const missing[] = {"/nonexistent/program", NULL};
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"no program\n", "Exec format error"},
        {"#!/nonexistent/shell\n", "No such file or directory"},
    };
    char folder[64], path[128], says[256];
    struct run run;

    (void)state;
    assert_int_equal(run_all(&run, missing), VAULT_NOT_FOUND);
    assert_string_equal(run.exchange.why.text,
                        "cannot execute /nonexistent/program: No such file or directory");
    assert_null(run.program);
    run_close(&run);

    make_folder(folder, sizeof folder);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *const words[] = {path, NULL};

        put_script(path, sizeof path, folder, rows[i].text);
        assert_int_equal(run_all(&run, words), VAULT_INTERNAL);
        snprintf(says, sizeof says, "cannot execute %s: %s", path, rows[i].says);
        assert_string_equal(run.exchange.why.text, says);
        run_close(&run);
    }
    remove_folder(folder);
}

/* The answer is still empty when its room is asked for. */
static void test_no_memory(void **state)
{
    struct run run;
    bool failed = true;
    unsigned long nth;

    (void)state;
    for (nth = 1; failed; nth++) {
        run_open_shell(&run, "echo output; sleep 0.01; echo more");
        (void)vault_alloc_fail(nth);
        if (run_start(&run) == VAULT_OK) {
            assert_true(run_on(&run, false));
            (void)run_finish(&run, VAULT_OK);
        } else {
            run.exchange.outcome = VAULT_NO_MEMORY;
        }
        failed = vault_alloc_fail(0) >= nth;
        assert_int_equal(run.exchange.outcome, failed ? VAULT_NO_MEMORY : VAULT_OK);
        assert_string_equal(run_answer(&run), failed ? "" : "output\nmore\n");
        assert_null(run.program);
        run_close(&run);
    }
    assert_true(nth > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROGRAM_TEST(test_output),      PROGRAM_TEST(test_exit_status),
        PROGRAM_TEST(test_long_errors), PROGRAM_TEST(test_output_limit),
        PROGRAM_TEST(test_pieces),      PROGRAM_TEST(test_no_program),
        PROGRAM_TEST(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
