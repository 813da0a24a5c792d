/* test_credentials - the credential, and the one the environment holds.
 *
 * For:   what credentials.h promises.
 * Never: the chain (test_identity); the real environment.
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

        assert_int_equal(vault_environment_keys(&query, &credential, &why), rows[i].status);
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

static void test_environment_no_memory(void **state)
{
    static const char *const entries[] = {"AWS_ACCESS_KEY_ID=" ID, "AWS_SECRET_ACCESS_KEY=" SECRET,
                                          "AWS_SESSION_TOKEN=" TOKEN, NULL};
    struct vault_environment *environment = environment_of(entries);
    struct vault_credential_query query = {.environment = environment};
    struct vault_credential credential = {0};
    struct vault_message why = {0};
    enum vault_status status;
    unsigned long nth = 0;

    (void)state;
    do {
        vault_alloc_fail(++nth);
        status = vault_environment_keys(&query, &credential, &why);
        vault_alloc_fail(0);
        assert_true(status == VAULT_OK || (status == VAULT_NO_MEMORY && !credential.access_key_id));
    } while (status != VAULT_OK);
    assert_int_equal(nth, 4);
    vault_credential_clear(&credential);
    vault_environment_free(environment);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_and_clear),         cmocka_unit_test(test_set_refuses),
        cmocka_unit_test(test_set_no_memory),         cmocka_unit_test(test_environment),
        cmocka_unit_test(test_environment_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
