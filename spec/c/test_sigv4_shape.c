/* test_sigv4_shape - a shape is its own request's and no other's.
 *
 * For:   every pair of a list of near-equal requests; texts that read the same when joined.
 * Never: what a shape is used for (test_sigv4).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "sigv4_shape.h"

#define ROOM 4096

struct sample {
    const char *method;
    const char *path;
    const char *query;
    const char *token;      /* NULL: none */
    const char *headers[5]; /* name, value, name, value, NULL */
};

static const struct sample samples[] = {
    {"GET", "/", "", NULL, {"Host", "h"}},
    {"PUT", "/", "", NULL, {"Host", "h"}},
    {"GET/", "", "", NULL, {"Host", "h"}},
    {"GET", "", "/", NULL, {"Host", "h"}},
    {"GET", "/a", "", NULL, {"Host", "h"}},
    {"GET", "/", "a", NULL, {"Host", "h"}},
    {"GET", "/", "", "t", {"Host", "h"}},
    {"GET", "/", "", "T", {"Host", "h"}},
    {"GET", "/", "", "tt", {"Host", "h"}},
    {"GET", "/", "", NULL, {"host", "h"}},
    {"GET", "/", "", NULL, {"Host", "H"}},
    {"GET", "/", "", NULL, {"Hosth", ""}},
    {"GET", "/", "", NULL, {"", "Hosth"}},
    {"GET", "/", "", NULL, {NULL}},
    {"GET", "/", "", NULL, {"Host", "h", "", ""}},
    {"GET", "/", "", NULL, {"Host", "h", "a", "b"}},
    {"GET", "/", "", NULL, {"a", "b", "Host", "h"}},
};

#define SAMPLES (sizeof samples / sizeof *samples)

struct asked {
    struct vault_sigv4_header headers[2];
    struct vault_sigv4_request request;
    const char *token;
    size_t token_length;
};

static void ask(struct asked *asked, const struct sample *sample)
{
    *asked = (struct asked){.token = sample->token};
    asked->token_length = sample->token ? strlen(sample->token) : 0;
    asked->request = (struct vault_sigv4_request){.method = sample->method,
                                                  .method_length = strlen(sample->method),
                                                  .path = sample->path,
                                                  .path_length = strlen(sample->path),
                                                  .query = sample->query,
                                                  .query_length = strlen(sample->query),
                                                  .headers = asked->headers};
    for (size_t i = 0; sample->headers[i]; i += 2)
        asked->headers[asked->request.header_count++] =
            (struct vault_sigv4_header){sample->headers[i], strlen(sample->headers[i]),
                                        sample->headers[i + 1], strlen(sample->headers[i + 1])};
}

static enum vault_status set(struct vault_buffer *shape, const struct asked *asked)
{
    return vault_sigv4_shape_set(shape, &asked->request, asked->token, asked->token_length);
}

static bool is(const struct vault_buffer *shape, const struct asked *asked)
{
    return vault_sigv4_shape_is(shape, &asked->request, asked->token, asked->token_length);
}

static void test_every_pair(void **state)
{
    struct asked one, other;
    struct vault_buffer shape;

    (void)state;
    vault_buffer_init(&shape, ROOM);
    ask(&one, &samples[0]);
    assert_false(is(&shape, &one));
    for (size_t i = 0; i < SAMPLES; i++) {
        ask(&one, &samples[i]);
        assert_int_equal(set(&shape, &one), VAULT_OK);
        one.request.body = "another body";
        one.request.body_length = 12;
        for (size_t j = 0; j < SAMPLES; j++) {
            ask(&other, &samples[j]);
            assert_int_equal(is(&shape, &other), i == j);
        }
        assert_true(is(&shape, &one));
    }
    vault_buffer_clear(&shape);
    assert_false(is(&shape, &one));
    vault_buffer_free(&shape);
}

/* What could not be kept whole is not kept. */
static void test_limit(void **state)
{
    struct vault_buffer whole;
    struct asked asked;

    (void)state;
    ask(&asked, &samples[15]);
    vault_buffer_init(&whole, ROOM);
    assert_int_equal(set(&whole, &asked), VAULT_OK);
    for (size_t limit = 0; limit <= whole.length; limit++) {
        struct vault_buffer shape;

        vault_buffer_init(&shape, limit);
        assert_int_equal(set(&shape, &asked), limit < whole.length ? VAULT_TOO_LARGE : VAULT_OK);
        assert_int_equal(is(&shape, &asked), limit == whole.length);
        vault_buffer_free(&shape);
    }
    vault_buffer_free(&whole);
}

static void test_set_without_allocation(void **state)
{
    enum vault_status status;
    unsigned long nth = 0;
    struct asked asked;
    char token[1001];

    (void)state;
    memset(token, 't', 1000);
    token[1000] = '\0';
    ask(&asked, &samples[0]);
    asked.token = token;
    asked.token_length = 1000;
    do {
        struct vault_buffer shape;

        vault_buffer_init(&shape, ROOM);
        vault_alloc_fail(++nth);
        status = set(&shape, &asked);
        vault_alloc_fail(0);
        if (status != VAULT_OK)
            assert_int_equal(status, VAULT_NO_MEMORY);
        assert_int_equal(is(&shape, &asked), status == VAULT_OK);
        vault_buffer_free(&shape);
    } while (status != VAULT_OK);
    assert_true(nth > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_pair),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_set_without_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
