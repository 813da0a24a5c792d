/* test_identity - who asks: the order of the chain, and what ends it.
 *
 * For:   vault_identity_*: every pair of sources, broken links, links with nothing, lost memory.
 * Never: roles and STS (test_identity_roles), the protocols one by one (test_credentials_*).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "identity_script.h"

#define TOKEN_FILE "AWS_WEB_IDENTITY_TOKEN_FILE=%/token"

static const struct vault_identity_request nobody = {.region = "eu-west-1"};

/* In the order of precedence. */
enum source { OWN, ENVIRONMENT, PROFILE, CONTAINER, WEB_IDENTITY, INSTANCE, SOURCES };

static const struct {
    const char *entries[4];
    const char *key;
    const char *source;
    struct ask asks[4];
} sources[SOURCES] = {
    [OWN] = {{NULL}, "AKIDCANARYown", "the vault's own keys", {{0}}},
    [ENVIRONMENT] = {{"AWS_ACCESS_KEY_ID=AKIDCANARYenv", "AWS_SECRET_ACCESS_KEY=secretCANARY",
                      "AWS_SESSION_TOKEN=tokenCANARY"},
                     "AKIDCANARYenv",
                     "environment",
                     {{0}}},
    [PROFILE] = {{NULL}, "AKIDCANARYp", "profile", {{0}}},
    [CONTAINER] = {{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/keys"},
                   "AKIDCANARY",
                   "container",
                   {CONTAINER_ASKS}},
    [WEB_IDENTITY] = {{"AWS_ROLE_ARN=" ARN("web"), TOKEN_FILE},
                      "ASIACANARYweb",
                      "web identity",
                      {{STS, NULL, TOKEN_BODY("web", "KongVault&WebIdentityToken=jwtCANARY"),
                        .body = STS_KEYS("web")}}},
    [INSTANCE] = {{NULL}, "AKIDCANARY", "imds", {IMDS_ASKS}},
};

/* Set up the sources whose bit is in `set`, ask, and look who answers. */
static void check_winner(unsigned set, enum source winner)
{
    const char *entries[16] = {NULL};
    struct vault_identity_request request = nobody;
    struct asking asking;
    size_t count = 0;

    for (unsigned i = 0; i < SOURCES; i++)
        for (size_t j = 0; set & 1U << i && j < 4 && sources[i].entries[j]; j++)
            entries[count++] = sources[i].entries[j];
    if (!(set & 1U << INSTANCE))
        entries[count++] = NO_IMDS;
    if (set & 1U << OWN) {
        request.access_key_id = "AKIDCANARYown";
        request.secret_access_key = "secretCANARY";
    }
    put(".aws/credentials", set & 1U << PROFILE ? "[default]\n" PAIR("p") : NULL);
    put("token", "jwtCANARY\n");
    assert_int_equal(find_out_with(&asking, entries, &request, sources[winner].asks), VAULT_OK);
    assert_string_equal(asking.credential.access_key_id, sources[winner].key);
    assert_string_equal(asking.credential.source, sources[winner].source);
    assert_int_equal(asking.credential.expires == 0, winner <= PROFILE);
    close_asking(&asking);
    put(".aws/credentials", NULL);
}

static void test_each_pair_of_sources(void **state)
{
    (void)state;
    for (unsigned first = 0; first < SOURCES; first++) {
        check_winner(1U << first, first);
        for (unsigned second = first + 1; second < SOURCES; second++)
            check_winner(1U << first | 1U << second, first);
        check_winner((1U << SOURCES) - (1U << first), first);
    }
}

struct broken {
    const char *entries[4];
    const char *config;
    struct ask asks[5];
    enum vault_status status;
    const char *message;
};

/* Instance metadata would answer, had it been asked. */
static const struct broken broken_links[] = {
    {{"AWS_ACCESS_KEY_ID=AKID CANARY", "AWS_SECRET_ACCESS_KEY=secretCANARY"},
     NULL,
     {{0}},
     VAULT_BAD_CONFIG,
     "the access key id holds white space or a byte that is not printable ASCII (environment: "
     "AWS_ACCESS_KEY_ID and what goes with it)"},
    {{"AWS_PROFILE=gone"},
     "[default]\n" PAIR("x"),
     {{0}},
     VAULT_BAD_PROFILE,
     "profile \"gone\": no file %/.aws/credentials; no section [profile gone] in %/.aws/config"},
    {{NULL},
     "[default]\naws_access_key_id = AKIDCANARY\n",
     {{0}},
     VAULT_BAD_PROFILE,
     "profile \"default\" has aws_access_key_id but no aws_secret_access_key in %/.aws/config"},
    {{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/keys"},
     NULL,
     {{AGENT, .status = 403}},
     VAULT_CREDENTIALS_REFUSED,
     "container credentials (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI): HTTP 403"},
    {{"AWS_CONTAINER_CREDENTIALS_FULL_URI=http://10.0.0.1/CANARY"},
     NULL,
     {{0}},
     VAULT_BAD_CONFIG,
     NULL},
    {{"AWS_ROLE_ARN=" ARN("web"), "AWS_WEB_IDENTITY_TOKEN_FILE=%/gone"},
     NULL,
     {{0}},
     VAULT_BAD_CONFIG,
     "web identity for the role " ARN("web") ": cannot open %/gone: No such file or directory"},
    {{"AWS_ROLE_ARN=" ARN("web"), TOKEN_FILE},
     NULL,
     {{STS, .body = STS_ERROR("AccessDenied"), .status = 403}},
     VAULT_ACCESS_DENIED,
     "web identity for the role " ARN("web") ": AccessDenied: planted"},
    {{NULL},
     NULL,
     {{ASKS_TOKEN, .body = TOKEN}, {ASKS_ROLE, .status = 500}},
     VAULT_SERVER_ERROR,
     "instance metadata at " BASE ": HTTP 500 for " ROLE_PATH},
};

static void test_a_broken_link_ends_the_chain(void **state)
{
    (void)state;
    put("token", "jwtCANARY");
    for (size_t i = 0; i < sizeof broken_links / sizeof *broken_links; i++) {
        const struct broken *row = &broken_links[i];
        struct asking asking;

        put_profile(row->config);
        assert_int_equal(find_out_with(&asking, row->entries, &nobody, row->asks), row->status);
        assert_null(asking.credential.access_key_id);
        if (row->message)
            check_message(&asking.message, row->message);
        close_asking(&asking);
    }
    put_profile(NULL);
}

static void test_half_of_a_vaults_own_keys(void **state)
{
    static const struct vault_identity_request halves[] = {
        {.region = "eu-west-1", .access_key_id = "AKIDCANARY"},
        {.region = "eu-west-1", .secret_access_key = "secretCANARY"},
    };
    struct asking asking;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(
            find_out_with(&asking, sources[ENVIRONMENT].entries, &halves[i], sources[OWN].asks),
            VAULT_BAD_CONFIG);
        assert_string_equal(asking.message.text,
                            i ? "the access key id is empty (the vault's own keys)"
                              : "the secret access key is empty (the vault's own keys)");
        close_asking(&asking);
    }
}

/* ---- nothing anywhere ---- */

#define NO_PROFILE "no file %/.aws/credentials; no file %/.aws/config"

static void check_nothing(const char *const *entries, const struct ask *asks, const char *message)
{
    struct asking asking;

    assert_int_equal(find_out_with(&asking, entries, &nobody, asks), VAULT_NO_CREDENTIALS);
    check_message(&asking.message, message);
    close_asking(&asking);
}

static void test_nothing_names_all_five(void **state)
{
    static const struct ask none[] = {{0}};
    static const struct ask silence[] = {{ASKS_TOKEN, .outcome = VAULT_CONNECT_FAILED}, {0}};
    const char *const nothing[] = {NULL};
    const char *const half[] = {"AWS_ACCESS_KEY_ID=AKIDCANARY",
                                "AWS_SECRET_ACCESS_KEY=", "AWS_ROLE_ARN=" ARN("web"), NO_IMDS,
                                NULL};
    const char *const other_half[] = {"AWS_SECRET_ACCESS_KEY=secretCANARY", TOKEN_FILE, NO_IMDS,
                                      NULL};

    (void)state;
    check_nothing(nothing, silence,
                  "no AWS credentials: environment (AWS_ACCESS_KEY_ID is not set), profile "
                  "(" NO_PROFILE "), container (neither "
                  "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor AWS_CONTAINER_CREDENTIALS_FULL_URI "
                  "is set), web identity (AWS_WEB_IDENTITY_TOKEN_FILE is not set), instance "
                  "metadata (instance metadata at " BASE ": planted)");
    check_nothing(half, none,
                  "no AWS credentials: environment (AWS_SECRET_ACCESS_KEY is empty although "
                  "AWS_ACCESS_KEY_ID is set), profile (" NO_PROFILE "), container "
                  "(neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor "
                  "AWS_CONTAINER_CREDENTIALS_FULL_URI is set), web identity "
                  "(AWS_WEB_IDENTITY_TOKEN_FILE is not set although AWS_ROLE_ARN is set), instance "
                  "metadata (AWS_EC2_METADATA_DISABLED is true)");
    check_nothing(other_half, none,
                  "no AWS credentials: environment (AWS_ACCESS_KEY_ID is not set although "
                  "AWS_SECRET_ACCESS_KEY is set), profile (" NO_PROFILE "), container "
                  "(neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor "
                  "AWS_CONTAINER_CREDENTIALS_FULL_URI is set), web identity (AWS_ROLE_ARN is not "
                  "set although AWS_WEB_IDENTITY_TOKEN_FILE is set), instance metadata "
                  "(AWS_EC2_METADATA_DISABLED is true)");
}

static void test_a_half_set_environment_is_passed_over(void **state)
{
    const char *const entries[] = {"AWS_ACCESS_KEY_ID=AKIDCANARYenv", NULL};
    static const struct ask none[] = {{0}};
    struct asking asking;

    (void)state;
    put_profile("[default]\n" PAIR("p"));
    assert_int_equal(find_out_with(&asking, entries, &nobody, none), VAULT_OK);
    assert_string_equal(asking.credential.access_key_id, "AKIDCANARYp");
    close_asking(&asking);
    put_profile(NULL);
}

/* ---- a profile's credential_source ---- */

static const struct {
    const char *source;
    const char *entries[3];
    struct ask asks[3];
    const char *message;
} empty_sources[] = {
    {"Environment", {NULL}, {{0}}, "AWS_ACCESS_KEY_ID is not set"},
    {"EcsContainer",
     {NULL},
     {{0}},
     "neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor AWS_CONTAINER_CREDENTIALS_FULL_URI is "
     "set"},
    {"Ec2InstanceMetadata", {NO_IMDS}, {{0}}, "AWS_EC2_METADATA_DISABLED is true"},
    {"Ec2InstanceMetadata",
     {NULL},
     {{ASKS_TOKEN, .body = TOKEN}, {ASKS_ROLE, .status = 404}},
     "the instance has no role"},
};

static void test_a_credential_source_with_nothing_is_an_error(void **state)
{
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof empty_sources / sizeof *empty_sources; i++) {
        struct asking asking;

        snprintf(text, sizeof text, "[default]\nrole_arn = " ARN("a") "\ncredential_source = %s\n",
                 empty_sources[i].source);
        put_profile(text);
        assert_int_equal(
            find_out_with(&asking, empty_sources[i].entries, &nobody, empty_sources[i].asks),
            VAULT_BAD_PROFILE);
        snprintf(text, sizeof text, "the profile's credential_source has nothing to offer: %s",
                 empty_sources[i].message);
        assert_string_equal(asking.message.text, text);
        close_asking(&asking);
    }
    put_profile(NULL);
}

/* ---- lost memory ---- */

static void test_new_allocation(void **state)
{
    struct vault_identity *identity = NULL;
    struct asking asking;
    const char *const none[] = {NULL};

    (void)state;
    open_asking(&asking, none);
    vault_alloc_fail(1);
    assert_int_equal(vault_identity_new(&nobody, &asking.world, &identity), VAULT_NO_MEMORY);
    vault_alloc_fail(0);
    assert_null(identity);
    vault_identity_free(NULL);
    close_asking(&asking);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_pair_of_sources),
        cmocka_unit_test(test_a_broken_link_ends_the_chain),
        cmocka_unit_test(test_half_of_a_vaults_own_keys),
        cmocka_unit_test(test_nothing_names_all_five),
        cmocka_unit_test(test_a_half_set_environment_is_passed_over),
        cmocka_unit_test(test_a_credential_source_with_nothing_is_an_error),
        cmocka_unit_test(test_new_allocation),
    };

    return cmocka_run_group_tests(tests, make_home, remove_home);
}
