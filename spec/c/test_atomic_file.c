/* test_atomic_file - what vault_atomic_file_replace does on a real folder, and what it refuses.
 *
 * For:   content, modes, folders, links, FIFOs, what a killed writer left.
 * Never: files outside its temporary folder; other users and disks (test_atomic_file_places).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/file.h>

#include "replaced.h"

static void test_replaces(void **state)
{
    const char *path = path_of("plain");

    (void)state;
    umask(0);
    assert_int_equal(replace(path, "one"), VAULT_OK);
    assert_string_equal(content_of(path), "one");
    assert_int_equal(mode_of(path), 0600);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(replace(path, ""), VAULT_OK);
    assert_string_equal(content_of(path), "");
    assert_int_equal(mode_of(path), 0600);
    umask(0777);
    assert_int_equal(replace(path, "three"), VAULT_OK);
    umask(022);
    assert_string_equal(content_of(path), "three");
    assert_int_equal(mode_of(path), 0600);
    assert_int_equal(why.length, 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(count_in(folder), 0);
}

/* Who has the old file open goes on reading the old bytes. */
static void test_never_half(void **state)
{
    size_t length = 1 << 20;
    char *bytes = malloc(length), got[3];
    const char *path = path_of("large");
    struct stat about;
    int file;

    (void)state;
    put(path, "old", 0600);
    file = open(path, O_RDONLY);
    memset(bytes, 0, length);
    vault_message_clear(&why);
    assert_int_equal(vault_atomic_file_replace(path, bytes, length, &why), VAULT_OK);
    assert_int_equal(read(file, got, 3), 3);
    assert_memory_equal(got, "old", 3);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_size, length);
    close(file);
    free(bytes);
    assert_int_equal(unlink(path), 0);
}

static void test_makes_folder(void **state)
{
    (void)state;
    umask(0);
    assert_int_equal(replace(path_of("made//file"), "x"), VAULT_OK);
    umask(022);
    assert_int_equal(mode_of(path_of("made")), 0700);
    assert_string_equal(content_of(path_of("made/file")), "x");
    assert_int_equal(chmod(path_of("made"), 0750), 0);
    assert_int_equal(replace(path_of("made/file"), "y"), VAULT_OK);
    assert_int_equal(mode_of(path_of("made")), 0750);
    expect(VAULT_NOT_FOUND, path_of("none/none/file"), "cannot make the folder ");
    assert_int_equal(count_in(path_of("made")), 1);
}

static void test_relative(void **state)
{
    char before[512];

    (void)state;
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(replace("relative", "x"), VAULT_OK);
    assert_int_equal(replace("below/relative", "x"), VAULT_OK);
    assert_int_equal(chdir(before), 0);
    assert_string_equal(content_of(path_of("relative")), "x");
    assert_string_equal(content_of(path_of("below/relative")), "x");
}

static void test_no_file_name(void **state)
{
    static const char *const paths[] = {"", ".", "..", "/", "a/..", "/tmp/"};
    char long_name[400];

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        expect(VAULT_BAD_CONFIG, paths[i], "not the name of a file");
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    expect(VAULT_BAD_CONFIG, path_of(long_name), "name too long");
    expect(VAULT_NOT_FOUND, "none\n2026 [alert] forged/x/y", "none\\x0A2026 [alert] forged/x");
}

static void test_not_a_folder(void **state)
{
    (void)state;
    put(path_of("file"), "x", 0600);
    expect(VAULT_BAD_CONFIG, path_of("file/inside"), "/file: Not a directory");
    expect(VAULT_BAD_CONFIG, path_of("file/inside/it"), "Not a directory");
}

static void test_odd_targets(void **state)
{
    (void)state;
    put(path_of("real"), "real", 0600);
    assert_int_equal(symlink("real", path_of("link")), 0);
    expect(VAULT_BAD_CONFIG, path_of("link"), "/link: it is a symbolic link");
    assert_int_equal(symlink("nowhere", path_of("dangling")), 0);
    expect(VAULT_BAD_CONFIG, path_of("dangling"), "/dangling: it is a symbolic link");
    assert_string_equal(content_of(path_of("real")), "real");
    assert_int_equal(mkdir(path_of("folder"), 0700), 0);
    expect(VAULT_BAD_CONFIG, path_of("folder"), "/folder: it is not a regular file");
    assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
    expect(VAULT_BAD_CONFIG, path_of("fifo"), "/fifo: it is not a regular file");
}

/* The folder may be a link: whoever made it could put anything there anyway. */
static void test_linked_folder(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path_of("there"), 0700), 0);
    assert_int_equal(symlink("there", path_of("here")), 0);
    assert_int_equal(replace(path_of("here/file"), "x"), VAULT_OK);
    assert_string_equal(content_of(path_of("there/file")), "x");
    assert_int_equal(symlink("nowhere", path_of("lost")), 0);
    expect(VAULT_NOT_FOUND, path_of("lost/file"), "cannot open the folder ");
}

/* What a killed writer left, and what somebody put there. */
static void test_temporary_in_the_way(void **state)
{
    const char *path = path_of("target"), *temporary = path_of("target.new");
    int file;

    (void)state;
    put(path_of("victim"), "victim", 0600);
    put(temporary, "left by one who was killed, and longer", 0644);
    assert_int_equal(replace(path, "new"), VAULT_OK);
    assert_string_equal(content_of(path), "new");
    assert_int_equal(mode_of(path), 0600);
    assert_int_equal(symlink("victim", temporary), 0);
    assert_int_equal(replace(path, "newer"), VAULT_OK);
    assert_int_equal(link(path_of("victim"), temporary), 0);
    assert_int_equal(replace(path, "newest"), VAULT_OK);
    assert_int_equal(mkfifo(temporary, 0600), 0);
    assert_int_equal(replace(path, "last"), VAULT_OK);
    assert_string_equal(content_of(path_of("victim")), "victim");
    assert_string_equal(content_of(path), "last");
    file = open(temporary, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(flock(file, LOCK_EX), 0);
    expect(VAULT_INTERNAL, path, "another process is writing it");
    close(file);
    assert_int_equal(replace(path, "x"), VAULT_OK);
    assert_int_equal(mkdir(temporary, 0700), 0);
    expect(VAULT_INTERNAL, path, "/target: ");
    assert_string_equal(content_of(path), "x");
    assert_int_equal(rmdir(temporary), 0);
}

static void test_leaves_no_descriptor(void **state)
{
    int before = dup(0);

    (void)state;
    close(before);
    assert_int_equal(replace(path_of("many"), "x"), VAULT_OK);
    expect(VAULT_NOT_FOUND, path_of("no/no/many"), "cannot make");
    assert_int_equal(mkdir(path_of("many.d"), 0700), 0);
    expect(VAULT_BAD_CONFIG, path_of("many.d"), "not a regular");
    assert_int_equal(dup(0), before);
    close(before);
}

static void test_allocation_fails(void **state)
{
    const char *path = path_of("memory");
    enum vault_status status;
    unsigned long nth = 0;

    (void)state;
    put(path, "old", 0600);
    do {
        assert_string_equal(content_of(path), "old");
        vault_alloc_fail(++nth);
        status = replace(path, "new");
        vault_alloc_fail(0);
        assert_true(status == VAULT_OK || status == VAULT_NO_MEMORY);
    } while (status != VAULT_OK);
    assert_true(nth > 3);
    assert_string_equal(content_of(path), "new");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replaces),
        cmocka_unit_test(test_never_half),
        cmocka_unit_test(test_makes_folder),
        cmocka_unit_test(test_relative),
        cmocka_unit_test(test_no_file_name),
        cmocka_unit_test(test_not_a_folder),
        cmocka_unit_test(test_odd_targets),
        cmocka_unit_test(test_linked_folder),
        cmocka_unit_test(test_temporary_in_the_way),
        cmocka_unit_test(test_leaves_no_descriptor),
        cmocka_unit_test(test_allocation_fails),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
