/* test_endpoint - botocore's table of hosts, byte for byte, and what overrides become.
 *
 * For:   spec/vectors/endpoints.tsv (what is asked, host and signed region, or a refusal), regions
 *        that can be none, overrides.
 * Never: the faults of a URL one by one (test_url).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "endpoint.h"

#define TABLE "spec/vectors/endpoints.tsv"

/* Columns of the table, and how many of them. */
enum { SERVICE, REGION, VARIANT, MODE, OVERRIDE, HOST, SIGNED, COLUMNS };

static const char *given(const char *column)
{
    return strcmp(column, "-") == 0 ? NULL : column;
}

static void check_row(char *const *row, enum vault_status wanted)
{
    const struct vault_endpoint_query query = {
        .service = row[SERVICE],
        .region = given(row[REGION]),
        .override = given(row[OVERRIDE]),
        .fips = strstr(row[VARIANT], "fips") != NULL,
        .dualstack = strstr(row[VARIANT], "dualstack") != NULL,
        .sts_legacy = strcmp(row[MODE], "legacy") == 0,
    };
    struct vault_endpoint endpoint;
    struct vault_message why = {0};
    char url[512];

    vault_endpoint_init(&endpoint);
    if (vault_endpoint_settle(&query, &endpoint, &why) != wanted)
        fail_msg("%s %s %s %s: %s", row[SERVICE], row[REGION], row[VARIANT], row[MODE], why.text);
    if (wanted == VAULT_OK) {
        snprintf(url, sizeof url, "https://%s/", row[HOST]);
        assert_string_equal(endpoint.host.data, row[HOST]);
        assert_string_equal(endpoint.region, row[SIGNED]);
        assert_string_equal(endpoint.url.data, url);
        assert_string_equal(endpoint.path.data, "/");
    } else {
        assert_true(why.length > 0);
        assert_null(endpoint.url.data);
        assert_string_equal(endpoint.region, "");
    }
    vault_endpoint_free(&endpoint);
}

/* Botocore's reasons, and what each is here. */
static enum vault_status status_of(char *const *row)
{
    static const struct {
        const char *start;
        enum vault_status status;
    } refusals[] = {
        {"Invalid Configuration: Missing Region", VAULT_NO_REGION},
        {"Invalid Configuration: FIPS and custom endpoint", VAULT_BAD_CONFIG},
        {"Invalid Configuration: Dualstack and custom endpoint", VAULT_BAD_CONFIG},
        {"Unable to construct a modeled endpoint with the following variant", VAULT_BAD_CONFIG},
    };

    if (given(row[HOST]))
        return VAULT_OK;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (strncmp(row[SIGNED], refusals[i].start, strlen(refusals[i].start)) == 0)
            return refusals[i].status;
    fail_msg("botocore refuses for a reason new here: %s", row[SIGNED]);
    return VAULT_OK;
}

static void test_botocore_table(void **state)
{
    FILE *file = fopen(TABLE, "r");
    int hosts = 0, refusals = 0;
    char line[512];

    (void)state;
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        char *row[COLUMNS], *rest = NULL;

        if (*line == '#')
            continue;
        row[0] = strtok_r(line, "\t\n", &rest);
        for (int i = 1; i < COLUMNS; i++)
            assert_non_null(row[i] = strtok_r(NULL, "\t\n", &rest));
        assert_null(strtok_r(NULL, "\t\n", &rest));
        check_row(row, status_of(row));
        *(given(row[HOST]) ? &hosts : &refusals) += 1;
    }
    fclose(file);
    print_message("%s: %d hosts, %d refusals\n", TABLE, hosts, refusals);
    assert_true(hosts > 1000 && refusals > 75);
}

static void check_refusal(const struct vault_endpoint_query *query, const char *wanted)
{
    struct vault_endpoint endpoint;
    struct vault_message why = {0};

    vault_endpoint_init(&endpoint);
    assert_int_equal(vault_endpoint_settle(query, &endpoint, &why), VAULT_BAD_CONFIG);
    assert_string_equal(why.text, wanted);
}

static void test_refusals_say_why(void **state)
{
    struct vault_endpoint_query query = {
        .service = "sts", .region = "us-isof-south-1", .dualstack = true};

    (void)state;
    check_refusal(&query, "AWS has no dual-stack endpoints in the partition aws-iso-f");
    query.override = "https://u:CANARY@h";
    check_refusal(&query, "dual-stack endpoints cannot be asked for together with an endpoint URL");
    query.fips = true;
    check_refusal(
        &query, "FIPS and dual-stack endpoints cannot be asked for together with an endpoint URL");
    query.dualstack = false;
    check_refusal(&query, "FIPS endpoints cannot be asked for together with an endpoint URL");
}

/* Plain STS of `region`, or `override`. */
static enum vault_status settle(const char *region, const char *override,
                                struct vault_endpoint *endpoint, struct vault_message *why)
{
    const struct vault_endpoint_query query = {
        .service = "sts", .region = region, .override = override};

    return vault_endpoint_settle(&query, endpoint, why);
}

static void test_regions(void **state)
{
    static const char *const good[] = {"a",  "us-east-1", "local",
                                       "a1", "x--y",      "abcdefghijklmnopqrstuvwxyz-12345"};
    static const char *const bad[] = {
        "",
        "1a",
        "-a",
        "a-",
        "US-east-1",
        "us_east_1",
        "us east",
        "us-east-1 ",
        "us-east-1\n",
        "us.east",
        "a/b",
        "a@evil.example",
        "evil.com#x",
        "a:1",
        "\xC3\xBC",
        "abcdefghijklmnopqrstuvwxyz-123456",
    };
    struct vault_endpoint endpoint;
    struct vault_message why;

    (void)state;
    vault_endpoint_init(&endpoint);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(vault_region_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        vault_message_clear(&why);
        assert_false(vault_region_valid(bad[i]));
        assert_int_equal(settle(bad[i], "http://h", &endpoint, &why),
                         *bad[i] ? VAULT_BAD_CONFIG : VAULT_NO_REGION);
        assert_true(why.length > 0);
        assert_null(strpbrk(why.text, "\n\xC3"));
        assert_null(endpoint.url.data);
    }
    assert_int_equal(settle(NULL, NULL, &endpoint, &why), VAULT_NO_REGION);
}

static void test_overrides(void **state)
{
    static const struct {
        const char *override, *url, *host, *path;
    } rows[] = {
        {"http://localhost:4566", "http://localhost:4566/", "localhost:4566", "/"},
        {"http://localhost:4566/", "http://localhost:4566/", "localhost:4566", "/"},
        {"HTTPS://VPCE-1.Example.COM", "https://vpce-1.example.com/", "vpce-1.example.com", "/"},
        {"https://h:443", "https://h/", "h", "/"},
        {"http://h:80/", "http://h/", "h", "/"},
        {"https://h:80", "https://h:80/", "h:80", "/"},
        {"http://h:443", "http://h:443/", "h:443", "/"},
        {"https://h:00443", "https://h/", "h", "/"},
        {"https://h/Base/Path", "https://h/Base/Path", "h", "/Base/Path"},
        {"https://h:8443/base/", "https://h:8443/base/", "h:8443", "/base/"},
        {"https://h/a%2Fb@c:d", "https://h/a%2Fb@c:d", "h", "/a%2Fb@c:d"},
        {"http://127.0.0.1:5000", "http://127.0.0.1:5000/", "127.0.0.1:5000", "/"},
        {"http://[::1]:5000", "http://[::1]:5000/", "[::1]:5000", "/"},
        {"https://[FD00:EC2::254]:443/x", "https://[fd00:ec2::254]/x", "[fd00:ec2::254]", "/x"},
    };
    struct vault_endpoint endpoint;
    struct vault_message why = {0};

    (void)state;
    vault_endpoint_init(&endpoint);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (settle("us-east-1", rows[i].override, &endpoint, &why))
            fail_msg("%s: %s", rows[i].override, why.text);
        assert_string_equal(endpoint.url.data, rows[i].url);
        assert_string_equal(endpoint.host.data, rows[i].host);
        assert_string_equal(endpoint.path.data, rows[i].path);
        assert_string_equal(endpoint.region, "us-east-1");
    }
    assert_int_equal(settle("us-east-1", "", &endpoint, &why), VAULT_OK);
    assert_string_equal(endpoint.host.data, "sts.us-east-1.amazonaws.com");
    vault_endpoint_free(&endpoint);
}

static void test_failure_leaves_endpoint(void **state)
{
    struct vault_endpoint endpoint;
    struct vault_message why = {0};

    (void)state;
    vault_endpoint_init(&endpoint);
    assert_int_equal(settle("us-east-1", NULL, &endpoint, &why), VAULT_OK);
    assert_int_equal(settle("us-east-1", "https://me:CANARY@h", &endpoint, &why),
                     VAULT_BAD_ENDPOINT);
    assert_string_equal(endpoint.host.data, "sts.us-east-1.amazonaws.com");
    assert_string_equal(endpoint.region, "us-east-1");
    assert_null(strstr(why.text, "CANARY"));
    vault_endpoint_free(&endpoint);
}

/* The longest of everything fits: no override that is taken may fail for room. */
static void test_longest_override(void **state)
{
    struct vault_endpoint endpoint;
    struct vault_message why = {0};
    char override[2050];

    (void)state;
    memset(override, 'x', sizeof override);
    memcpy(override, "https://", 8);
    for (size_t i = 8 + 63; i < 8 + 253; i += 64)
        override[i] = '.';
    memcpy(override + 8 + 253, ":65535/", 7);
    override[2048] = '\0';
    vault_endpoint_init(&endpoint);
    assert_int_equal(settle("us-east-1", override, &endpoint, &why), VAULT_OK);
    assert_string_equal(endpoint.url.data, override);
    vault_endpoint_free(&endpoint);
}

static void no_memory_for(const struct vault_endpoint_query *query)
{
    struct vault_endpoint endpoint;
    struct vault_message why = {0};
    enum vault_status status;
    unsigned long nth = 0;

    vault_endpoint_init(&endpoint);
    do {
        vault_alloc_fail(++nth);
        status = vault_endpoint_settle(query, &endpoint, &why);
        vault_alloc_fail(0);
        if (status != VAULT_OK) {
            assert_int_equal(status, VAULT_NO_MEMORY);
            assert_null(endpoint.url.data);
            assert_null(endpoint.host.data);
            assert_string_equal(endpoint.region, "");
        }
    } while (status != VAULT_OK);
    assert_true(nth > 3);
    vault_endpoint_free(&endpoint);
}

static void test_no_memory(void **state)
{
    static const struct vault_endpoint_query queries[] = {
        {.service = "sts", .region = "us-east-1"},
        {.service = "sts", .region = "us-east-1", .sts_legacy = true},
        {.service = "sts", .region = "us-east-1", .override = "https://h:8443/base"},
        {.service = "secretsmanager", .region = "eusc-de-east-1", .fips = true, .dualstack = true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++)
        no_memory_for(&queries[i]);
}

static void test_partitions(void **state)
{
    static const char *const rows[][2] = {
        {"us-east-1", "aws"},
        {"cn-north-1", "aws-cn"},
        {"us-gov-west-1", "aws-us-gov"},
        {"us-iso-east-1", "aws-iso"},
        {"us-isob-east-1", "aws-iso-b"},
        {"eu-isoe-west-1", "aws-iso-e"},
        {"us-isof-south-1", "aws-iso-f"},
        {"eusc-de-east-1", "aws-eusc"},
        {"xx-new-9", "aws"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(vault_region_partition(rows[i][0]), rows[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_botocore_table),   cmocka_unit_test(test_refusals_say_why),
        cmocka_unit_test(test_regions),          cmocka_unit_test(test_partitions),
        cmocka_unit_test(test_overrides),        cmocka_unit_test(test_failure_leaves_endpoint),
        cmocka_unit_test(test_longest_override), cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
