/* test_program_image - words, PATH and entries, on the way to a program.
 *
 * For:   what program_image.h promises.
 * Never: starting one.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>

#include "child.h"
#include "program_image.h"

static char folder[64];

/* Files of the modes that matter, in two folders of PATH. */
static int make_files(void **state)
{
    (void)state;
    make_folder(folder, sizeof folder);
    assert_int_equal(run_command("cd %s && mkdir one two two/folder && for f in one/first two/first"
                                 " two/second one/plain two/plain one/denied; do echo >$f;"
                                 " chmod 755 $f; done && chmod 644 one/plain one/denied &&"
                                 " ln -s nowhere one/second && ln -s /bin/sh two/shell",
                                 folder),
                     0);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    remove_folder(folder);
    return 0;
}

/* `text` with the folder's path for each '@'. */
static const char *expand(const char *text, char *into)
{
    size_t length = 0;

    for (; *text; text++) {
        if (*text == '@')
            length += (size_t)sprintf(into + length, "%s", folder);
        else
            into[length++] = *text;
    }
    into[length] = '\0';
    return into;
}

static enum vault_status make(const char *path_entry, const char *words, size_t length,
                              struct vault_program_image *image, struct vault_message *why)
{
    char entry[512];
    const char *entries[] = {path_entry ? expand(path_entry, entry) : NULL, "A=1", NULL};
    struct vault_environment *environment = NULL;
    struct vault_buffer buffer;
    enum vault_status status;

    vault_buffer_init(&buffer, 1024);
    assert_int_equal(vault_buffer_append(&buffer, words, length), VAULT_OK);
    assert_int_equal(vault_environment_new(path_entry ? entries : entries + 1, &environment),
                     VAULT_OK);
    status = vault_program_image_make(&buffer, environment, image, why);
    vault_environment_free(environment);
    vault_buffer_free(&buffer);
    return status;
}

static void test_path(void **state)
{
    static const char cannot[] = "cannot execute ";
    static const struct {
        const char *path, *word;
        const char *found; /* NULL: `says` */
        const char *says;
    } rows[] = {
        {"PATH=@/one:@/two", "first", "@/one/first", NULL},
        {"PATH=@/two:@/one", "first", "@/two/first", NULL},
        {"PATH=@/one:@/two", "second", "@/two/second", NULL}, /* past a link to nothing */
        {"PATH=@/one:@/two", "plain", "@/two/plain", NULL},   /* past one without the right */
        {"PATH=@/two", "shell", "@/two/shell", NULL},
        {"PATH=@/one/", "first", "@/one//first", NULL},
        {"PATH=/nonexistent:@/two", "first", "@/two/first", NULL},
        {"PATH=@/one", "@/two/first", "@/two/first", NULL},
        {NULL, "sh", "/usr/bin/sh", NULL},
        {"PATH=", "sh", "/usr/bin/sh", NULL},
        {"PATH=@/one", "@/nothing", NULL, "@/nothing: No such file or directory"},
        {"PATH=@/one", "@/one/plain", NULL, "@/one/plain: Permission denied"},
        {"PATH=@/one", "@/two/folder", NULL, "@/two/folder: Permission denied"},
        {"PATH=@/one", "@/one/plain/x", NULL, "@/one/plain/x: Not a directory"},
        {"PATH=@/one", "~/x\n", NULL, "~/x\\x0A: No such file or directory"},
        {"PATH=@/one:@/two", "denied", NULL, "@/one/denied: Permission denied"},
        {"PATH=@/two", "folder", NULL, "@/two/folder: Permission denied"},
        {"PATH=@/one", "nothing", NULL, "there is no program nothing in PATH"},
        /* the working directory is no place for programs */
        {"PATH=", "LICENSE", NULL, "there is no program LICENSE in PATH"},
        {"PATH=:.:.ci:/nonexistent:", "run", NULL, "there is no program run in PATH"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vault_program_image image = {0};
        struct vault_message why = {0};
        char word[256], wanted[256];
        enum vault_status status;

        expand(rows[i].word, word);
        status = make(rows[i].path, word, strlen(word) + 1, &image, &why);
        if (rows[i].found)
            assert_int_equal(status, VAULT_OK);
        else
            assert_int_equal(status, strstr(rows[i].says, "Permission denied") ? VAULT_ACCESS_DENIED
                                                                               : VAULT_NOT_FOUND);
        if (rows[i].found) {
            assert_string_equal(image.path, expand(rows[i].found, wanted));
            assert_int_equal(why.length, 0);
        } else {
            const char *says = why.text;

            if (strncmp(says, cannot, strlen(cannot)) == 0)
                says += strlen(cannot);
            assert_string_equal(says, expand(rows[i].says, wanted));
            assert_null(image.path);
        }
        vault_program_image_free(&image);
        assert_null(image.path);
    }
}

static void test_unfit(void **state)
{
    static const struct {
        int error;
        enum vault_status status;
        const char *why;
    } rows[] = {
        {ENOENT, VAULT_NOT_FOUND, "cannot execute a\\x0A: No such file or directory"},
        {ENOTDIR, VAULT_NOT_FOUND, "cannot execute a\\x0A: Not a directory"},
        {EACCES, VAULT_ACCESS_DENIED, "cannot execute a\\x0A: Permission denied"},
        {EPERM, VAULT_ACCESS_DENIED, "cannot execute a\\x0A: Operation not permitted"},
        {E2BIG, VAULT_TOO_LARGE, "cannot execute a\\x0A: Argument list too long"},
        {ENOEXEC, VAULT_INTERNAL, "cannot execute a\\x0A: Exec format error"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vault_message why = {0};

        assert_int_equal(vault_program_image_unfit("a\n", rows[i].error, &why), rows[i].status);
        assert_string_equal(why.text, rows[i].why);
    }
}

static void test_words(void **state)
{
    static const char *const entries[] = {"A=1", "B=2", NULL};
    static const char words[] = "/bin/sh\0-c\0\0a b";
    struct vault_environment *environment = NULL;
    struct vault_program_image image = {0};
    struct vault_message why = {0};
    struct vault_buffer buffer;

    (void)state;
    vault_buffer_init(&buffer, 1024);
    assert_int_equal(vault_environment_new(entries, &environment), VAULT_OK);
    assert_int_equal(vault_program_image_make(&buffer, environment, &image, &why), VAULT_NOT_FOUND);
    assert_string_equal(why.text, "no program is named");
    vault_message_clear(&why);
    assert_int_equal(vault_buffer_append(&buffer, words, sizeof words), VAULT_OK);
    assert_int_equal(vault_program_image_make(&buffer, environment, &image, &why), VAULT_OK);
    assert_string_equal(image.arguments[0], "/bin/sh");
    assert_string_equal(image.arguments[1], "-c");
    assert_string_equal(image.arguments[2], "");
    assert_string_equal(image.arguments[3], "a b");
    assert_null(image.arguments[4]);
    assert_string_equal(image.environment[0], "A=1");
    assert_string_equal(image.environment[1], "B=2");
    assert_null(image.environment[2]);
    vault_program_image_free(&image);

    assert_int_equal(vault_program_image_make(&buffer, NULL, &image, &why), VAULT_OK);
    assert_null(image.environment[0]);
    vault_program_image_free(&image);
    vault_buffer_clear(&buffer);
    assert_int_equal(vault_buffer_append(&buffer, "\0x", 3), VAULT_OK);
    assert_int_equal(vault_program_image_make(&buffer, environment, &image, &why), VAULT_NOT_FOUND);
    vault_environment_free(environment);
    vault_buffer_free(&buffer);
}

static void test_no_memory(void **state)
{
    static const char words[] = "sh\0-c";
    struct vault_program_image image = {0};
    struct vault_message why = {0};
    enum vault_status status = VAULT_NO_MEMORY;
    struct vault_buffer buffer;
    unsigned long nth;

    (void)state;
    vault_buffer_init(&buffer, 64);
    assert_int_equal(vault_buffer_append(&buffer, words, sizeof words), VAULT_OK);
    for (nth = 1; status == VAULT_NO_MEMORY; nth++) {
        assert_null(image.path);
        (void)vault_alloc_fail(nth);
        status = vault_program_image_make(&buffer, NULL, &image, &why);
    }
    (void)vault_alloc_fail(0);
    assert_int_equal(status, VAULT_OK);
    assert_true(nth > 3);
    vault_program_image_free(&image);
    vault_buffer_free(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path),
        cmocka_unit_test(test_unfit),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, make_files, remove_files);
}
