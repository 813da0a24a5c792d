/* test_runtime - whether this process can run libcurl beside the OpenSSL that nginx brought.
 *
 * For:   each mix of DESIGN decision 19, in programs built for it (support/nginx_stand_in.c).
 * Never: a real nginx.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "child.h"
#include "runtime.h"

static char folder[64];

static void test_tls_of_curl(void **state)
{
    static const struct {
        const char *curl_ssl;
        enum vault_status status;
        const char *said;
    } rows[] = {
        {"OpenSSL/3.0.15", VAULT_OK, ""},
        {"OpenSSL/1.1.1w", VAULT_OK,
         ""}, /* what it was built with; what it binds to is asked for */
        {NULL, VAULT_UNSUPPORTED, "but with no TLS library"},
        {"", VAULT_UNSUPPORTED, "libcurl is not built with OpenSSL"},
        {"GnuTLS/3.7.9", VAULT_UNSUPPORTED, "but with GnuTLS/3.7.9"},
        {"BoringSSL", VAULT_UNSUPPORTED, "but with BoringSSL"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vault_message why = {0};

        assert_int_equal(vault_runtime_check(rows[i].curl_ssl, &why), rows[i].status);
        assert_non_null(strstr(why.text, rows[i].said));
        assert_int_equal(why.length > 0, rows[i].status != VAULT_OK);
        if (rows[i].status != VAULT_OK)
            assert_non_null(strstr(why.text, "`make STATIC_CURL=1`"));
    }
}

static void build(const char *name, const char *flags)
{
    assert_int_equal(run_command("cc -std=c11 -D_GNU_SOURCE -Icsrc -rdynamic -o %s/%s %s "
                                 "spec/support/nginx_stand_in.c csrc/runtime.c csrc/message.c -ldl",
                                 folder, name, flags),
                     0);
}

static void build_library(const char *name, const char *flags)
{
    assert_int_equal(run_command("cc -std=c11 -shared -fPIC -DLIBRARY -o %s/%s.so %s "
                                 "spec/support/nginx_stand_in.c",
                                 folder, name, flags),
                     0);
}

/* The line that a stand-in prints, with a library preloaded or none. */
static void run_stand_in(const char *name, const char *library, char *line, int room)
{
    char command[512];
    FILE *out;

    if (library)
        snprintf(command, sizeof command, "LD_PRELOAD=%s/%s.so %s/%s", folder, library, folder,
                 name);
    else
        snprintf(command, sizeof command, "LD_PRELOAD= %s/%s", folder, name);
    fflush(NULL);
    out = popen(command, "r");
    assert_non_null(out);
    line[0] = '\0';
    assert_non_null(fgets(line, room, out));
    assert_int_equal(pclose(out), 0);
}

static void check_stand_in(const char *name, const char *library, const char *word,
                           const char *ssl_file)
{
    char line[4096], wanted[256];

    run_stand_in(name, library, line, sizeof line);
    snprintf(wanted, sizeof wanted, "%s [%s%s%s] ", word, *ssl_file ? folder : "",
             *ssl_file ? "/" : "", ssl_file);
    if (strncmp(line, wanted, strlen(wanted)) != 0)
        fail_msg("%s with %s: \"%s\" instead of \"%s\"", name, library ? library : "nothing", line,
                 wanted);
    assert_int_equal(strlen(line) > strlen(wanted) + 1, strcmp(word, "unsupported") == 0);
    if (strcmp(word, "unsupported") == 0) {
        assert_non_null(strstr(line, "enable-threads"));
        assert_non_null(strstr(line, "`make STATIC_CURL=1`"));
    }
}

static void test_openssl_of_the_executable(void **state)
{
    (void)state;
    build("nothing", "");
    check_stand_in("nothing", NULL, "ok", "");
    build("own3", "-DOWN_VERSION=0x300000f0UL");
    check_stand_in("own3", NULL, "ok", "own3");
    build("own111", "-DOWN_VERSION=0x1010117fUL");
    check_stand_in("own111", NULL, "unsupported", "own111");
    build("own102", "-DOWN_SSL");
    check_stand_in("own102", NULL, "unsupported", "own102");
    build("own3_unthreaded", "-DOWN_VERSION=0x300000f0UL -DNO_THREADS");
    check_stand_in("own3_unthreaded", NULL, "unsupported", "own3_unthreaded");
    build("unthreaded", "-DNO_THREADS");
    check_stand_in("unthreaded", NULL, "unsupported", "");
}

/* One that comes as a library works, of whatever version, but for one without threads. */
static void test_openssl_of_a_library(void **state)
{
    (void)state;
    build_library("lib111", "-DOWN_VERSION=0x1010117fUL");
    build_library("unthreaded_lib", "-DNO_THREADS");
    check_stand_in("nothing", "lib111", "ok", "lib111.so");
    check_stand_in("nothing", "unthreaded_lib", "unsupported", "");
    /* The executable's own comes first. */
    check_stand_in("own3", "lib111", "ok", "own3");
    check_stand_in("own111", "lib111", "unsupported", "own111");
}

/* Of the OpenSSL that libcurl binds to; none there is no harm. */
static void test_plaintext_is_wiped(void **state)
{
    static const struct {
        const char *name, *options;
    } rows[] = {{"own3 wipe", "2 0x8\n"},    {"own111 wipe", "0 0x18\n"},
                {"own102 wipe", "0 0x18\n"}, {"nothing wipe", "0 0x18\n"},
                {"static3 wipe", "2 0x8\n"}, {"static wipe", "0 0x18\n"}};
    char line[4096];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        run_stand_in(rows[i].name, NULL, line, sizeof line);
        assert_string_equal(line, rows[i].options);
    }
}

/* The second way out: nothing of the executable's is bound to. */
static void test_static_curl(void **state)
{
    char line[4096];

    (void)state;
    build("static", "-DVAULT_STATIC_CURL -DOWN_VERSION=0x1010117fUL -DNO_THREADS");
    run_stand_in("static", NULL, line, sizeof line);
    assert_string_equal(line, "ok [this module] \n");
    build("static3", "-DVAULT_STATIC_CURL -DOWN_VERSION=0x300000f0UL");
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
        cmocka_unit_test(test_tls_of_curl),
        cmocka_unit_test(test_openssl_of_the_executable),
        cmocka_unit_test(test_openssl_of_a_library),
        cmocka_unit_test(test_static_curl),
        cmocka_unit_test(test_plaintext_is_wiped),
    };

    return cmocka_run_group_tests(tests, open_folder, close_folder);
}
