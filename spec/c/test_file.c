/* test_file - each outcome of vault_file_read on a real folder.
 *
 * For:   what file.h promises, with files, FIFOs, devices, folders and denied files of its own.
 * Never: files outside its temporary folder, /dev/zero and /proc apart.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file.h"

#define NOBODY 65534

static char folder[64];
static char path_text[256];

static const char *path_of(const char *name)
{
    snprintf(path_text, sizeof path_text, "%s/%s", folder, name);
    return path_text;
}

static const char *put(const char *name, const char *bytes, size_t length, mode_t mode)
{
    const char *path = path_of(name);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(file >= 0);
    assert_int_equal(write(file, bytes, length), length);
    assert_int_equal(fchmod(file, mode), 0);
    close(file);
    return path;
}

static enum vault_status read_into(const char *path, size_t limit, struct vault_buffer *out,
                                   struct vault_message *why)
{
    vault_buffer_init(out, limit);
    vault_message_clear(why);
    return vault_file_read(path, out, why);
}

static void test_reads_whole(void **state)
{
    static const size_t sizes[] = {0, 1, 255, 4095, 4096, 4097, 70000};
    char *bytes = malloc(70000);
    struct vault_buffer out;
    struct vault_message why;

    (void)state;
    for (size_t i = 0; i < 70000; i++)
        bytes[i] = (char)(i * 7);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const char *path = put("whole", bytes, sizes[i], 0600);

        assert_int_equal(read_into(path, 70000, &out, &why), VAULT_OK);
        assert_int_equal(out.length, sizes[i]);
        assert_int_equal(out.data[out.length], 0);
        assert_memory_equal(out.data, bytes, sizes[i]);
        assert_int_equal(why.length, 0);
        vault_buffer_free(&out);
    }
    free(bytes);
}

static void test_limit(void **state)
{
    const char *path = put("limit", "CANARYCANARY", 12, 0600);
    struct vault_buffer out;
    struct vault_message why;

    (void)state;
    assert_int_equal(read_into(path, 12, &out, &why), VAULT_OK);
    vault_buffer_free(&out);
    assert_int_equal(read_into(path, 11, &out, &why), VAULT_TOO_LARGE);
    assert_int_equal(out.length, 0);
    assert_non_null(strstr(why.text, path));
    assert_null(strstr(why.text, "CANARY"));
    vault_buffer_free(&out);
}

static void test_appends(void **state)
{
    const char *path = put("append", "world", 5, 0600);
    struct vault_buffer out;
    struct vault_message why;

    (void)state;
    vault_buffer_init(&out, 11);
    assert_int_equal(vault_buffer_text(&out, "hello "), VAULT_OK);
    vault_message_clear(&why);
    assert_int_equal(vault_file_read(path, &out, &why), VAULT_OK);
    assert_string_equal(out.data, "hello world");
    assert_int_equal(vault_file_read(path, &out, &why), VAULT_TOO_LARGE);
    assert_string_equal(out.data, "hello world");
    vault_buffer_free(&out);
}

/* A file of /proc says that it is of size 0 and is not. */
static void test_size_is_not_believed(void **state)
{
    struct vault_buffer out;
    struct vault_message why;

    (void)state;
    assert_int_equal(read_into("/proc/self/status", 65536, &out, &why), VAULT_OK);
    assert_true(out.length > 10);
    vault_buffer_free(&out);
    assert_int_equal(read_into("/proc/self/status", 10, &out, &why), VAULT_TOO_LARGE);
}

static void expect(const char *path, enum vault_status wanted, const char *reason)
{
    struct vault_buffer out;
    struct vault_message why;

    assert_int_equal(read_into(path, 100, &out, &why), wanted);
    assert_null(out.data);
    assert_int_equal(strncmp(why.text, "cannot ", 7), 0);
    if (!strstr(why.text, reason))
        fail_msg("'%s' lacks '%s'", why.text, reason);
}

static void test_absent(void **state)
{
    (void)state;
    put("plain", "", 0, 0600);
    expect(path_of("none"), VAULT_NOT_FOUND, "/none: No such file");
    expect(path_of("plain/none"), VAULT_NOT_FOUND, "/plain/none");
    expect(path_of("none/none"), VAULT_NOT_FOUND, "/none/none");
    expect("", VAULT_NOT_FOUND, "cannot open");
    assert_false(vault_file_stands(path_of("none")));
    assert_true(vault_file_stands(path_of("plain")));
}

/* alarm() ends the program where one of these blocks. */
static void test_not_regular(void **state)
{
    (void)state;
    alarm(10);
    assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
    expect(path_of("fifo"), VAULT_BAD_CONFIG, "not a regular file");
    assert_int_equal(symlink("fifo", path_of("link")), 0);
    expect(path_of("link"), VAULT_BAD_CONFIG, "not a regular file");
    expect(folder, VAULT_BAD_CONFIG, "not a regular file");
    expect("/dev/zero", VAULT_BAD_CONFIG, "not a regular file");
    assert_int_equal(symlink("loop", path_of("loop")), 0);
    expect(path_of("loop"), VAULT_BAD_CONFIG, "/loop: ");
    alarm(0);
}

static void test_name_is_escaped(void **state)
{
    (void)state;
    expect("/none\n2026 [alert] forged", VAULT_NOT_FOUND, "/none\\x0A2026 [alert] forged");
}

/* Where a descriptor may not be left open either. */
static void test_readable(void **state)
{
    const char *path = put("readable", "CANARY", 6, 0600);
    int before = dup(0);

    (void)state;
    close(before);
    assert_int_equal(vault_file_readable(path), 1);
    assert_int_equal(vault_file_readable(path_of("none")), 0);
    assert_int_equal(vault_file_readable(folder), 0);
    assert_int_equal(vault_file_readable("/dev/zero"), 0);
    assert_int_equal(vault_file_readable(""), 0);
    assert_int_equal(mkfifo(path_of("unread"), 0666), 0);
    assert_int_equal(vault_file_readable(path_of("unread")), 0);
    assert_int_equal(dup(0), before);
    close(before);
}

/* Root may read all; only another user is refused. The child's exit code is what it saw. */
static int as_nobody(const char *path)
{
    struct vault_buffer out;
    struct vault_message why;
    int seen;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        if (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
            _exit(100);
        seen = read_into(path, 100, &out, &why) == VAULT_ACCESS_DENIED;
        seen += strstr(why.text, path) && !out.data ? 2 : 0;
        seen += vault_file_stands(path) ? 4 : 0;
        seen += vault_file_readable(path) ? 8 : 0;
        _exit(seen);
    }
    assert_int_equal(waitpid(child, &seen, 0), child);
    assert_true(WIFEXITED(seen));
    return WEXITSTATUS(seen);
}

static void test_denied(void **state)
{
    (void)state;
    assert_int_equal(chmod(folder, 0755), 0);
    put("denied", "CANARY", 6, 0000);
    assert_int_equal(as_nobody(path_of("denied")), 1 + 2 + 4);
    assert_int_equal(mkdir(path_of("closed"), 0700), 0);
    put("closed/inside", "CANARY", 6, 0600);
    assert_int_equal(chmod(path_of("closed"), geteuid() == 0 ? 0700 : 0000), 0);
    assert_int_equal(as_nobody(path_of("closed/inside")), 1 + 2);
    assert_int_equal(as_nobody(path_of("closed/none")), 1 + 2);
    assert_int_equal(chmod(path_of("closed"), 0700), 0);
}

static void test_leaves_no_descriptor(void **state)
{
    const char *path = put("many", "xy", 2, 0600);
    int before = dup(0);
    struct vault_buffer out;
    struct vault_message why;

    (void)state;
    close(before);
    assert_int_equal(read_into(path, 10, &out, &why), VAULT_OK);
    vault_buffer_free(&out);
    assert_int_equal(read_into(path, 1, &out, &why), VAULT_TOO_LARGE);
    assert_int_equal(read_into(folder, 1, &out, &why), VAULT_BAD_CONFIG);
    assert_int_equal(dup(0), before);
    close(before);
}

static void test_no_memory(void **state)
{
    const char *path = put("memory", "xy", 2, 0600);
    enum vault_status status;
    struct vault_buffer out;
    struct vault_message why;
    unsigned long nth = 0;

    (void)state;
    do {
        vault_alloc_fail(++nth);
        status = read_into(path, 10, &out, &why);
        vault_alloc_fail(0);
        assert_true(status == VAULT_OK || (status == VAULT_NO_MEMORY && !out.data));
    } while (status != VAULT_OK);
    assert_true(nth > 2);
    vault_buffer_free(&out);
}

/* It passes, and is not the file's fault. */
static void test_no_descriptor_left(void **state)
{
    const char *path = put("a", "x", 1, 0600);
    struct rlimit before, none;
    enum vault_status status;
    struct vault_buffer out;
    struct vault_message why = {0};

    (void)state;
    vault_buffer_init(&out, 10);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){0, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    status = vault_file_read(path, &out, &why);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(status, VAULT_INTERNAL);
    assert_non_null(strstr(why.text, strerror(EMFILE)));
    vault_buffer_free(&out);
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/test_file.XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_whole),     cmocka_unit_test(test_limit),
        cmocka_unit_test(test_appends),         cmocka_unit_test(test_size_is_not_believed),
        cmocka_unit_test(test_absent),          cmocka_unit_test(test_not_regular),
        cmocka_unit_test(test_name_is_escaped), cmocka_unit_test(test_readable),
        cmocka_unit_test(test_denied),          cmocka_unit_test(test_leaves_no_descriptor),
        cmocka_unit_test(test_no_memory),       cmocka_unit_test(test_no_descriptor_left),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
