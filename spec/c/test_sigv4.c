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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sigv4.h"
#include "sigv4_vectors.h"

#define ROOM   (1 << 18)
#define MOMENT 1440938160 /* 2015-08-30T12:36:00Z */
#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

#define HEADER(name, value)                                                                        \
    {                                                                                              \
        name, sizeof(name) - 1, value, sizeof(value) - 1                                           \
    }

struct made {
    struct vault_buffer headers;
    struct vault_sigv4_stages stages;
};

static void made_init(struct made *made)
{
    vault_buffer_init(&made->headers, ROOM);
    vault_buffer_init(&made->stages.canonical_request, ROOM);
    vault_buffer_init(&made->stages.string_to_sign, ROOM);
    vault_buffer_init(&made->stages.signature, ROOM);
    vault_buffer_init(&made->stages.authorization, ROOM);
}

static void made_free(struct made *made)
{
    vault_buffer_free(&made->headers);
    vault_buffer_free(&made->stages.canonical_request);
    vault_buffer_free(&made->stages.string_to_sign);
    vault_buffer_free(&made->stages.signature);
    vault_buffer_free(&made->stages.authorization);
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

static void same_stage(struct vector *vector, const char *name, const char *stage,
                       const struct vault_buffer *made)
{
    size_t length = slurp(name, stage, vector->expected, sizeof vector->expected);

    if (made->length != length || memcmp(made->data, vector->expected, length) != 0)
        fail_msg("%s: %s is\n%s\nand should be\n%s", name, stage, made->data, vector->expected);
}

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

/* The number in README.md after `what`: what should be there. */
static int promised(const char *what)
{
    static char text[65536];
    const char *at;

    slurp(".", "README.md", text, sizeof text);
    at = strstr(text, what);
    assert_non_null(at);
    return atoi(at + strlen(what));
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
    assert_int_equal(folders, published + generated);
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
    struct vault_buffer *all[] = {&made.headers, &made.stages.canonical_request,
                                  &made.stages.string_to_sign, &made.stages.signature,
                                  &made.stages.authorization};
    enum vault_status status;

    made_init(&made);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(vault_buffer_text(all[i], "before"), VAULT_OK);
    vault_alloc_fail(failing);
    status = vault_sigv4_sign(signer, request, key, when, &made.headers, &made.stages);
    vault_alloc_fail(0);
    for (size_t i = 0; i < 5; i++) {
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
    static const char *const bad[] = {NULL, "", "a\rb", "a\nb", "\n"};
    static const char *const scope[] = {"/", "a/b"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct vault_sigv4_key key = good_key;

        key.access_key_id = bad[i];
        assert_int_equal(try(*state, &good_request, &key, MOMENT), VAULT_BAD_CONFIG);
        key = good_key;
        key.secret_access_key = bad[i];
        assert_int_equal(try(*state, &good_request, &key, MOMENT), VAULT_BAD_CONFIG);
        key = good_key;
        key.region = bad[i];
        assert_int_equal(try(*state, &good_request, &key, MOMENT), VAULT_BAD_CONFIG);
        key = good_key;
        key.service = bad[i];
        assert_int_equal(try(*state, &good_request, &key, MOMENT), VAULT_BAD_CONFIG);
        key = good_key;
        key.session_token = bad[i];
        assert_int_equal(try(*state, &good_request, &key, MOMENT),
                         i < 2 ? VAULT_OK : VAULT_BAD_CONFIG);
    }
    for (size_t i = 0; i < 2; i++) {
        struct vault_sigv4_key key = good_key;

        key.region = scope[i];
        assert_int_equal(try(*state, &good_request, &key, MOMENT), VAULT_BAD_CONFIG);
        key.region = "r";
        key.service = scope[i];
        assert_int_equal(try(*state, &good_request, &key, MOMENT), VAULT_BAD_CONFIG);
    }
}

static void test_times(void **state)
{
    static const struct {
        int64_t when;
        enum vault_status status;
    } all[] = {{INT64_MIN, VAULT_BAD_CONFIG},
               {-1, VAULT_BAD_CONFIG},
               {0, VAULT_OK},
               {253402300799, VAULT_OK},
               {253402300800, VAULT_BAD_CONFIG},
               {INT64_MAX, VAULT_BAD_CONFIG}};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        assert_int_equal(try(*state, &good_request, &good_key, all[i].when), all[i].status);
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

static void test_date_in_request(void **state)
{
    struct vault_sigv4_header headers[] = {host_only[0], HEADER("X-AMZ-DATE", " 20150830T123600Z "),
                                           HEADER("b", "c")};
    struct vault_sigv4_request request = good_request;
    struct made with, without;

    request.headers = headers;
    request.header_count = 2;
    made_init(&with);
    made_init(&without);
    assert_int_equal(
        vault_sigv4_sign(*state, &request, &good_key, MOMENT, &with.headers, &with.stages),
        VAULT_OK);
    assert_int_equal(vault_sigv4_sign(*state, &good_request, &good_key, MOMENT, &without.headers,
                                      &without.stages),
                     VAULT_OK);
    assert_string_equal(with.stages.signature.data, without.stages.signature.data);
    assert_null(strstr(with.headers.data, "X-Amz-Date"));
    assert_memory_equal(with.headers.data, "Authorization: ", 15);
    assert_int_equal(try(*state, &request, &good_key, MOMENT + 1), VAULT_BAD_CONFIG);
    made_free(&with);
    made_free(&without);
}

static void test_token_in_request(void **state)
{
    struct vault_sigv4_header headers[] = {host_only[0], HEADER("x-amz-security-token", "token")};
    struct vault_sigv4_request request = good_request;
    struct vault_sigv4_key key = good_key;
    struct made with, without;

    request.headers = headers;
    request.header_count = 2;
    key.session_token = "token";
    made_init(&with);
    made_init(&without);
    assert_int_equal(vault_sigv4_sign(*state, &request, &key, MOMENT, &with.headers, &with.stages),
                     VAULT_OK);
    assert_int_equal(
        vault_sigv4_sign(*state, &good_request, &key, MOMENT, &without.headers, &without.stages),
        VAULT_OK);
    assert_string_equal(with.stages.signature.data, without.stages.signature.data);
    assert_null(strstr(with.headers.data, "Security-Token"));
    assert_non_null(strstr(without.headers.data, "X-Amz-Security-Token: token\r\n"));
    key.session_token = "another";
    assert_int_equal(try(*state, &request, &key, MOMENT), VAULT_BAD_CONFIG);
    made_free(&with);
    made_free(&without);
}

/* ---- keys ---- */

static void sign_one(struct vault_signer *signer, const struct vault_sigv4_key *key, int64_t when,
                     char signature[65])
{
    struct made made;

    made_init(&made);
    assert_int_equal(
        vault_sigv4_sign(signer, &good_request, key, when, &made.headers, &made.stages), VAULT_OK);
    memcpy(signature, made.stages.signature.data, 65);
    made_free(&made);
}

/* By a signer that knows no keys yet. */
static void sign_fresh(const struct vault_sigv4_key *key, int64_t when, char signature[65])
{
    struct vault_signer *signer = NULL;

    assert_int_equal(vault_signer_new(&signer), VAULT_OK);
    sign_one(signer, key, when, signature);
    vault_signer_free(signer);
}

/* Secrets, regions, services and days in turn, more of them than are kept: whatever was signed
 * before, the signature is what a new signer makes. All have one access key id. */
static void test_keys_do_not_mix(void **state)
{
    static const char *const secrets[] = {SECRET, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEX",
                                          "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKE",
                                          "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEYY"};
    static const char *const regions[] = {"us-east-1", "us-east-11"};
    static const char *const services[] = {"sts", "1sts"};

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 64; i++) {
            int n = i * 37 % 64;
            struct vault_sigv4_key key = good_key;
            int64_t when = MOMENT + (n >> 4 & 3) * 43200;
            char ours[65], fresh[65];

            key.secret_access_key = secrets[n & 3];
            key.region = regions[n >> 2 & 1];
            key.service = services[n >> 3 & 1];
            sign_one(*state, &key, when, ours);
            sign_fresh(&key, when, fresh);
            assert_string_equal(ours, fresh);
        }
    }
}

static void test_two_secrets_of_one_id(void **state)
{
    struct vault_sigv4_key first = good_key, second = good_key;
    char a[65], b[65], again[65];

    second.secret_access_key = "another";
    sign_one(*state, &first, MOMENT, a);
    sign_one(*state, &second, MOMENT, b);
    assert_string_not_equal(a, b);
    sign_one(*state, &first, MOMENT, again);
    assert_string_equal(a, again);
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
    assert_true(nth > 10);
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
        WITH_SIGNER(test_date_in_request),
        WITH_SIGNER(test_token_in_request),
        WITH_SIGNER(test_keys_do_not_mix),
        WITH_SIGNER(test_two_secrets_of_one_id),
        cmocka_unit_test(test_new_without_allocation),
        cmocka_unit_test(test_sign_without_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
