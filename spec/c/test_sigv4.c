/* test_sigv4 - the vector folders of spec/vectors/sigv4, and what no folder can say.
 *
 * For:   each stage of each folder byte for byte, from one signer, twice, so that the second round
 *        uses the keys of the first; refusals, limits, a signer whose keys must not mix.
 * Never: an expectation made by this library; spec/support/sigv4_vectors.py has them from others.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <string.h>

#include "sigv4.h"
#include "sigv4_vectors.h"

#define MOMENT 1440938160 /* 2015-08-30T12:36:00Z */
#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

#define HEADER(name, value)                                                                        \
    {                                                                                              \
        name, sizeof(name) - 1, value, sizeof(value) - 1                                           \
    }

static int new_signer(void **state)
{
    struct vault_signer *signer = NULL;

    if (vault_signer_new(&signer) != VAULT_OK)
        return -1;
    *state = signer;
    return 0;
}

static int free_signer(void **state)
{
    vault_signer_free(*state);
    return 0;
}

/* ---- folders ---- */

/* The stamp is taken from the expected string to sign, not computed here. */
static void same_lines(struct vector *vector, const char *name, const struct vault_buffer *made)
{
    const char *token = vector->key.session_token;
    static char lines[2 * sizeof vector->expected];
    char stamp[17];

    slurp(name, "to-sign", vector->expected, sizeof vector->expected);
    memcpy(stamp, vector->expected + sizeof "AWS4-HMAC-SHA256", 16);
    stamp[16] = '\0';
    slurp(name, "authorization", vector->expected, sizeof vector->expected);
    snprintf(lines, sizeof lines, "X-Amz-Date: %s\r\n%s%s%sAuthorization: %s\r\n", stamp,
             token ? "X-Amz-Security-Token: " : "", token ? token : "", token ? "\r\n" : "",
             vector->expected);
    assert_string_equal(made->data, lines);
    assert_int_equal(made->length, strlen(lines));
}

static void check_folder(struct vault_signer *signer, const char *name)
{
    struct vector *vector = calloc(1, sizeof *vector);
    struct made made;

    assert_non_null(vector);
    made_init(&made);
    read_request(vector, name);
    read_key(vector, name);
    if (vault_sigv4_sign(signer, &vector->request, &vector->key, vector->when, &made.headers,
                         &made.stages) != VAULT_OK)
        fail_msg("%s is refused", name);
    same_stage(vector, name, "canonical", &made.stages.canonical_request);
    same_stage(vector, name, "to-sign", &made.stages.string_to_sign);
    same_stage(vector, name, "signature", &made.stages.signature);
    same_stage(vector, name, "authorization", &made.stages.authorization);
    same_lines(vector, name, &made.headers);
    made_free(&made);
    free(vector);
}

static void test_folders(void **state)
{
    int published = 0, generated = 0, folders = 0;
    DIR *folder = opendir(FOLDER);
    struct dirent *entry;

    assert_non_null(folder);
    while ((entry = readdir(folder))) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "README.md") == 0)
            continue;
        folders++;
        check_folder(*state, entry->d_name);
        check_folder(*state, entry->d_name);
        if (strncmp(entry->d_name, "botocore-", 9) == 0)
            generated++;
        else
            published++;
    }
    closedir(folder);
    print_message("sigv4: %d folders: %d of AWS's suite, %d by botocore\n", folders, published,
                  generated);
    assert_true(folders > 0);
    assert_int_equal(published, promised("Published cases applied: "));
    assert_int_equal(generated, promised("Cases by botocore: "));
}

/* ---- refusals ---- */

static const struct vault_sigv4_header host_only[] = {HEADER("Host", "example.amazonaws.com")};

static const struct vault_sigv4_request good_request = {
    .method = "GET",
    .method_length = 3,
    .path = "/",
    .path_length = 1,
    .query = "",
    .headers = host_only,
    .header_count = 1,
};

static const struct vault_sigv4_key good_key = {
    .access_key_id = "AKIDEXAMPLE",
    .secret_access_key = SECRET,
    .region = "us-east-1",
    .service = "service",
};

/* Which allocation of the next signature fails; 0: none. */
static unsigned long failing;

/* Signs after "before" in every buffer, which must be all there is after a refusal. */
static enum vault_status try(struct vault_signer *signer, const struct vault_sigv4_request *request,
                             const struct vault_sigv4_key *key, int64_t when)
{
    struct made made;
    struct vault_buffer *all[BUFFERS] = BUFFERS_OF(&made);
    enum vault_status status;

    made_init(&made);
    for (size_t i = 0; i < BUFFERS; i++)
        assert_int_equal(vault_buffer_text(all[i], "before"), VAULT_OK);
    vault_alloc_fail(failing);
    status = vault_sigv4_sign(signer, request, key, when, &made.headers, &made.stages);
    vault_alloc_fail(0);
    for (size_t i = 0; i < BUFFERS; i++) {
        if (status == VAULT_OK)
            assert_memory_equal(all[i]->data, "before", 6);
        else
            assert_string_equal(all[i]->data, "before");
        assert_true((status == VAULT_OK) == (all[i]->length > 6));
    }
    made_free(&made);
    return status;
}

static void test_bad_keys(void **state)
{
    static const char *const bad[] = {NULL, "", "a\rb", "a\nb", "\n", "a/b", "/"};
    struct vault_sigv4_key key = good_key;
    const char **const parts[] = {&key.region, &key.service, &key.access_key_id,
                                  &key.secret_access_key, &key.session_token};

    for (size_t part = 0; part < 5; part++) {
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            /* only a scope may not hold '/', and only a token may be missing */
            bool good = (part >= 2 && i >= 5) || (part == 4 && i < 2);

            key = good_key;
            *parts[part] = bad[i];
            assert_int_equal(try(*state, &good_request, &key, MOMENT),
                             good ? VAULT_OK : VAULT_BAD_CONFIG);
        }
    }
}

static void test_times(void **state)
{
    static const int64_t good[] = {0, 253402300799};
    static const int64_t bad[] = {INT64_MIN, -1, 253402300800, INT64_MAX};

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(try(*state, &good_request, &good_key, good[i]), VAULT_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(try(*state, &good_request, &good_key, bad[i]), VAULT_BAD_CONFIG);
}

static void test_key_limits(void **state)
{
    char *long_text = calloc(1, 100001);
    struct vault_sigv4_key key = good_key;

    memset(long_text, 'x', 100000);
    key.region = long_text;
    assert_int_equal(try(*state, &good_request, &key, MOMENT), VAULT_TOO_LARGE);
    key = good_key;
    key.secret_access_key = long_text;
    assert_int_equal(try(*state, &good_request, &key, MOMENT), VAULT_TOO_LARGE);
    key = good_key;
    key.session_token = long_text;
    assert_int_equal(try(*state, &good_request, &key, MOMENT), VAULT_TOO_LARGE);
    free(long_text);
}

static void test_limit_of_results(void **state)
{
    struct made made;

    for (size_t limit = 0; limit < 300; limit += 7) {
        enum vault_status status;

        made_init(&made);
        made.headers.limit = limit;
        status = vault_sigv4_sign(*state, &good_request, &good_key, MOMENT, &made.headers, NULL);
        if (status != VAULT_OK) {
            assert_int_equal(status, VAULT_TOO_LARGE);
            assert_int_equal(made.headers.length, 0);
        } else {
            assert_true(made.headers.length <= limit);
        }
        made.headers.limit = ROOM;
        made.stages.authorization.limit = 10;
        assert_int_equal(
            vault_sigv4_sign(*state, &good_request, &good_key, MOMENT, &made.headers, &made.stages),
            VAULT_TOO_LARGE);
        assert_int_equal(made.stages.canonical_request.length, 0);
        made_free(&made);
    }
}

/* ---- own headers that the request brings ---- */

static void made_sign(struct made *made, struct vault_signer *signer,
                      const struct vault_sigv4_request *request, const struct vault_sigv4_key *key)
{
    made_init(made);
    assert_int_equal(vault_sigv4_sign(signer, request, key, MOMENT, &made->headers, &made->stages),
                     VAULT_OK);
}

/* Signed as if added by the signer, and not sent twice. */
static void test_own_headers_in_request(void **state)
{
    const struct vault_sigv4_header headers[] = {host_only[0],
                                                 HEADER("X-AMZ-DATE", " 20150830T123600Z "),
                                                 HEADER("x-amz-security-token", "token")};
    struct vault_sigv4_request request = good_request;
    struct vault_sigv4_key key = good_key;
    struct made with, without;

    request.headers = headers;
    request.header_count = 3;
    key.session_token = "token";
    made_sign(&with, *state, &request, &key);
    made_sign(&without, *state, &good_request, &key);
    assert_string_equal(with.stages.signature.data, without.stages.signature.data);
    assert_memory_equal(with.headers.data, "Authorization: ", 15);
    assert_string_equal(strstr(without.headers.data, "Authorization: "), with.headers.data);
    assert_int_equal(try(*state, &request, &key, MOMENT + 1), VAULT_BAD_CONFIG);
    key.session_token = "another";
    assert_int_equal(try(*state, &request, &key, MOMENT), VAULT_BAD_CONFIG);
    made_free(&with);
    made_free(&without);
}

/* ---- keys ---- */

static void test_two_secrets_of_one_id(void **state)
{
    struct vault_sigv4_key other = good_key;
    struct made first, second, again;

    other.secret_access_key = "another";
    made_sign(&first, *state, &good_request, &good_key);
    made_sign(&second, *state, &good_request, &other);
    made_sign(&again, *state, &good_request, &good_key);
    assert_string_not_equal(first.stages.signature.data, second.stages.signature.data);
    assert_string_equal(first.headers.data, again.headers.data);
    made_free(&first);
    made_free(&second);
    made_free(&again);
}

/* The text of the request before is used again where only moment and body differ: whatever came
 * before, the headers are what a new signer makes. */
static void test_one_after_another(void **state)
{
    static const struct vault_sigv4_header with_date[] = {HEADER("Host", "example.amazonaws.com"),
                                                          HEADER("X-Amz-Date", "20150830T123600Z")};
    struct vault_sigv4_request requests[] = {good_request, good_request, good_request, good_request,
                                             good_request};
    struct vault_sigv4_key keys[] = {good_key, good_key, good_key};

    requests[1].body = "body";
    requests[1].body_length = 4;
    requests[2].path = "/a";
    requests[2].path_length = 2;
    requests[3].headers = with_date;
    requests[3].header_count = 2;
    requests[4].header_count = 0; /* refused: no Host */
    keys[1].session_token = "token";
    keys[2].session_token = "tokem";
    for (unsigned i = 0; i < 450; i++) {
        /* each three times: as it is, again, and a day later */
        const unsigned n = i / 3 * 7 % 15;
        const struct vault_sigv4_request *request = &requests[n % 5];
        const struct vault_sigv4_key *key = &keys[n / 5];
        const int64_t when = MOMENT + (i % 3 == 2 && n % 5 != 3 ? 86400 : 0);
        struct vault_signer *fresh = NULL;
        struct made ours, theirs;

        made_init(&ours);
        made_init(&theirs);
        assert_int_equal(vault_signer_new(&fresh), VAULT_OK);
        assert_int_equal(
            vault_sigv4_sign(*state, request, key, when, &ours.headers, &ours.stages),
            vault_sigv4_sign(fresh, request, key, when, &theirs.headers, &theirs.stages));
        assert_int_equal(ours.headers.length, theirs.headers.length);
        if (theirs.headers.length) {
            assert_string_equal(ours.headers.data, theirs.headers.data);
            assert_string_equal(ours.stages.canonical_request.data,
                                theirs.stages.canonical_request.data);
        }
        vault_signer_free(fresh);
        made_free(&ours);
        made_free(&theirs);
    }
}

/* ---- memory ---- */

static void test_new_without_allocation(void **state)
{
    struct vault_signer *signer = NULL;
    unsigned long nth = 0;
    enum vault_status status;

    (void)state;
    do {
        vault_alloc_fail(++nth);
        status = vault_signer_new(&signer);
        vault_alloc_fail(0);
        if (status != VAULT_OK) {
            assert_int_equal(status, VAULT_NO_MEMORY);
            assert_null(signer);
        }
    } while (status != VAULT_OK);
    assert_true(nth > 3);
    vault_signer_free(signer);
    vault_signer_free(NULL);
}

static void test_sign_without_allocation(void **state)
{
    struct vault_sigv4_key key = good_key;
    unsigned long nth = 0;
    enum vault_status status;

    (void)state;
    key.session_token = "token";
    do {
        struct vault_signer *signer = NULL;

        assert_int_equal(vault_signer_new(&signer), VAULT_OK);
        failing = ++nth;
        status = try(signer, &good_request, &key, MOMENT);
        failing = 0;
        if (status != VAULT_OK)
            assert_int_equal(status, VAULT_NO_MEMORY);
        /* what failed once works the next time */
        assert_int_equal(try(signer, &good_request, &key, MOMENT), VAULT_OK);
        vault_signer_free(signer);
    } while (status != VAULT_OK);
    assert_true(nth > 6);
}

#define WITH_SIGNER(test) cmocka_unit_test_setup_teardown(test, new_signer, free_signer)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SIGNER(test_folders),
        WITH_SIGNER(test_bad_keys),
        WITH_SIGNER(test_times),
        WITH_SIGNER(test_key_limits),
        WITH_SIGNER(test_limit_of_results),
        WITH_SIGNER(test_own_headers_in_request),
        WITH_SIGNER(test_two_secrets_of_one_id),
        WITH_SIGNER(test_one_after_another),
        cmocka_unit_test(test_new_without_allocation),
        cmocka_unit_test(test_sign_without_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
