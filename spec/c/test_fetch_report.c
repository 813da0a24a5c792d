/* test_fetch_report - how a fetch went, as it is told to people.
 *
 * For:   vault_fetch_report(): what is noted of an endpoint, a credential, an answer and the trail.
 * Never: the text that is made of it (vault.explain).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "caller_script.h"

static struct vault_fetch *explained(struct stage *stage, struct vault_fetch_request *request,
                                     const struct answer *answers, unsigned count)
{
    struct vault_fetch *fetch;

    request->explain = true;
    fetch = open_fetch(stage, request);
    (void)drive(stage, fetch, answers, count);
    return fetch;
}

static void assert_step(const struct vault_trail_step *step, const char *what,
                        enum vault_status status)
{
    assert_string_equal(step->what.text, what);
    assert_int_equal(step->status, status);
    assert_int_equal(step->why.length == 0, status == VAULT_OK);
    assert_null(strstr(step->why.text, "CANARY"));
}

static void test_one_that_succeeds(void **state)
{
    struct vault_fetch_request request = role_request();
    const struct vault_fetch_report *report;
    struct vault_fetch *fetch;
    struct stage stage;

    (void)state;
    open_stage(&stage, NULL);
    fetch = explained(&stage, &request, (struct answer[]){first_role, good}, 2);
    report = vault_fetch_report(fetch);
    assert_int_equal(vault_fetch_status(fetch), VAULT_OK);
    assert_string_equal(report->endpoint.text, "https://secretsmanager.eu-west-1.amazonaws.com/");
    assert_string_equal(report->region.text, "eu-west-1");
    assert_null(report->region_from);
    assert_string_equal(report->source.text, "assumed role");
    assert_int_equal(report->expires, 1440941760);
    assert_int_equal(report->http_status, 200);
    assert_int_equal(report->trail.count, 2);
    assert_step(&report->trail.steps[0], "environment", VAULT_OK);
    assert_step(&report->trail.steps[1], "assuming the role " ROLE, VAULT_OK);
    vault_fetch_free(fetch);
    close_stage(&stage);
}

static void test_one_that_is_refused(void **state)
{
    struct vault_fetch_request request = request_of("db");
    const struct vault_fetch_report *report;
    struct vault_fetch *fetch;
    struct stage stage;

    (void)state;
    open_stage(&stage, NULL);
    fetch = explained(&stage, &request,
                      &(struct answer){.body = ERROR("AccessDeniedException"), .status = 400}, 1);
    report = vault_fetch_report(fetch);
    assert_int_equal(vault_fetch_status(fetch), VAULT_ACCESS_DENIED);
    assert_int_equal(report->http_status, 400);
    vault_fetch_free(fetch);
    close_stage(&stage);
}

/* It ends before the network: what was not reached is empty. */
static void test_one_without_credentials(void **state)
{
    static const char *const nothing[] = {"AWS_EC2_METADATA_DISABLED=true", "HOME=/nonexistent",
                                          NULL};
    struct vault_fetch_request request = request_of("db");
    const struct vault_fetch_report *report;
    struct vault_fetch *fetch;
    struct stage stage;

    (void)state;
    open_stage(&stage, nothing);
    fetch = explained(&stage, &request, NULL, 0);
    report = vault_fetch_report(fetch);
    assert_int_equal(vault_fetch_status(fetch), VAULT_NO_CREDENTIALS);
    assert_string_equal(report->source.text, "");
    assert_int_equal(report->http_status, 0);
    assert_int_equal(report->trail.count, 5);
    assert_step(&report->trail.steps[0], "environment", VAULT_NOT_CONFIGURED);
    assert_step(&report->trail.steps[4], "instance metadata", VAULT_NOT_CONFIGURED);
    vault_fetch_free(fetch);
    close_stage(&stage);
}

static void check_region(const char *const *entries, const struct answer *answers, unsigned count,
                         const char *from)
{
    struct vault_fetch_request request = request_without_region();
    const struct vault_fetch_report *report;
    struct vault_fetch *fetch;
    struct stage stage;

    vault_region_forget();
    open_stage(&stage, entries);
    fetch = explained(&stage, &request, answers, count);
    report = vault_fetch_report(fetch);
    assert_int_equal(vault_fetch_status(fetch), VAULT_OK);
    assert_true(report->region.length > 0);
    assert_string_equal(report->region_from, from);
    vault_fetch_free(fetch);
    close_stage(&stage);
}

static void test_where_the_region_came_from(void **state)
{
    static const char *const profile[] = {
        "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secretCANARY",
        "AWS_CONFIG_FILE=spec/vectors/profile/region-config-file/config", NULL};

    (void)state;
    check_region(instance, (struct answer[]){token, region, good}, 3, "instance metadata");
    check_region(profile, &good, 1, "profile");
}

static void test_nobody_asked(void **state)
{
    const struct vault_fetch_request request = request_of("db");
    struct vault_fetch *fetch;
    struct stage stage;

    (void)state;
    open_stage(&stage, NULL);
    fetch = open_fetch(&stage, &request);
    assert_null(vault_fetch_report(fetch));
    vault_fetch_free(fetch);
    close_stage(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_that_succeeds),
        cmocka_unit_test(test_one_that_is_refused),
        cmocka_unit_test(test_one_without_credentials),
        cmocka_unit_test(test_where_the_region_came_from),
        cmocka_unit_test(test_nobody_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
