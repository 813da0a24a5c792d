/* test_credentials - the credential, the chain, the environment provider.
 *
 * For:   what credentials.h promises; the chain with providers of the test's own.
 * Never: files (test_credentials_profile); the real environment.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "credentials.h"

#define ID     "AKIDCANARY"
#define SECRET "secretCANARY/+="
#define TOKEN  "tokenCANARY=="

static struct vault_environment *environment_of(const char *const *entries)
{
    struct vault_environment *made = NULL;

    assert_int_equal(vault_environment_new(entries, &made), VAULT_OK);
    return made;
}

static char *repeat(char byte, size_t count)
{
    char *text = malloc(count + 1);

    memset(text, byte, count);
    text[count] = '\0';
    return text;
}

static void test_set_and_clear(void **state)
{
    struct vault_credential credential = {0};
    struct vault_message why = {0};

    (void)state;
    assert_int_equal(vault_credential_set(&credential, ID, SECRET, TOKEN, "here", &why), VAULT_OK);
    assert_string_equal(credential.access_key_id, ID);
    assert_string_equal(credential.secret_access_key, SECRET);
    assert_string_equal(credential.session_token, TOKEN);
    assert_string_equal(credential.source, "here");
    assert_int_equal(credential.expires, 0);
    assert_int_equal(vault_credential_set(&credential, "x", "y", "", "there", &why), VAULT_OK);
    assert_string_equal(credential.access_key_id, "x");
    assert_null(credential.session_token);
    assert_int_equal(vault_credential_set(&credential, "x", "y", NULL, "there", &why), VAULT_OK);
    assert_null(credential.session_token);
    vault_credential_clear(&credential);
    assert_null(credential.access_key_id);
    assert_null(credential.secret_access_key);
    assert_null(credential.source);
    vault_credential_clear(&credential);
    assert_int_equal(why.length, 0);
}

static void test_set_refuses(void **state)
{
    char *long_part = repeat('k', 4097), *long_token = repeat('k', 16385);
    const struct {
        const char *id, *secret, *token, *fault;
    } rows[] = {
        {"", SECRET, TOKEN, "access key id is empty"},
        {NULL, SECRET, TOKEN, "access key id is empty"},
        {ID, "", TOKEN, "secret access key is empty"},
        {ID, NULL, TOKEN, "secret access key is empty"},
        {long_part, SECRET, TOKEN, "access key id is over 4096"},
        {ID, long_part, TOKEN, "secret access key is over 4096"},
        {ID, SECRET, long_token, "session token is over 16384"},
        {ID " ", SECRET, TOKEN, "access key id holds"},
        {ID "\n", SECRET, TOKEN, "access key id holds"},
        {ID, SECRET "\r\nX-Evil: CANARY", TOKEN, "secret access key holds"},
        {ID, "\t" SECRET, TOKEN, "secret access key holds"},
        {ID, SECRET, TOKEN "\x7f", "session token holds"},
        {ID, SECRET, "\xC3\xBC" TOKEN, "session token holds"},
    };
    struct vault_credential credential = {0};
    struct vault_message why = {0};

    (void)state;
    assert_int_equal(vault_credential_set(&credential, "old", "old", NULL, "old", &why), VAULT_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        vault_message_clear(&why);
        assert_int_equal(vault_credential_set(&credential, rows[i].id, rows[i].secret,
                                              rows[i].token, "new", &why),
                         VAULT_BAD_CONFIG);
        assert_non_null(strstr(why.text, rows[i].fault));
        assert_null(strstr(why.text, "CANARY"));
        assert_string_equal(credential.access_key_id, "old");
        assert_string_equal(credential.source, "old");
    }
    long_part[4096] = '\0';
    long_token[16384] = '\0';
    assert_int_equal(
        vault_credential_set(&credential, long_part, long_part, long_token, "new", &why), VAULT_OK);
    vault_credential_clear(&credential);
    free(long_part);
    free(long_token);
}

static void test_set_no_memory(void **state)
{
    struct vault_credential credential = {0};
    struct vault_message why = {0};
    enum vault_status status;
    unsigned long nth = 0;

    (void)state;
    assert_int_equal(vault_credential_set(&credential, "old", "old", NULL, "old", &why), VAULT_OK);
    do {
        vault_alloc_fail(++nth);
        status = vault_credential_set(&credential, ID, SECRET, TOKEN, "new", &why);
        vault_alloc_fail(0);
        if (status != VAULT_OK) {
            assert_int_equal(status, VAULT_NO_MEMORY);
            assert_string_equal(credential.access_key_id, "old");
        }
    } while (status != VAULT_OK);
    assert_int_equal(nth, 4);
    vault_credential_clear(&credential);
}

struct environment_row {
    const char *entries[4];
    enum vault_status status;
    const char *says;
};

static void test_environment(void **state)
{
    static const struct environment_row rows[] = {
        {{"AWS_ACCESS_KEY_ID=" ID, "AWS_SECRET_ACCESS_KEY=" SECRET, "AWS_SESSION_TOKEN=" TOKEN},
         VAULT_OK,
         ""},
        {{"AWS_ACCESS_KEY_ID=" ID, "AWS_SECRET_ACCESS_KEY=" SECRET}, VAULT_OK, ""},
        {{"AWS_ACCESS_KEY_ID=" ID, "AWS_SECRET_ACCESS_KEY=" SECRET, "AWS_SESSION_TOKEN="},
         VAULT_OK,
         ""},
        {{NULL}, VAULT_NOT_CONFIGURED, "AWS_ACCESS_KEY_ID is not set"},
        {{"AWS_SESSION_TOKEN=" TOKEN}, VAULT_NOT_CONFIGURED, "AWS_ACCESS_KEY_ID is not set"},
        {{"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY="},
         VAULT_NOT_CONFIGURED,
         "AWS_ACCESS_KEY_ID is empty"},
        {{"AWS_ACCESS_KEY_ID=" ID},
         VAULT_NOT_CONFIGURED,
         "AWS_SECRET_ACCESS_KEY is not set although AWS_ACCESS_KEY_ID is set"},
        {{"AWS_ACCESS_KEY_ID=" ID, "AWS_SECRET_ACCESS_KEY="},
         VAULT_NOT_CONFIGURED,
         "AWS_SECRET_ACCESS_KEY is empty although AWS_ACCESS_KEY_ID is set"},
        {{"AWS_SECRET_ACCESS_KEY=" SECRET},
         VAULT_NOT_CONFIGURED,
         "AWS_ACCESS_KEY_ID is not set although AWS_SECRET_ACCESS_KEY is set"},
        {{"AWS_ACCESS_KEY_ID=" ID, "AWS_SECRET_ACCESS_KEY=" SECRET "\n"},
         VAULT_BAD_CONFIG,
         "the secret access key holds white space or a byte that is not printable ASCII "
         "(environment: AWS_ACCESS_KEY_ID and what goes with it)"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vault_environment *environment = environment_of(rows[i].entries);
        struct vault_credential_query query = {.environment = environment};
        struct vault_credential credential = {0};
        struct vault_message why = {0};

        assert_int_equal(vault_provider_environment.find(&query, &credential, &why),
                         rows[i].status);
        assert_string_equal(why.text, rows[i].says);
        if (rows[i].status == VAULT_OK) {
            assert_string_equal(credential.access_key_id, ID);
            assert_string_equal(credential.secret_access_key, SECRET);
            assert_string_equal(credential.source, "environment");
            assert_int_equal(credential.session_token != NULL, i == 0);
        } else
            assert_null(credential.access_key_id);
        vault_credential_clear(&credential);
        vault_environment_free(environment);
    }
}

/* Providers of the test's own: what each answers, and how often it was asked. */
static int asked[3];

static enum vault_status has_nothing(const struct vault_credential_query *query,
                                     struct vault_credential *credential, struct vault_message *why)
{
    (void)query;
    (void)credential;
    asked[0]++;
    vault_message_add(why, "nothing here");
    return VAULT_NOT_CONFIGURED;
}

static enum vault_status is_broken(const struct vault_credential_query *query,
                                   struct vault_credential *credential, struct vault_message *why)
{
    (void)query;
    (void)credential;
    asked[1]++;
    vault_message_add(why, "it broke");
    return VAULT_BAD_PROFILE;
}

static enum vault_status has_one(const struct vault_credential_query *query,
                                 struct vault_credential *credential, struct vault_message *why)
{
    (void)query;
    asked[2]++;
    return vault_credential_set(credential, ID, SECRET, NULL, "one", why);
}

static void test_chain(void **state)
{
    static const struct vault_provider nothing = {"nothing", has_nothing}, one = {"one", has_one},
                                       broken = {"broken", is_broken};
    static const struct {
        const struct vault_provider *chain[4];
        enum vault_status status;
        int asked[3];
        const char *says;
    } rows[] = {
        {{NULL}, VAULT_NO_CREDENTIALS, {0, 0, 0}, "no AWS credentials: "},
        {{&one, &broken}, VAULT_OK, {0, 0, 1}, ""},
        {{&nothing, &one, &broken}, VAULT_OK, {1, 0, 1}, ""},
        {{&broken, &one}, VAULT_BAD_PROFILE, {0, 1, 0}, "it broke"},
        {{&nothing, &broken, &one}, VAULT_BAD_PROFILE, {1, 1, 0}, "it broke"},
        {{&nothing, &nothing},
         VAULT_NO_CREDENTIALS,
         {2, 0, 0},
         "no AWS credentials: nothing (nothing here), nothing (nothing here)"},
    };
    struct vault_credential_query query = {0};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct vault_credential credential = {0};
        struct vault_message why = {0};

        memset(asked, 0, sizeof asked);
        assert_int_equal(vault_credentials_find_in(rows[i].chain, &query, &credential, &why),
                         rows[i].status);
        assert_memory_equal(asked, rows[i].asked, sizeof asked);
        assert_string_equal(why.text, rows[i].says);
        vault_credential_clear(&credential);
    }
}

/* The environment before the profile, whose files are not there; the words where none has any. */
static void test_default_chain(void **state)
{
    static const char *const keys[] = {"AWS_ACCESS_KEY_ID=" ID, "AWS_SECRET_ACCESS_KEY=" SECRET,
                                       "AWS_PROFILE=absent", NULL};
    static const char *const none[] = {"HOME=/nonexistent", NULL};
    struct vault_environment *environment = environment_of(keys);
    struct vault_credential_query query = {.environment = environment};
    struct vault_credential credential = {0};
    struct vault_message why = {0};

    (void)state;
    assert_int_equal(vault_credentials_find(&query, &credential, &why), VAULT_OK);
    assert_string_equal(credential.source, "environment");
    vault_credential_clear(&credential);
    vault_environment_free(environment);
    environment = environment_of(none);
    query.environment = environment;
    assert_int_equal(vault_credentials_find(&query, &credential, &why), VAULT_NO_CREDENTIALS);
    assert_string_equal(
        why.text, "no AWS credentials: environment (AWS_ACCESS_KEY_ID is not set), profile "
                  "(no file /nonexistent/.aws/credentials; no file /nonexistent/.aws/config)");
    vault_environment_free(environment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_and_clear), cmocka_unit_test(test_set_refuses),
        cmocka_unit_test(test_set_no_memory), cmocka_unit_test(test_environment),
        cmocka_unit_test(test_chain),         cmocka_unit_test(test_default_chain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
