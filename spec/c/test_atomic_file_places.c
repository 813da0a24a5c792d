/* test_atomic_file_places - vault_atomic_file_replace where it may not write, or is stopped.
 *
 * For:   another user's folder, a full and a read-only disk, a size limit, being killed.
 * Never: files outside its temporary folder.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "replaced.h"

#define NOBODY 65534

/* As the user that nginx's workers have; what `run` returns, 0 to 99. */
static int as_nobody(int (*run)(const char *), const char *path)
{
    int code;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        if (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
            _exit(100);
        _exit(run(path));
    }
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_true(WIFEXITED(code));
    return WEXITSTATUS(code);
}

static int is_denied(const char *path)
{
    return replace(path, CANARY) == VAULT_ACCESS_DENIED && strstr(why.text, "Permission denied") &&
           !strstr(why.text, "CANARY");
}

static int is_written(const char *path)
{
    return replace(path, "by nobody") == VAULT_OK;
}

static void test_denied(void **state)
{
    (void)state;
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(mkdir(path_of("roots"), 0755), 0);
    put(path_of("roots/file"), "old", 0666);
    if (geteuid() != 0)
        assert_int_equal(chmod(path_of("roots"), 0555), 0);
    assert_int_equal(as_nobody(is_denied, path_of("roots/file")), 1);
    assert_int_equal(as_nobody(is_denied, path_of("roots/below/file")), 1);
    assert_string_equal(content_of(path_of("roots/file")), "old");
    assert_int_equal(chmod(path_of("roots"), 0755), 0);
    assert_int_equal(count_in(path_of("roots")), 1);
}

static int may(const char *path)
{
    return vault_atomic_file_may(path);
}

static void test_may(void **state)
{
    (void)state;
    assert_int_equal(chmod(folder, 0755), 0);
    assert_int_equal(mkdir(path_of("closed"), 0755), 0);
    assert_int_equal(mkdir(path_of("open"), 0777), 0);
    assert_int_equal(chmod(path_of("open"), 0777), 0);
    put(path_of("open/file"), "old", 0600);
    if (geteuid() != 0)
        assert_int_equal(chmod(path_of("closed"), 0555), 0);
    assert_int_equal(as_nobody(may, path_of("open/file")), 1);
    assert_int_equal(as_nobody(may, path_of("open/new")), 1);
    assert_int_equal(as_nobody(may, path_of("open/below/new")), 1);
    assert_int_equal(as_nobody(may, path_of("open/below/below/new")), 0);
    assert_int_equal(as_nobody(may, path_of("open/file/new")), 0);
    assert_int_equal(as_nobody(may, path_of("open/")), 0);
    assert_int_equal(as_nobody(may, path_of("closed/new")), 0);
    assert_int_equal(as_nobody(may, path_of("closed/below/new")), 0);
    assert_int_equal(chmod(path_of("closed"), 0755), 0);
    assert_int_equal(count_in(path_of("open")), 1);
    assert_true(vault_atomic_file_may(path_of("closed/new")));
    (void)vault_alloc_fail(1);
    assert_false(vault_atomic_file_may(path_of("closed/new")));
    (void)vault_alloc_fail(0);
}

/* A folder of its own with root's file and root's leftover in it: the worker's own all the same. */
static void test_of_another_user(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path_of("nobodys"), 0700), 0);
    put(path_of("nobodys/file"), "old", 0600);
    put(path_of("nobodys/file.new"), "left", 0600);
    if (geteuid() == 0)
        assert_int_equal(chown(path_of("nobodys"), NOBODY, NOBODY), 0);
    assert_int_equal(as_nobody(is_written, path_of("nobodys/file")), 1);
    assert_string_equal(content_of(path_of("nobodys/file")), "by nobody");
    assert_int_equal(mode_of(path_of("nobodys/file")), 0600);
}

/* Each in a process of its own; 77: this machine does not let us make such a disk. */
static int on_full_disk(const char *path)
{
    static char bytes[200000];
    char mount_at[512];
    int code;

    snprintf(mount_at, sizeof mount_at, "%s", path);
    *strrchr(mount_at, '/') = '\0';
    if (unshare(CLONE_NEWNS) != 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", mount_at, "tmpfs", 0, "size=64k") != 0)
        return 77;
    put(path, "old", 0600);
    vault_message_clear(&why);
    code = vault_atomic_file_replace(path, bytes, sizeof bytes, &why) == VAULT_INTERNAL &&
                   strstr(why.text, "No space left")
               ? 0
               : 1;
    code += strcmp(content_of(path), "old") == 0 && count_in(mount_at) == 1 ? 0 : 2;
    if (mount("none", mount_at, "tmpfs", MS_REMOUNT | MS_RDONLY, "size=64k") != 0)
        return 77;
    code += replace(path, "new") == VAULT_ACCESS_DENIED && strstr(why.text, "Read-only") ? 0 : 4;
    snprintf(mount_at, sizeof mount_at, "%s", path);
    strcpy(strrchr(mount_at, '/'), "/below/file");
    code += replace(mount_at, "new") == VAULT_ACCESS_DENIED &&
                    strstr(why.text, "cannot make the folder")
                ? 0
                : 8;
    return code;
}

static int over_limit(const char *path)
{
    static char bytes[100000];
    struct rlimit limit = {1000, 1000};

    signal(SIGXFSZ, SIG_IGN);
    vault_message_clear(&why);
    return setrlimit(RLIMIT_FSIZE, &limit) == 0 &&
           vault_atomic_file_replace(path, bytes, sizeof bytes, &why) == VAULT_INTERNAL &&
           strstr(why.text, "File too large") && strcmp(content_of(path), "old") == 0;
}

static int in_child(int (*run)(const char *), const char *path)
{
    int code;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0)
        _exit(run(path));
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_true(WIFEXITED(code));
    return WEXITSTATUS(code);
}

static void test_disk(void **state)
{
    int code;

    (void)state;
    assert_int_equal(mkdir(path_of("small"), 0700), 0);
    code = in_child(on_full_disk, path_of("small/file"));
    if (code != 77)
        assert_int_equal(code, 0);
    put(path_of("small/file"), "old", 0600);
    assert_int_equal(in_child(over_limit, path_of("small/file")), 1);
    assert_int_equal(count_in(path_of("small")), 1);
}

/* Killed again and again while it writes: the file always is one of the two, whole. */
static void test_killed(void **state)
{
    const char *path = path_of("killed");
    char both[2][4001];
    int code;

    (void)state;
    for (int i = 0; i < 2; i++) {
        memset(both[i], 'a' + i, 4000);
        both[i][4000] = '\0';
    }
    put(path, both[0], 0600);
    for (int i = 0; i < 40; i++) {
        pid_t child = fork();
        const char *text;

        if (child == 0)
            for (int n = 0;; n++)
                if (replace(path, both[n % 2]) != VAULT_OK)
                    _exit(1);
        usleep((useconds_t)(500 + i * 137 % 3000));
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &code, 0), child);
        assert_true(WIFSIGNALED(code));
        text = content_of(path);
        assert_true(strlen(text) == 4000 &&
                    (strcmp(text, both[0]) == 0 || strcmp(text, both[1]) == 0));
    }
    assert_int_equal(replace(path, "end"), VAULT_OK);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_denied),          cmocka_unit_test(test_may),
        cmocka_unit_test(test_of_another_user), cmocka_unit_test(test_disk),
        cmocka_unit_test(test_killed),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
