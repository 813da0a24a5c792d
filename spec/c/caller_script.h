/* caller_script - what a fetch asks before its first attempt: its region, its role.
 *
 * For:   the tests of fetch.c with more than the secret to ask for, as rows of script. Include
 *        after cmocka.h.
 * Never: which rule is shown.
 */
#ifndef VAULT_TEST_CALLER_SCRIPT_H
#define VAULT_TEST_CALLER_SCRIPT_H

#include "script.h"

#define STS_URL    "https://sts.eu-west-1.amazonaws.com/"
#define IMDS       "http://169.254.169.254/latest/"
#define TOKEN_URL  IMDS "api/token"
#define REGION_URL IMDS "meta-data/placement/region"
#define ROLE       "arn:aws:iam::123456789012:role/reader"
#define ROLE_KEYS(id)                                                                              \
    "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>" id                          \
    "</AccessKeyId><SecretAccessKey>roleCANARY</SecretAccessKey><SessionToken>roleCANARY"          \
    "</SessionToken><Expiration>2015-08-30T13:36:00Z</Expiration></Credentials>"                   \
    "</AssumeRoleResult></AssumeRoleResponse>"
#define STS_ERROR(code)                                                                            \
    "<ErrorResponse><Error><Code>" code "</Code><Message>planted</Message></Error></"              \
    "ErrorResponse>"

static const struct answer good __attribute__((unused)) = {.body = GOOD};
static const struct answer busy
    __attribute__((unused)) = {.body = ERROR("InternalServiceError"), .status = 500};
static const struct answer expired
    __attribute__((unused)) = {.body = ERROR("ExpiredTokenException")};
static const struct answer first_role
    __attribute__((unused)) = {.url = STS_URL, .body = ROLE_KEYS("ASIAFIRST")};
static const struct answer second_role
    __attribute__((unused)) = {.url = STS_URL, .body = ROLE_KEYS("ASIASECOND")};
static const struct answer throttled_role
    __attribute__((unused)) = {.url = STS_URL, .body = STS_ERROR("Throttling"), .status = 400};
static const struct answer token __attribute__((unused)) = {.url = TOKEN_URL, .body = "metaCANARY"};
static const struct answer region
    __attribute__((unused)) = {.url = REGION_URL, .body = "eu-west-1"};
static const struct answer region_busy
    __attribute__((unused)) = {.url = REGION_URL, .body = "", .status = 500};

static const char *const instance[] __attribute__((unused)) = {
    "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secretCANARY",
    "AWS_METADATA_SERVICE_NUM_ATTEMPTS=2", "HOME=/nonexistent", NULL};

static inline struct vault_fetch_request role_request(void)
{
    struct vault_fetch_request request = request_of("db");

    request.caller.assume_role_arn = ROLE;
    return request;
}

static inline struct vault_fetch_request request_without_region(void)
{
    struct vault_fetch_request request = request_of("db");

    request.region = NULL;
    return request;
}

/* One fetch from its beginning to its end. */
static inline enum vault_status ask_all(struct stage *stage,
                                        const struct vault_fetch_request *request,
                                        const struct answer *answers, unsigned count,
                                        struct vault_message *message)
{
    struct vault_fetch *fetch = open_fetch(stage, request);
    enum vault_status status;

    stage->exchanges = 0;
    stage->pauses = 0;
    status = drive(stage, fetch, answers, count);
    assert_int_equal(vault_fetch_attempts(fetch), stage->exchanges);
    if (message)
        copy_note(vault_fetch_message(fetch), message);
    vault_fetch_free(fetch);
    return status;
}

/* Advance once; an exchange that is asked for ends with `answer`. */
static inline enum vault_fetch_need step(struct stage *stage, struct vault_fetch *fetch,
                                         const struct answer *answer)
{
    enum vault_fetch_need need = vault_fetch_advance(fetch, stage->now);

    if (need == VAULT_FETCH_NEED_EXCHANGE && answer)
        perform(stage, fetch, answer);
    return need;
}

#endif
