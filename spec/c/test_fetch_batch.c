/* test_fetch_batch - a fetch of several secrets at once.
 *
 * For:   what is asked and said of a batch; that a refused secret is a result, and a refused call
 *        is tried again.
 * Never: the state table (test_fetch), what an answer means (test_secretsmanager_batch).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "child.h"
#include "script.h"

#define BATCH                                                                                      \
    "{\"SecretValues\":[{\"Name\":\"db\",\"SecretString\":\"valueCANARY\",\"VersionId\":\"v1\"}]," \
    "\"Errors\":[{\"SecretId\":\"a/b\",\"ErrorCode\":\"ThrottlingException\",\"Message\":"         \
    "\"planted\"}]}"

static const struct vault_secret_id ids[] = {{"a/b", 3}, {"db", 2}, {"e\n", 2}};
static const struct answer good = {.body = BATCH, .status = 200};
static const struct answer throttled = {.body = ERROR("ThrottlingException")};
static const struct answer denied = {.body = ERROR("AccessDeniedException")};
static const struct answer cut = {.body = "{\"SecretValues\":[", .status = 200};

static struct vault_fetch *open_batch(struct stage *stage, size_t count)
{
    struct vault_fetch_request request = request_of("");

    request.batch = ids;
    request.batch_count = count;
    request.stage = "AWSPREVIOUS"; /* there is no choice of versions */
    return open_fetch(stage, &request);
}

static void check_entries(const struct vault_fetch *fetch)
{
    const struct vault_batch *batch = vault_fetch_batch(fetch);

    assert_int_equal(batch->count, 3);
    assert_int_equal(batch->entries[0].status, VAULT_THROTTLED);
    assert_string_equal(batch->entries[0].why.text,
                        "secret \"a/b\" in eu-west-1: ThrottlingException: planted");
    assert_int_equal(batch->entries[1].status, VAULT_OK);
    assert_string_equal(batch->entries[1].secret.payload.data, "valueCANARY");
    assert_string_equal(batch->entries[1].secret.version_id.data, "v1");
    assert_string_equal(batch->entries[1].why.text, "");
    assert_int_equal(batch->entries[2].status, VAULT_BAD_RESPONSE);
    assert_string_equal(batch->entries[2].why.text,
                        "secret \"e\\x0A\" in eu-west-1: HTTP 200: the answer has nothing for this "
                        "secret");
}

static void test_partial(void **state)
{
    struct vault_fetch *fetch;
    struct stage stage;

    (void)state;
    open_stage(&stage, NULL);
    fetch = open_batch(&stage, 3);
    assert_int_equal(vault_fetch_advance(fetch, stage.now), VAULT_FETCH_NEED_EXCHANGE);
    assert_string_equal(vault_fetch_exchange(fetch)->body.data,
                        "{\"SecretIdList\":[\"a/b\",\"db\",\"e\\n\"]}");
    assert_non_null(strstr(vault_fetch_exchange(fetch)->headers.data,
                           "X-Amz-Target: secretsmanager.BatchGetSecretValue\r\n"));
    perform(&stage, fetch, &good);
    assert_int_equal(vault_fetch_advance(fetch, stage.now), VAULT_FETCH_NEED_NOTHING);
    assert_int_equal(vault_fetch_status(fetch), VAULT_OK);
    assert_string_equal(vault_fetch_message(fetch)->text, "");
    assert_int_equal(vault_fetch_attempts(fetch), 1);
    assert_int_equal(vault_fetch_secret(fetch)->payload.length, 0);
    check_entries(fetch);
    vault_fetch_free(fetch);
    close_stage(&stage);
}

static void test_whole_call_again(void **state)
{
    struct vault_fetch *fetch;
    struct stage stage;

    (void)state;
    open_stage(&stage, NULL);
    fetch = open_batch(&stage, 3);
    assert_int_equal(drive(&stage, fetch, (struct answer[]){throttled, good}, 2), VAULT_OK);
    assert_int_equal(vault_fetch_attempts(fetch), 2);
    check_entries(fetch);
    vault_fetch_free(fetch);
    close_stage(&stage);
}

static void check_failure(const struct answer *answer, size_t count, enum vault_status status,
                          const char *said)
{
    struct vault_fetch *fetch;
    struct stage stage;

    open_stage(&stage, NULL);
    fetch = open_batch(&stage, count);
    assert_int_equal(drive(&stage, fetch, answer, answer != NULL), status);
    assert_string_equal(vault_fetch_message(fetch)->text, said);
    assert_int_equal(vault_fetch_batch(fetch)->count, 0);
    vault_fetch_free(fetch);
    close_stage(&stage);
}

static void test_failures(void **state)
{
    struct vault_secret_id empty = {"", 0};
    struct vault_fetch_request request = request_of("");
    struct vault_fetch *fetch;
    struct stage stage;

    (void)state;
    check_failure(&denied, 3, VAULT_ACCESS_DENIED,
                  "batch of 3 secrets in eu-west-1: AccessDeniedException: planted");
    check_failure(&denied, 1, VAULT_ACCESS_DENIED,
                  "batch of 1 secret in eu-west-1: AccessDeniedException: planted");
    check_failure(&cut, 2, VAULT_BAD_RESPONSE,
                  "batch of 2 secrets in eu-west-1: HTTP 200: the text is not JSON, at byte 18");
    open_stage(&stage, NULL);
    request.batch = &empty;
    request.batch_count = 1;
    fetch = open_fetch(&stage, &request);
    assert_int_equal(drive(&stage, fetch, NULL, 0), VAULT_BAD_REFERENCE);
    vault_fetch_free(fetch);
    close_stage(&stage);
}

static void test_no_memory(void **state)
{
    enum vault_status status = VAULT_NO_MEMORY;
    unsigned long nth = 0;
    struct stage stage;

    (void)state;
    while (status == VAULT_NO_MEMORY) {
        struct vault_fetch_request request = request_of("");
        struct vault_fetch *fetch = NULL;

        request.batch = ids;
        request.batch_count = 3;
        open_stage(&stage, NULL);
        (void)vault_alloc_fail(++nth);
        status = vault_fetch_new(&request, &stage.world, stage.now, &fetch);
        if (status == VAULT_OK &&
            vault_fetch_advance(fetch, stage.now) == VAULT_FETCH_NEED_EXCHANGE) {
            perform(&stage, fetch, &good);
            assert_int_equal(vault_fetch_advance(fetch, stage.now), VAULT_FETCH_NEED_NOTHING);
        }
        bool failed = vault_alloc_fail(0) >= nth;
        if (fetch)
            status = vault_fetch_status(fetch);
        assert_true(status == VAULT_OK || (failed && status == VAULT_NO_MEMORY));
        if (status == VAULT_OK)
            check_entries(fetch);
        if (failed && status == VAULT_OK)
            status = VAULT_NO_MEMORY; /* survived: the cache of credentials; go on */
        vault_fetch_free(fetch);
        close_stage(&stage);
    }
    assert_true(nth > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_partial),
        cmocka_unit_test(test_whole_call_again),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
