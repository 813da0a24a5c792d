/* test_wake - a Unix socket over which one thread wakes a reader in the same process.
 *
 * For:   the choice of the folder, what is left of it, who may connect, ringing.
 * Never: who rings (test_io_thread).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "child.h"
#include "wake.h"

static char folder[64];

/* As nginx's cosocket does it. */
static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int stream = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (connect(stream, (struct sockaddr *)&address, sizeof address) == 0)
        return stream;
    close(stream);
    return -1;
}

static int open_descriptors(void)
{
    return entries_in("/proc/self/fd");
}

static void test_wakes(void **state)
{
    const char *const folders[] = {folder, NULL};
    int before = open_descriptors(), reader;
    char path[VAULT_WAKE_PATH_MAX], wanted[64], bytes[8];
    struct vault_wake wake;

    (void)state;
    vault_wake_init(&wake);
    vault_wake_ring(&wake);
    assert_int_equal(vault_wake_listen(&wake, folders, path), VAULT_OK);
    snprintf(wanted, sizeof wanted, "/proc/self/fd/%d", wake.door);
    assert_string_equal(path, wanted);
    assert_int_equal(entries_in(folder), 0);
    vault_wake_ring(&wake);
    reader = connect_to(path);
    assert_true(reader >= 0);
    assert_int_equal(vault_wake_accept(&wake), VAULT_OK);
    assert_int_equal(wake.listener, -1);
    assert_int_equal(connect_to(path), -1);
    assert_int_equal(recv(reader, bytes, sizeof bytes, MSG_DONTWAIT), -1);
    vault_wake_ring(&wake);
    vault_wake_ring(&wake);
    assert_int_equal(recv(reader, bytes, sizeof bytes, 0), 2);
    vault_wake_close(&wake);
    assert_int_equal(recv(reader, bytes, sizeof bytes, 0), 0);
    vault_wake_close(&wake);
    close(reader);
    assert_int_equal(open_descriptors(), before);
}

/* A reader that reads nothing does not stop who rings, nor does one that went. */
static void test_ring_never_blocks(void **state)
{
    const char *const folders[] = {folder, NULL};
    char path[VAULT_WAKE_PATH_MAX];
    struct vault_wake wake;
    int reader;

    (void)state;
    vault_wake_init(&wake);
    assert_int_equal(vault_wake_listen(&wake, folders, path), VAULT_OK);
    reader = connect_to(path);
    assert_int_equal(vault_wake_accept(&wake), VAULT_OK);
    for (int i = 0; i < 5000; i++)
        vault_wake_ring(&wake);
    close(reader);
    vault_wake_ring(&wake);
    vault_wake_ring(&wake);
    vault_wake_close(&wake);
}

static void test_choice_of_the_folder(void **state)
{
    static char too_long[200], file[128];
    const struct {
        const char *folders[4];
        enum vault_status status;
    } rows[] = {
        {{folder}, VAULT_OK},
        {{"/nonexistent", folder}, VAULT_OK},
        {{"", "tmp", "./tmp", folder}, VAULT_OK},
        {{too_long, folder}, VAULT_OK},
        {{file, "/dev/null", folder}, VAULT_OK},
        {{"/proc", folder}, VAULT_OK},
        {{NULL}, VAULT_BAD_CONFIG},
        {{"/nonexistent", "", too_long}, VAULT_BAD_CONFIG},
    };

    (void)state;
    memset(too_long, 'x', sizeof too_long - 1);
    too_long[0] = '/';
    snprintf(file, sizeof file, "%s/file", folder);
    fclose(fopen(file, "w"));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *folders[5] = {0};
        char path[VAULT_WAKE_PATH_MAX] = "";
        int before = open_descriptors();
        struct vault_wake wake;

        memcpy(folders, rows[i].folders, sizeof rows[i].folders);
        vault_wake_init(&wake);
        assert_int_equal(vault_wake_listen(&wake, folders, path), rows[i].status);
        assert_int_equal(wake.listener >= 0 && wake.door >= 0, rows[i].status == VAULT_OK);
        assert_int_equal(wake.stream, -1);
        vault_wake_close(&wake);
        assert_int_equal(open_descriptors(), before);
        assert_int_equal(entries_in(folder), 1);
    }
    unlink(file);
}

/* The longest folder whose socket's name still fits, and one more. */
static void test_longest_folder(void **state)
{
    const size_t fits =
        sizeof((struct sockaddr_un *)NULL)->sun_path - sizeof "/vaults-XXXXXX/s" - 1;
    char longest[128], path[VAULT_WAKE_PATH_MAX];
    const char *const folders[] = {longest, NULL};
    struct vault_wake wake;

    (void)state;
    for (size_t more = 0; more <= 1; more++) {
        int length = snprintf(longest, sizeof longest, "%s/", folder);

        memset(longest + length, 'x', sizeof longest - (size_t)length);
        longest[fits + more] = '\0';
        assert_int_equal(mkdir(longest, 0700), 0);
        vault_wake_init(&wake);
        assert_int_equal(vault_wake_listen(&wake, folders, path),
                         more ? VAULT_BAD_CONFIG : VAULT_OK);
        vault_wake_close(&wake);
        assert_int_equal(rmdir(longest), 0);
    }
}

static void test_listen_again(void **state)
{
    const char *const folders[] = {folder, NULL}, *const none[] = {NULL};
    int before = open_descriptors(), first, second;
    char path[VAULT_WAKE_PATH_MAX], byte;
    struct vault_wake wake;

    (void)state;
    vault_wake_init(&wake);
    assert_int_equal(vault_wake_listen(&wake, folders, path), VAULT_OK);
    first = connect_to(path);
    assert_int_equal(vault_wake_accept(&wake), VAULT_OK);
    assert_int_equal(vault_wake_listen(&wake, folders, path), VAULT_OK);
    assert_int_equal(recv(first, &byte, 1, 0), 0);
    second = connect_to(path);
    assert_int_equal(vault_wake_accept(&wake), VAULT_OK);
    vault_wake_ring(&wake);
    assert_int_equal(recv(second, &byte, 1, 0), 1);
    close(first);
    close(second);
    assert_int_equal(vault_wake_listen(&wake, none, path), VAULT_BAD_CONFIG);
    assert_int_equal(open_descriptors(), before);
}

static void test_accept_without_a_connection(void **state)
{
    const char *const folders[] = {folder, NULL};
    int before = open_descriptors();
    char path[VAULT_WAKE_PATH_MAX];
    struct vault_wake wake;

    (void)state;
    vault_wake_init(&wake);
    assert_int_equal(vault_wake_accept(&wake), VAULT_INTERNAL);
    assert_int_equal(vault_wake_listen(&wake, folders, path), VAULT_OK);
    assert_int_equal(vault_wake_accept(&wake), VAULT_INTERNAL);
    assert_int_equal(open_descriptors(), before);
}

static int connect_from_outside(void *at)
{
    int stream = connect_to(at);

    CHECK(stream >= 0);
    return 0;
}

/* A process of the same user may find the way in; it is not let in. */
static void test_other_processes(void **state)
{
    const char *const folders[] = {folder, NULL};
    char path[VAULT_WAKE_PATH_MAX], outside[64];
    struct vault_wake wake;

    (void)state;
    vault_wake_init(&wake);
    assert_int_equal(vault_wake_listen(&wake, folders, path), VAULT_OK);
    snprintf(outside, sizeof outside, "/proc/%d/fd/%d", (int)getpid(), wake.door);
    assert_int_equal(in_child(connect_from_outside, outside), 0);
    assert_int_equal(vault_wake_accept(&wake), VAULT_INTERNAL);
    assert_int_equal(wake.stream, -1);
    vault_wake_close(&wake);
}

/* The rest is about rights, which root does not need. */
static int become_nobody(void)
{
    if (getuid() != 0)
        return 0;
    CHECK(setgroups(0, NULL) == 0);
    CHECK(setgid(65534) == 0);
    CHECK(setuid(65534) == 0);
    return 0;
}

static int listen_under(mode_t mask, const char *const *folders)
{
    char path[VAULT_WAKE_PATH_MAX], byte;
    struct vault_wake wake;
    int reader;

    umask(mask);
    vault_wake_init(&wake);
    CHECK(vault_wake_listen(&wake, folders, path) == VAULT_OK);
    CHECK(entries_in(folder) == 1);
    reader = connect_to(path);
    CHECK(reader >= 0);
    CHECK(vault_wake_accept(&wake) == VAULT_OK);
    vault_wake_ring(&wake);
    CHECK(recv(reader, &byte, 1, 0) == 1);
    vault_wake_close(&wake);
    close(reader);
    return 0;
}

static int as_nobody(void *at)
{
    const char *const folders[] = {at, folder, NULL};

    CHECK(become_nobody() == 0);
    CHECK(access(at, W_OK) != 0);
    CHECK(listen_under(022, folders) == 0);
    CHECK(listen_under(077, folders) == 0);
    CHECK(listen_under(0177, folders) == 0);
    CHECK(listen_under(0777, folders) == 0);
    return 0;
}

static void test_rights(void **state)
{
    char read_only[128];

    (void)state;
    snprintf(read_only, sizeof read_only, "%s/read-only", folder);
    assert_int_equal(mkdir(read_only, 0555), 0);
    assert_int_equal(chmod(folder, 0777), 0);
    assert_int_equal(in_child(as_nobody, read_only), 0);
    assert_int_equal(rmdir(read_only), 0);
    assert_int_equal(entries_in(folder), 0);
}

static int open_folder(void **state)
{
    (void)state;
    make_folder(folder, sizeof folder);
    return 0;
}

static int close_folder(void **state)
{
    (void)state;
    remove_folder(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wakes),
        cmocka_unit_test(test_ring_never_blocks),
        cmocka_unit_test(test_choice_of_the_folder),
        cmocka_unit_test(test_longest_folder),
        cmocka_unit_test(test_listen_again),
        cmocka_unit_test(test_accept_without_a_connection),
        cmocka_unit_test(test_other_processes),
        cmocka_unit_test(test_rights),
    };

    return cmocka_run_group_tests(tests, open_folder, close_folder);
}
