/* test_secretsmanager_batch - BatchGetSecretValue: what is asked, what each answer means.
 *
 * For:   requests byte by byte; whose each element is; what is amiss with one id and what with all;
 *        that no message shows a body; lost memory.
 * Never: the codes of AWS one by one (test_aws_error), a single value (test_secretsmanager), how
 *        large all may be (test_secretsmanager_batch_limits).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "secretsmanager_batch.h"

#define CANARY          "hunter2-canary"
#define PART            "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db"
#define ARN             PART "-a1B2c3"
#define NAMED(x)        "{\"Name\":\"" x "\",\"SecretString\":\"v-" x "\"}"
#define VALUES(x)       "{\"SecretValues\":[" x "]}"
#define ERROR(id, code) "{\"SecretId\":\"" id "\",\"ErrorCode\":\"" code "\",\"Message\":\"said\"}"
#define ERRORS(x)       "{\"SecretValues\":[],\"Errors\":[" x "]}"
#define NOTHING         "HTTP 200: the answer has nothing for this secret"
#define ABSENT          "HTTP 200: SecretString and SecretBinary are both absent"

#define IDS_MOST 4

struct ids {
    struct vault_secret_id list[IDS_MOST];
    size_t count;
};

static struct ids ids_of(const char *const *texts)
{
    struct ids ids = {.count = 0};

    for (; ids.count < IDS_MOST && texts[ids.count]; ids.count++)
        ids.list[ids.count] = (struct vault_secret_id){texts[ids.count], strlen(texts[ids.count])};
    return ids;
}

static void check_ask(const char *const *texts, const char *body)
{
    const struct ids ids = ids_of(texts);
    struct vault_exchange exchange;

    vault_exchange_init(&exchange);
    assert_int_equal(vault_buffer_text(&exchange.url, "https://host/"), VAULT_OK);
    assert_int_equal(vault_secretsmanager_ask_batch(&exchange, ids.list, ids.count), VAULT_OK);
    assert_string_equal(exchange.method, "POST");
    assert_string_equal(exchange.url.data, "https://host/");
    assert_string_equal(exchange.headers.data,
                        "Content-Type: application/x-amz-json-1.1\r\n"
                        "X-Amz-Target: secretsmanager.BatchGetSecretValue\r\n");
    assert_string_equal(exchange.body.data, body);
    assert_int_equal(exchange.answer.limit, VAULT_BATCH_ANSWER_MAX);
    vault_exchange_free(&exchange);
}

static void test_ask(void **state)
{
    (void)state;
    check_ask((const char *[]){"db", NULL}, "{\"SecretIdList\":[\"db\"]}");
    check_ask((const char *[]){"/a/b", ARN, "\xc3\xa9", "a\"\\\n"},
              "{\"SecretIdList\":[\"/a/b\",\"" ARN "\",\"\xc3\xa9\",\"a\\\"\\\\\\n\"]}");
}

static void answer(struct vault_exchange *exchange, int status, const char *body)
{
    vault_exchange_init(exchange);
    exchange->answer.limit = VAULT_BATCH_ANSWER_MAX;
    exchange->outcome = VAULT_OK;
    exchange->status = status;
    assert_int_equal(vault_buffer_text(&exchange->answer, body), VAULT_OK);
}

/* What is wanted of one id: the value, or the status and what is said. */
struct want {
    enum vault_status status;
    const char *text;
};

static void check_entry(const struct vault_batch_entry *entry, const struct want *want)
{
    assert_int_equal(entry->status, want->status);
    assert_null(strstr(entry->why.text, CANARY));
    if (want->status != VAULT_OK) {
        assert_string_equal(entry->why.text, want->text);
        assert_null(entry->secret.payload.data);
        return;
    }
    assert_string_equal(entry->secret.payload.data, want->text);
    assert_string_equal(entry->why.text, "");
}

/* Read `body` for the ids "db", "x/y" and ARN. */
static void check_read(const char *body, const struct want wants[3])
{
    const struct ids ids = ids_of((const char *[]){"db", "x/y", ARN, NULL});
    struct vault_exchange exchange;
    struct vault_batch batch = {0};
    struct vault_message why;

    answer(&exchange, 200, body);
    assert_int_equal(vault_secretsmanager_read_batch(&exchange, ids.list, ids.count, &batch, &why),
                     VAULT_OK);
    assert_string_equal(why.text, "");
    assert_int_equal(batch.count, 3);
    for (size_t i = 0; i < 3; i++)
        check_entry(&batch.entries[i], &wants[i]);
    vault_batch_free(&batch);
    assert_null(batch.entries);
    assert_int_equal(batch.count, 0);
    vault_exchange_free(&exchange);
}

static const struct want nothing = {VAULT_BAD_RESPONSE, NOTHING};

static void test_whose_it_is(void **state)
{
    static const struct want one = {VAULT_OK, "1"}, two = {VAULT_OK, "2"}, three = {VAULT_OK, "3"};

    (void)state;
    check_read(VALUES("{\"ARN\":\"arn:3\",\"Name\":\"x\\/y\",\"SecretString\":\"2\"},"
                      "{\"ARN\":\"" ARN "\",\"Name\":\"db\",\"SecretString\":\"1\"}"),
               (struct want[]){one, two, one}); /* name and ARN of one secret */
    check_read(VALUES("{\"ARN\":\"" ARN "\",\"SecretString\":\"3\"},"
                      "{\"Name\":\"db\",\"SecretString\":\"1\"},"
                      "{\"Name\":\"x/y\",\"SecretString\":\"2\"}"),
               (struct want[]){one, two, three});
    check_read(VALUES("{\"Name\":\"DB\",\"SecretString\":\"" CANARY "\"},"
                      "{\"Name\":\"d\",\"SecretString\":\"" CANARY "\"},"
                      "{\"Name\":\"dbb\",\"SecretString\":\"" CANARY "\"},"
                      "{\"Name\":\"db-a1B2c3\",\"SecretString\":\"" CANARY "\"},"
                      "{\"Name\":\"\",\"SecretString\":\"" CANARY "\"},"
                      "{\"ARN\":\"" PART "-a1B2c4\",\"SecretString\":\"" CANARY "\"},"
                      "{\"ARN\":\"" PART "\",\"SecretString\":\"" CANARY "\"},"
                      "{\"ARN\":\"" ARN "-a1B2c\",\"SecretString\":\"" CANARY "\"},"
                      "{\"SecretId\":\"db\",\"SecretString\":\"" CANARY "\"}"),
               (struct want[]){nothing, nothing, nothing});
    check_read(VALUES(NAMED("db") "," NAMED("db")),
               (struct want[]){{VAULT_OK, "v-db"}, nothing, nothing});
    check_read("{\"SecretValues\":null,\"Errors\":null,\"NextToken\":null}",
               (struct want[]){nothing, nothing, nothing});
    check_read("{}", (struct want[]){nothing, nothing, nothing});
}

/* An ARN without its last seven bytes; the whole one fits better, wherever it stands. */
static void test_partial_arn(void **state)
{
    const struct ids ids = ids_of((const char *[]){PART, ARN, PART, NULL});
    struct vault_exchange exchange;
    struct vault_batch batch = {0};
    struct vault_message why;

    (void)state;
    answer(&exchange, 200,
           VALUES("{\"ARN\":\"" ARN "-Zz9Zz9\",\"SecretString\":\"its name ends like that\"},"
                  "{\"ARN\":\"" ARN "\",\"SecretString\":\"1\",\"VersionId\":\"i\"}"));
    assert_int_equal(vault_secretsmanager_read_batch(&exchange, ids.list, ids.count, &batch, &why),
                     VAULT_OK);
    for (size_t i = 0; i < 3; i++) {
        check_entry(&batch.entries[i], &(struct want){VAULT_OK, "1"});
        assert_string_equal(batch.entries[i].secret.arn.data, ARN);
        assert_string_equal(batch.entries[i].secret.version_id.data, "i");
    }
    vault_batch_free(&batch);
    vault_exchange_free(&exchange);
}

static void test_errors(void **state)
{
    static const struct want missing = {VAULT_NOT_FOUND, "ResourceNotFoundException: said"};
    static const struct want denied = {VAULT_ACCESS_DENIED, "AccessDeniedException: said"};
    static const char malformed[] = "HTTP 200: the error for this secret is malformed";

    (void)state;
    check_read("{\"SecretValues\":[" NAMED("db") "],\"Errors\":[" ERROR(
                   "x/y", "ResourceNotFoundException") "," ERROR(ARN, "AccessDeniedException") "]}",
               (struct want[]){{VAULT_OK, "v-db"}, missing, denied});
    /* by the ARN where the name was asked for */
    check_read(ERRORS(ERROR(ARN, "AccessDeniedException")),
               (struct want[]){denied, nothing, denied});
    check_read(ERRORS(ERROR("db", "ThrottlingException") "," ERROR(
                   "x/y", "aws#DecryptionFailure:") "," ERROR(ARN, "SomethingNew")),
               (struct want[]){{VAULT_THROTTLED, "ThrottlingException: said"},
                               {VAULT_DECRYPTION_FAILED, "DecryptionFailure: said"},
                               {VAULT_REJECTED, "SomethingNew: said"}});
    check_read(ERRORS("{\"SecretId\":\"db\",\"ErrorCode\":\"InternalServiceError\"},"
                      "{\"SecretId\":\"x/y\",\"ErrorCode\":\"a\\nb\",\"Message\":null},"
                      "{\"SecretId\":\"" ARN "\",\"Message\":\"" CANARY "\"}"),
               (struct want[]){{VAULT_SERVER_ERROR, "InternalServiceError"},
                               {VAULT_REJECTED, "a\\x0Ab"},
                               {VAULT_BAD_RESPONSE, malformed}});
    check_read(ERRORS("{\"SecretId\":\"db\",\"ErrorCode\":7},"
                      "{\"SecretId\":\"x/y\",\"ErrorCode\":\"a\",\"Message\":[\"" CANARY "\"]},"
                      "{\"SecretId\":\"" ARN "\",\"ErrorCode\":\"" CANARY
                      "\",\"ErrorCode\":\"a\"}"),
               (struct want[]){{VAULT_BAD_RESPONSE, malformed},
                               {VAULT_BAD_RESPONSE, malformed},
                               {VAULT_BAD_RESPONSE, malformed}});
    /* of a value and an error the value counts */
    check_read("{\"Errors\":[" ERROR("db", "AccessDeniedException") "],\"SecretValues\":[" NAMED(
                   "db") "]}",
               (struct want[]){{VAULT_OK, "v-db"}, nothing, nothing});
}

/* A malformed element is the trouble of its own id, or of none. */
static void test_malformed_elements(void **state)
{
    static const struct want good = {VAULT_OK, "v-db"};

    (void)state;
    check_read(VALUES("7,null,\"" CANARY "\",[\"" CANARY "\"],{}," NAMED("db")),
               (struct want[]){good, nothing, nothing});
    check_read(VALUES("{\"Name\":\"x/y\"}," NAMED("db") ",{\"ARN\":\"" ARN
                                                        "\",\"SecretBinary\":\"" CANARY "\"}"),
               (struct want[]){good,
                               {VAULT_BAD_RESPONSE, ABSENT},
                               {VAULT_BAD_RESPONSE, "HTTP 200: SecretBinary is not base64"}});
    check_read(VALUES(NAMED("db") ",{\"Name\":\"x/y\",\"Name\":\"x/y\",\"SecretString\":\"1\"},"
                                  "{\"ARN\":[\"" ARN "\"],\"SecretString\":\"1\"}"),
               (struct want[]){good, nothing, nothing});
    check_read(VALUES(NAMED("db") ",{\"Name\":\"x/y\",\"SecretString\":\"1\",\"SecretString\":"
                                  "\"" CANARY "\"}"),
               (struct want[]){
                   good,
                   {VAULT_BAD_RESPONSE, "HTTP 200: the JSON object has the key twice, at byte 34"},
                   nothing});
    check_read(VALUES(NAMED("db") ",{\"Name\":\"x/y\",\"SecretString\":\"1\",\"VersionId\":7}"),
               (struct want[]){
                   good, {VAULT_BAD_RESPONSE, "HTTP 200: VersionId or ARN is malformed"}, nothing});
}

/* A batch that must be as it was after a failure. */
static void plant(struct vault_batch *batch)
{
    batch->entries = vault_alloc(sizeof *batch->entries);
    assert_non_null(batch->entries);
    batch->count = 1;
    vault_secret_init(&batch->entries[0].secret);
    assert_int_equal(vault_buffer_text(&batch->entries[0].secret.payload, "before"), VAULT_OK);
}

static void assert_as_planted(const struct vault_batch *batch)
{
    assert_int_equal(batch->count, 1);
    assert_string_equal(batch->entries[0].secret.payload.data, "before");
}

static void test_whole_failures(void **state)
{
    static const char list[] = "HTTP 200: SecretValues or Errors is not an array";
    static const struct {
        int http;
        const char *body;
        enum vault_status status;
        const char *why;
    } rows[] = {
        {200, "", VAULT_BAD_RESPONSE, "HTTP 200: the text is not JSON, at byte 1"},
        {200, "<html>" CANARY, VAULT_BAD_RESPONSE, "HTTP 200: the text is not JSON, at byte 1"},
        {200, "[\"" CANARY "\"]", VAULT_BAD_RESPONSE,
         "HTTP 200: the text is not a JSON object, at byte 1"},
        {200, "{\"SecretValues\":[" NAMED("db"), VAULT_BAD_RESPONSE,
         "HTTP 200: the text is not JSON, at byte 53"},
        {200, "{\"SecretValues\":[],\"SecretValues\":[]}", VAULT_BAD_RESPONSE,
         "HTTP 200: the JSON object has the key twice, at byte 20"},
        {200, "{\"SecretValues\":{\"a\":\"" CANARY "\"}}", VAULT_BAD_RESPONSE, list},
        {200, "{\"SecretValues\":[],\"Errors\":\"" CANARY "\"}", VAULT_BAD_RESPONSE, list},
        {400, "{\"__type\":\"AccessDeniedException\",\"Message\":\"no\"}", VAULT_ACCESS_DENIED,
         "AccessDeniedException: no"},
        {400, "{\"__type\":\"ThrottlingException\"}", VAULT_THROTTLED, "ThrottlingException"},
        {500, VALUES(NAMED("db")), VAULT_SERVER_ERROR, "HTTP 500"},
        {204, "", VAULT_BAD_RESPONSE, "HTTP 204"},
    };
    const struct ids ids = ids_of((const char *[]){"db", NULL});
    struct vault_batch batch;

    (void)state;
    plant(&batch);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct vault_exchange exchange;
        struct vault_message why;

        answer(&exchange, rows[i].http, rows[i].body);
        assert_int_equal(
            vault_secretsmanager_read_batch(&exchange, ids.list, ids.count, &batch, &why),
            rows[i].status);
        assert_string_equal(why.text, rows[i].why);
        assert_as_planted(&batch);
        vault_exchange_free(&exchange);
    }
    vault_batch_free(&batch);
}

static void test_ask_allocations(void **state)
{
    const struct ids ids = ids_of((const char *[]){"db", ARN, NULL});
    struct vault_exchange exchange;
    enum vault_status status = VAULT_NO_MEMORY;
    unsigned long nth;

    (void)state;
    vault_exchange_init(&exchange);
    for (nth = 1; status == VAULT_NO_MEMORY; nth++) {
        assert_null(exchange.headers.data);
        assert_null(exchange.body.data);
        assert_int_equal(exchange.answer.limit, VAULT_EXCHANGE_ANSWER_MAX);
        (void)vault_alloc_fail(nth);
        status = vault_secretsmanager_ask_batch(&exchange, ids.list, ids.count);
    }
    (void)vault_alloc_fail(0);
    assert_int_equal(status, VAULT_OK);
    assert_true(nth > 2);
    vault_exchange_free(&exchange);
}

static void test_read_allocations(void **state)
{
    const struct ids ids = ids_of((const char *[]){"db", "x/y", ARN, NULL});
    enum vault_status status = VAULT_NO_MEMORY;
    struct vault_exchange exchange;
    struct vault_batch batch;
    struct vault_message why;
    unsigned long nth;

    (void)state;
    plant(&batch);
    answer(&exchange, 200,
           "{\"SecretValues\":[" NAMED("db") ",{\"ARN\":\"" ARN "\",\"SecretBinary\":\"AAH/\"}],"
                                             "\"Errors\":[" ERROR("x/y",
                                                                  "AccessDeniedException") "]}");
    for (nth = 1; status == VAULT_NO_MEMORY; nth++) {
        assert_as_planted(&batch);
        (void)vault_alloc_fail(nth);
        status = vault_secretsmanager_read_batch(&exchange, ids.list, ids.count, &batch, &why);
    }
    (void)vault_alloc_fail(0);
    assert_int_equal(status, VAULT_OK);
    assert_int_equal(batch.count, 3);
    check_entry(&batch.entries[0], &(struct want){VAULT_OK, "v-db"});
    assert_int_equal(batch.entries[1].status, VAULT_ACCESS_DENIED);
    assert_int_equal(batch.entries[2].status, VAULT_OK);
    assert_true(nth > 8);
    vault_batch_free(&batch);
    vault_exchange_free(&exchange);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ask),
        cmocka_unit_test(test_whose_it_is),
        cmocka_unit_test(test_partial_arn),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_malformed_elements),
        cmocka_unit_test(test_whole_failures),
        cmocka_unit_test(test_ask_allocations),
        cmocka_unit_test(test_read_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
