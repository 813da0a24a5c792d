/* test_fetch - one fetch of one secret, as a table of states.
 *
 * For:   what is asked; which outcomes are tried again; ends from outside; messages; lost memory.
 * Never: every edge, region and credentials that must be asked for (test_fetch_region,
 *        test_fetch_prepare); pauses, deadlines, wrong clocks, keys that change (test_fetch_again).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "child.h"
#include "fetch_state.h"
#include "script.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct answer good = {.body = GOOD};
static const struct answer busy = {.body = ERROR("InternalServiceError"), .status = 500};

/* What the attempt held is wiped already. */
static void assert_nothing_left(struct vault_fetch *fetch)
{
    const struct vault_exchange *exchange = vault_fetch_exchange(fetch);
    const struct vault_buffer *buffers[] = {&exchange->headers, &exchange->body, &exchange->answer};

    for (size_t i = 0; i < COUNT(buffers); i++) {
        assert_int_equal(buffers[i]->length, 0);
        assert_true(!buffers[i]->data || buffers[i]->data[0] == '\0');
    }
}

static void test_success(void **state)
{
    const struct vault_fetch_request request = request_of("db");
    struct stage stage;
    struct vault_fetch *fetch;

    (void)state;
    open_stage(&stage, NULL);
    fetch = open_fetch(&stage, &request);
    assert_int_equal(vault_fetch_advance(fetch, stage.now), VAULT_FETCH_NEED_EXCHANGE);
    assert_string_equal(vault_fetch_exchange(fetch)->url.data,
                        "https://secretsmanager.eu-west-1.amazonaws.com/");
    assert_string_equal(vault_fetch_exchange(fetch)->body.data,
                        "{\"SecretId\":\"db\",\"VersionStage\":\"AWSCURRENT\"}");
    assert_false(vault_fetch_exchange(fetch)->direct);
    assert_int_equal(vault_fetch_deadline(fetch), 15000);
    perform(&stage, fetch, &good);
    assert_string_equal(stage.dates[0], "20150830T123600Z");
    assert_int_equal(vault_fetch_advance(fetch, stage.now), VAULT_FETCH_NEED_NOTHING);
    assert_int_equal(vault_fetch_status(fetch), VAULT_OK);
    assert_string_equal(vault_fetch_secret(fetch)->payload.data, "valueCANARY");
    assert_string_equal(vault_fetch_secret(fetch)->version_id.data, "v1");
    assert_string_equal(vault_fetch_message(fetch)->text, "");
    assert_int_equal(vault_fetch_attempts(fetch), 1);
    assert_nothing_left(fetch);
    assert_int_equal(vault_fetch_advance(fetch, stage.now), VAULT_FETCH_NEED_NOTHING);
    vault_fetch_free(fetch);
    vault_fetch_free(NULL);
    close_stage(&stage);
}

/* The keys that were asked with go with the end, whenever somebody collects the fetch. */
static void test_own_keys_go_with_the_end(void **state)
{
    struct vault_fetch_request request = request_of("db");
    struct stage stage;
    struct vault_fetch *fetch;

    (void)state;
    request.caller.access_key_id = "AKIDCANARY";
    request.caller.secret_access_key = "secretCANARY";
    open_stage(&stage, NULL);
    fetch = open_fetch(&stage, &request);
    assert_int_equal(vault_fetch_advance(fetch, stage.now), VAULT_FETCH_NEED_EXCHANGE);
    assert_string_equal(fetch->wanted.caller.secret_access_key, "secretCANARY");
    perform(&stage, fetch, &good);
    assert_int_equal(vault_fetch_advance(fetch, stage.now), VAULT_FETCH_NEED_NOTHING);
    assert_null(fetch->wanted.caller.secret_access_key);
    for (size_t i = 0; i < COUNT(fetch->wanted.texts); i++)
        assert_null(fetch->wanted.texts[i]);
    vault_fetch_free(fetch);
    close_stage(&stage);
}

static void test_request_is_copied(void **state)
{
    char id[] = "db\"1", stage_name[] = "AWSPREVIOUS", region[] = "eu-west-1",
         url[] = "http://127.0.0.1:4566/x";
    const struct vault_fetch_request request = {.secret_id = id,
                                                .secret_id_length = 4,
                                                .stage = stage_name,
                                                .region = region,
                                                .endpoint_url = url,
                                                .timeout_ms = 10};
    struct stage stage;
    struct vault_fetch *fetch;

    (void)state;
    open_stage(&stage, NULL);
    fetch = open_fetch(&stage, &request);
    memset(id, '?', 4);
    memset(stage_name, '?', 4);
    memset(region, '?', 4);
    memset(url, '?', 4);
    assert_int_equal(vault_fetch_advance(fetch, stage.now), VAULT_FETCH_NEED_EXCHANGE);
    assert_string_equal(vault_fetch_exchange(fetch)->url.data, "http://127.0.0.1:4566/x");
    assert_string_equal(vault_fetch_exchange(fetch)->body.data,
                        "{\"SecretId\":\"db\\\"1\",\"VersionStage\":\"AWSPREVIOUS\"}");
    assert_non_null(strstr(vault_fetch_exchange(fetch)->headers.data, "/eu-west-1/secretsm"));
    vault_fetch_free(fetch);
    close_stage(&stage);
}

static void test_requests_that_cannot_be(void **state)
{
    struct vault_fetch_request request = request_of("db");
    struct vault_fetch *fetch = NULL;
    char region[80];
    struct stage stage;

    (void)state;
    open_stage(&stage, NULL);
    memset(region, 'a', sizeof region);
    region[65] = '\0';
    for (int64_t timeout = -1; timeout <= 0; timeout++) {
        request.timeout_ms = timeout;
        assert_int_equal(vault_fetch_new(&request, &stage.world, stage.now, &fetch),
                         VAULT_BAD_CONFIG);
    }
    request.timeout_ms = 3600001;
    assert_int_equal(vault_fetch_new(&request, &stage.world, stage.now, &fetch), VAULT_BAD_CONFIG);
    request.timeout_ms = 3600000;
    request.region = region;
    assert_int_equal(vault_fetch_new(&request, &stage.world, stage.now, &fetch), VAULT_TOO_LARGE);
    assert_null(fetch);
    close_stage(&stage);
}

/* A fetch that fails before anything is sent. */
static void check_early_end(struct stage *stage, const struct vault_fetch_request *request,
                            enum vault_status status, const char *said)
{
    struct vault_fetch *fetch = open_fetch(stage, request);

    assert_int_equal(drive(stage, fetch, NULL, 0), status);
    assert_int_equal(vault_fetch_attempts(fetch), 0);
    if (!strstr(vault_fetch_message(fetch)->text, said))
        fail_msg("\"%s\" is not in: %s", said, vault_fetch_message(fetch)->text);
    vault_fetch_free(fetch);
}

static void test_early_ends(void **state)
{
    static const char *const none[] = {"HOME=/nonexistent", "AWS_EC2_METADATA_DISABLED=true", NULL};
    struct vault_fetch_request request = request_of("db");
    struct stage stage;

    (void)state;
    open_stage(&stage, NULL);
    request.region = "EU WEST";
    check_early_end(&stage, &request, VAULT_BAD_CONFIG, "secret \"db\" in EU WEST: ");
    /* A region may come from a file: it must not forge a line of the log. */
    request.region = "x\n2026 [error] forged\x1b[31m";
    check_early_end(&stage, &request, VAULT_BAD_CONFIG, "in x\\x0A2026 [error] forged\\x1B[31m: ");
    request = request_of("db");
    request.endpoint_url = "ftp://host";
    check_early_end(&stage, &request, VAULT_BAD_ENDPOINT, "secret \"db\" in eu-west-1: ");
    request = request_of("");
    check_early_end(&stage, &request, VAULT_BAD_REFERENCE, "secret \"\" in eu-west-1: ");
    request = request_of("a\n\xff\"");
    check_early_end(&stage, &request, VAULT_BAD_REFERENCE, "secret \"a\\x0A\\xFF\"\" in eu-west-1");
    close_stage(&stage);

    open_stage(&stage, none);
    request = request_of("db");
    check_early_end(&stage, &request, VAULT_NO_CREDENTIALS,
                    "no AWS credentials: environment (AWS_ACCESS_KEY_ID is not set), profile (");
    request.region = NULL;
    check_early_end(&stage, &request, VAULT_NO_REGION, "secret \"db\": no AWS region: none in ");
    request.region = "";
    check_early_end(&stage, &request, VAULT_NO_REGION, "AWS_DEFAULT_REGION; profile (");
    close_stage(&stage);
}

static void test_retries(void **state)
{
    static const struct {
        struct answer answer;
        enum vault_status status;
    } rows[] = {
        {{.outcome = VAULT_TIMEOUT}, VAULT_TIMEOUT},
        {{.outcome = VAULT_RESOLVE_FAILED}, VAULT_RESOLVE_FAILED},
        {{.outcome = VAULT_CONNECT_FAILED}, VAULT_CONNECT_FAILED},
        {{.outcome = VAULT_CONNECTION_LOST}, VAULT_CONNECTION_LOST},
        {{.outcome = VAULT_PROXY_FAILED}, VAULT_PROXY_FAILED},
        {{.outcome = VAULT_TLS_FAILED}, VAULT_TLS_FAILED},
        {{.outcome = VAULT_TOO_LARGE}, VAULT_TOO_LARGE},
        {{.outcome = VAULT_BAD_RESPONSE}, VAULT_BAD_RESPONSE},
        {{.outcome = VAULT_NO_MEMORY}, VAULT_NO_MEMORY},
        {{.outcome = VAULT_INTERNAL}, VAULT_INTERNAL},
        {{.body = ERROR("ThrottlingException")}, VAULT_THROTTLED},
        {{.body = ERROR("InternalServiceError"), .status = 500}, VAULT_SERVER_ERROR},
        {{.body = "<html>", .status = 503}, VAULT_SERVER_ERROR},
        {{.body = ERROR("RequestTimeTooSkewed")}, VAULT_CLOCK_SKEW},
        {{.body = ERROR("ResourceNotFoundException")}, VAULT_NOT_FOUND},
        {{.body = ERROR("AccessDeniedException")}, VAULT_ACCESS_DENIED},
        {{.body = ERROR("InvalidRequestException")}, VAULT_INVALID_REQUEST},
        {{.body = ERROR("DecryptionFailure")}, VAULT_DECRYPTION_FAILED},
        {{.body = ERROR("NeverHeardOfException")}, VAULT_REJECTED},
        {{.body = "{}", .status = 200}, VAULT_BAD_RESPONSE},
        {{.body = "", .status = 302}, VAULT_BAD_RESPONSE},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct answer *answer = &rows[i].answer;
        bool again = vault_status_row(rows[i].status)->may_retry;
        struct vault_message message;
        struct stage stage;

        open_stage(&stage, NULL);
        stage.bits = UINT32_MAX;
        assert_int_equal(
            play(&stage, (struct answer[]){*answer, *answer, *answer}, again ? 3 : 1, &message),
            rows[i].status);
        assert_int_equal(stage.pauses, again ? 2 : 0);
        assert_int_equal(strstr(message.text, " (3 attempts)") != NULL, again);
        assert_false(stage.again[2]);
        assert_int_equal(strstr(message.text, "attempt") != NULL, again);
        if (again) {
            assert_int_equal(play(&stage, (struct answer[]){*answer, good}, 2, NULL), VAULT_OK);
            assert_false(stage.fresh[0]);
            assert_int_equal(stage.fresh[1], answer->outcome != VAULT_OK);
            assert_true(stage.again[0] && stage.again[1]);
        }
        close_stage(&stage);
    }
}

static void test_failing_from_outside(void **state)
{
    const struct vault_fetch_request request = request_of("db");
    struct stage stage;
    struct vault_fetch *fetch;

    (void)state;
    open_stage(&stage, NULL);
    fetch = open_fetch(&stage, &request);
    (void)vault_fetch_advance(fetch, stage.now);
    vault_fetch_fail(fetch, VAULT_CANCELLED, "the worker is leaving");
    assert_string_equal(vault_fetch_message(fetch)->text,
                        "secret \"db\" in eu-west-1: the worker is leaving");
    assert_nothing_left(fetch);
    assert_int_equal(vault_fetch_advance(fetch, stage.now), VAULT_FETCH_NEED_NOTHING);
    vault_fetch_fail(fetch, VAULT_INTERNAL, "too late");
    assert_int_equal(vault_fetch_status(fetch), VAULT_CANCELLED);
    assert_null(strstr(vault_fetch_message(fetch)->text, "too late"));
    vault_fetch_free(fetch);

    fetch = open_fetch(&stage, &request);
    assert_int_equal(drive(&stage, fetch, &good, 1), VAULT_OK);
    vault_fetch_fail(fetch, VAULT_CANCELLED, "too late");
    assert_int_equal(vault_fetch_status(fetch), VAULT_OK);
    assert_string_equal(vault_fetch_secret(fetch)->payload.data, "valueCANARY");
    vault_fetch_free(fetch);
    close_stage(&stage);
}

static void test_messages(void **state)
{
    static const struct {
        struct answer answer;
        const char *said;
    } rows[] = {
        {{.body = ERROR("AccessDeniedException")},
         "secret \"db\" in eu-west-1: AccessDeniedException: planted"},
        {{.outcome = VAULT_TLS_FAILED}, "secret \"db\" in eu-west-1: planted"},
        {{.body = "{\"SecretString\":7,\"x\":\"bodyCANARY\"}", .status = 200},
         "secret \"db\" in eu-west-1: HTTP 200: SecretString or SecretBinary is not a string"},
        {{.body = "<html>bodyCANARY</html>", .status = 403},
         "secret \"db\" in eu-west-1: HTTP 403"},
    };
    static char name[2049];
    struct vault_fetch_request request = request_of("db");
    struct vault_message message;
    struct vault_fetch *fetch;
    struct stage stage;

    (void)state;
    open_stage(&stage, NULL);
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_not_equal(play(&stage, &rows[i].answer, 1, &message), VAULT_OK);
        assert_string_equal(message.text, rows[i].said);
    }
    /* A name as long as names get leaves room for what is amiss. */
    memset(name, '\n', sizeof name - 1);
    request = request_of(name);
    fetch = open_fetch(&stage, &request);
    assert_int_equal(drive(&stage, fetch, &rows[0].answer, 1), VAULT_ACCESS_DENIED);
    assert_non_null(strstr(vault_fetch_message(fetch)->text, "\\x0A...\" in eu-west-1: Access"));
    assert_null(strchr(vault_fetch_message(fetch)->text, '\n'));
    vault_fetch_free(fetch);
    close_stage(&stage);
}

static void test_allocations(void **state)
{
    char folder[64], path[128], variable[192];
    const char *entries[] = {variable, "AWS_CONFIG_FILE=/nonexistent", NULL};
    static const struct answer expired = {.body = ERROR("ExpiredTokenException")};
    const struct answer answers[] = {busy, expired, good};
    struct vault_fetch_request request = request_of("db");
    FILE *file;

    (void)state;
    play_without_memory(NULL, &request, answers, 2);

    make_folder(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/credentials", folder);
    snprintf(variable, sizeof variable, "AWS_SHARED_CREDENTIALS_FILE=%s", path);
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "[default]\nregion=eu-west-1\naws_access_key_id=AKIDEXAMPLE\n"
                  "aws_secret_access_key=secretCANARY\n");
    fclose(file);
    request.region = NULL;
    play_without_memory(entries, &request, answers, 6);
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_success),
        cmocka_unit_test(test_own_keys_go_with_the_end),
        cmocka_unit_test(test_request_is_copied),
        cmocka_unit_test(test_requests_that_cannot_be),
        cmocka_unit_test(test_early_ends),
        cmocka_unit_test(test_retries),
        cmocka_unit_test(test_failing_from_outside),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
