/* test_sigv4_canonical - which headers are signed, how, and which are refused.
 *
 * For:   what the vectors of spec/vectors/sigv4 do not say: refusals, limits, the headers that are
 *        never signed, the two that the request may bring itself.
 * Never: hashing (the body's hash here is 64 letters), paths and queries (test_sigv4_uri).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sigv4_canonical.h"
#include "sigv4_uri.h"

#define STAMP "20150830T123600Z"
#define HASH  "bodyhash--------bodyhash--------bodyhash--------bodyhash--------"
#define LIMIT (1 << 20)

static struct vault_buffer out;

static int open_buffer(void **state)
{
    (void)state;
    vault_buffer_init(&out, LIMIT);
    return 0;
}

static int close_buffer(void **state)
{
    (void)state;
    vault_buffer_free(&out);
    return 0;
}

static const struct vault_sigv4_header host = {"Host", 4, "h", 1};

static struct vault_sigv4_header header(const char *name, const char *value)
{
    return (struct vault_sigv4_header){name, strlen(name), value, strlen(value)};
}

static struct vault_sigv4_canonical canonical_of(const struct vault_sigv4_request *request)
{
    return (struct vault_sigv4_canonical){.request = request, .stamp = STAMP, .body_hash = HASH};
}

static struct vault_sigv4_request request_of(const struct vault_sigv4_header *headers, size_t count)
{
    return (struct vault_sigv4_request){
        .method = "GET", .method_length = 3, .headers = headers, .header_count = count};
}

/* The canonical text of a GET with Host and one header more. */
static enum vault_status with_header(struct vault_sigv4_header more, char *text, size_t size)
{
    const struct vault_sigv4_header headers[] = {host, more};
    struct vault_sigv4_request request = request_of(headers, 2);
    struct vault_sigv4_canonical canonical = canonical_of(&request);
    enum vault_status status = vault_sigv4_canonicalise(&canonical, &out);

    if (status == VAULT_OK && text)
        snprintf(text, size, "%.*s", (int)canonical.length, canonical.text);
    return status;
}

static void test_layout(void **state)
{
    const struct vault_sigv4_header headers[] = {host, {"B", 1, " 2  3 ", 6}};
    struct vault_sigv4_request request = request_of(headers, 2);
    struct vault_sigv4_canonical canonical = canonical_of(&request);
    static const char expected[] =
        "GET\n/a\nq=1\nb:2 3\nhost:h\nx-amz-date:" STAMP "\n\nb;host;x-amz-date\n" HASH;

    (void)state;
    request.path = "/a";
    request.path_length = 2;
    request.query = "q=1";
    request.query_length = 3;
    assert_int_equal(vault_sigv4_canonicalise(&canonical, &out), VAULT_OK);
    assert_int_equal(canonical.length, strlen(expected));
    assert_memory_equal(canonical.text, expected, canonical.length);
    assert_int_equal(canonical.signed_length, 17);
    assert_memory_equal(canonical.signed_names, "b;host;x-amz-date", 17);
    assert_false(canonical.has_date);
    assert_false(canonical.has_token);
}

static void test_never_signed(void **state)
{
    static const char *const names[] = {
        "Connection",        "expect",           "UPGRADE",
        "User-Agent",        "X-Amzn-Trace-Id",  "Transfer-Encoding",
        "Sec-WebSocket-Key", "sec-websocket-",   "Sec-WebSocket-Version",
        "Sec-WebSocket-K",   "sec-websocket-xyz"};
    static const char *const others[] = {"Connectio",        "expects",       "user_agent",
                                         "x-amzn-trace-ids", "sec-websocket", "te",
                                         "keep-alive",       "xconnection"};
    char text[1024], plain[1024];

    (void)state;
    assert_int_equal(with_header(header("Expect", "1"), plain, sizeof plain), VAULT_OK);
    assert_non_null(strstr(plain, "\nhost;x-amz-date\n"));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(with_header(header(names[i], "1"), text, sizeof text), VAULT_OK);
        assert_string_equal(text, plain);
        /* but a break in one would still break the request */
        assert_int_equal(with_header(header(names[i], "1\n"), NULL, 0), VAULT_BAD_CONFIG);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_int_equal(with_header(header(others[i], "1"), text, sizeof text), VAULT_OK);
        assert_string_not_equal(text, plain);
    }
}

static void test_values(void **state)
{
    static const struct {
        const char *value;
        const char *line;
    } all[] = {
        {"", "\na:\n"},
        {" ", "\na:\n"},
        {"\t \t", "\na:\n"},
        {"x", "\na:x\n"},
        {"  x  y\t\tz \t", "\na:x y z\n"},
        {"\tx\ty", "\na:x y\n"},
        {"\"x   y\"", "\na:\"x y\"\n"},
        {"\x01\x7f\xff", "\na:\x01\x7f\xff\n"},
        {"0123456789012345678901234567890123456789 x", /* longer than the words read at once */
         "\na:0123456789012345678901234567890123456789 x\n"},
        {"01234567890123456789012345678  x", "\na:01234567890123456789012345678 x\n"},
        {"UPPER", "\na:UPPER\n"},
    };
    char text[1024];

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        assert_int_equal(with_header(header("A", all[i].value), text, sizeof text), VAULT_OK);
        assert_non_null(strstr(text, all[i].line));
    }
}

/* CR, LF and NUL in every place of values of every length up to some words. */
static void test_line_breaks(void **state)
{
    static const char breaks[] = {'\r', '\n', '\0'};

    (void)state;
    for (size_t length = 1; length < 80; length++) {
        for (size_t at = 0; at < length; at++) {
            char *value = malloc(length);

            memset(value, 'x', length);
            value[at] = breaks[(length + at) % 3];
            assert_int_equal(
                with_header((struct vault_sigv4_header){"A", 1, value, length}, NULL, 0),
                VAULT_BAD_CONFIG);
            value[at] = at && at + 1 < length ? ' ' : 'y';
            assert_int_equal(
                with_header((struct vault_sigv4_header){"A", 1, value, length}, NULL, 0), VAULT_OK);
            free(value);
        }
    }
    assert_int_equal(with_header(header("A", "value1\n  value2"), NULL, 0), VAULT_BAD_CONFIG);
}

static void test_names(void **state)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        const char name[] = {'a', (char)byte};
        bool good = byte && strchr(token, byte);

        assert_int_equal(with_header((struct vault_sigv4_header){name, 2, "x", 1}, NULL, 0),
                         good ? VAULT_OK : VAULT_BAD_CONFIG);
    }
    assert_int_equal(with_header(header("", "x"), NULL, 0), VAULT_BAD_CONFIG);
    assert_int_equal(with_header(header("Authorization", "x"), NULL, 0), VAULT_BAD_CONFIG);
}

static enum vault_status method_path(const char *method, size_t method_length, const char *path)
{
    struct vault_sigv4_request request = request_of(&host, 1);
    struct vault_sigv4_canonical canonical = canonical_of(&request);

    request.method = method;
    request.method_length = method_length;
    request.path = path;
    request.path_length = strlen(path);
    return vault_sigv4_canonicalise(&canonical, &out);
}

static void test_method_path_host(void **state)
{
    struct vault_sigv4_request request = request_of(NULL, 0);
    struct vault_sigv4_canonical canonical = canonical_of(&request);

    (void)state;
    assert_int_equal(method_path("PUT", 3, "/"), VAULT_OK);
    assert_int_equal(method_path("", 0, "/"), VAULT_BAD_CONFIG);
    assert_int_equal(method_path("G\nT", 3, "/"), VAULT_BAD_CONFIG);
    assert_int_equal(method_path("G T", 3, "/"), VAULT_BAD_CONFIG);
    assert_int_equal(method_path("G\0T", 3, "/"), VAULT_BAD_CONFIG);
    assert_int_equal(method_path("GET", 3, ""), VAULT_OK);
    assert_int_equal(method_path("GET", 3, "a"), VAULT_BAD_CONFIG);
    assert_int_equal(method_path("GET", 3, "../a"), VAULT_BAD_CONFIG);
    assert_int_equal(vault_sigv4_canonicalise(&canonical, &out), VAULT_BAD_CONFIG);
}

static void test_own_headers(void **state)
{
    const struct vault_sigv4_header headers[] = {host, header("X-Amz-Date", " " STAMP),
                                                 header("X-Amz-Security-Token", "token"),
                                                 header("x-amz-date", "20150830T123601Z")};
    struct vault_sigv4_request request = request_of(headers, 3);
    struct vault_sigv4_canonical canonical = canonical_of(&request);

    (void)state;
    /* without a token of the credential's, the request's own is a header like others */
    assert_int_equal(vault_sigv4_canonicalise(&canonical, &out), VAULT_OK);
    assert_true(canonical.has_date);
    assert_false(canonical.has_token);
    canonical.token = "token";
    canonical.token_length = 5;
    assert_int_equal(vault_sigv4_canonicalise(&canonical, &out), VAULT_OK);
    assert_true(canonical.has_token);
    canonical.token_length = 4;
    assert_int_equal(vault_sigv4_canonicalise(&canonical, &out), VAULT_BAD_CONFIG);
    canonical.token_length = 5;
    request.header_count = 4; /* a second date, and another */
    assert_int_equal(vault_sigv4_canonicalise(&canonical, &out), VAULT_BAD_CONFIG);
}

static void test_number_of_headers(void **state)
{
    struct vault_sigv4_header headers[VAULT_SIGV4_HEADERS_MAX + 1];
    struct vault_sigv4_request request = request_of(headers, VAULT_SIGV4_HEADERS_MAX);
    struct vault_sigv4_canonical canonical = canonical_of(&request);

    (void)state;
    for (size_t i = 0; i <= VAULT_SIGV4_HEADERS_MAX; i++)
        headers[i] = i ? header("a", "b") : host;
    canonical.token = "token";
    canonical.token_length = 5;
    assert_int_equal(vault_sigv4_canonicalise(&canonical, &out), VAULT_OK);
    request.header_count++;
    assert_int_equal(vault_sigv4_canonicalise(&canonical, &out), VAULT_TOO_LARGE);
}

/* The most that path, query and headers may be, all bytes in their longest form. */
static void test_lengths(void **state)
{
    const size_t most = 64 * 1024;
    char *text = malloc(most + 2);
    struct vault_sigv4_header headers[] = {host, {"a", 1, text, 60000}};
    struct vault_sigv4_request request = request_of(headers, 2);
    struct vault_sigv4_canonical canonical = canonical_of(&request);

    (void)state;
    memset(text, '%', most + 2);
    text[0] = '/';
    request.path = request.query = text;
    request.path_length = request.query_length = most;
    assert_int_equal(vault_sigv4_canonicalise(&canonical, &out), VAULT_OK);
    request.path_length++;
    assert_int_equal(vault_sigv4_canonicalise(&canonical, &out), VAULT_TOO_LARGE);
    request.path_length--;
    request.query_length++;
    assert_int_equal(vault_sigv4_canonicalise(&canonical, &out), VAULT_TOO_LARGE);
    request.query_length--;
    headers[1].value_length = most;
    assert_int_equal(vault_sigv4_canonicalise(&canonical, &out), VAULT_TOO_LARGE);
    headers[1].value_length = SIZE_MAX;
    assert_int_equal(vault_sigv4_canonicalise(&canonical, &out), VAULT_TOO_LARGE);
    free(text);
}

static void test_without_allocation(void **state)
{
    struct vault_sigv4_request request = request_of(&host, 1);
    struct vault_sigv4_canonical canonical = canonical_of(&request);

    (void)state;
    vault_alloc_fail(1);
    assert_int_equal(vault_sigv4_canonicalise(&canonical, &out), VAULT_NO_MEMORY);
    vault_alloc_fail(2);
    assert_int_equal(vault_sigv4_canonicalise(&canonical, &out), VAULT_OK);
    vault_alloc_fail(0);
}

#define WITH_BUFFER(test) cmocka_unit_test_setup_teardown(test, open_buffer, close_buffer)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BUFFER(test_layout),      WITH_BUFFER(test_never_signed),
        WITH_BUFFER(test_values),      WITH_BUFFER(test_line_breaks),
        WITH_BUFFER(test_names),       WITH_BUFFER(test_method_path_host),
        WITH_BUFFER(test_own_headers), WITH_BUFFER(test_number_of_headers),
        WITH_BUFFER(test_lengths),     WITH_BUFFER(test_without_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
