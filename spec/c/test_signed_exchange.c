/* test_signed_exchange - an exchange made ready for one service of AWS.
 *
 * For:   URL, Host and signature on the exchange, against vault_sigv4_sign told the same by hand;
 *        header lines that are none; lost memory.
 * Never: the signature itself (test_sigv4).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "signed_exchange.h"

#define WHEN 1440938160 /* 20150830T123600Z */
#define OWN                                                                                        \
    "Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: secretsmanager.GetSecretValue\r\n"
#define BODY "{\"SecretId\":\"db\"}"

struct scene {
    struct vault_endpoint endpoint;
    struct vault_credential credential;
    struct vault_exchange exchange;
    struct vault_signing signing;
};

static void open_scene(struct scene *scene, const char *url, const char *token, const char *headers)
{
    const struct vault_endpoint_query query = {
        .service = "secretsmanager", .region = "eu-west-1", .override = url};
    struct vault_message why = {0};

    memset(scene, 0, sizeof *scene);
    vault_endpoint_init(&scene->endpoint);
    vault_exchange_init(&scene->exchange);
    assert_int_equal(vault_endpoint_settle(&query, &scene->endpoint, &why), VAULT_OK);
    assert_int_equal(vault_credential_set(&scene->credential, "AKIDEXAMPLE", "secretCANARY", token,
                                          "test", &why),
                     VAULT_OK);
    assert_int_equal(vault_signer_new(&scene->signing.signer), VAULT_OK);
    scene->signing.endpoint = &scene->endpoint;
    scene->signing.credential = &scene->credential;
    scene->signing.region = "eu-west-1";
    scene->signing.service = "secretsmanager";
    scene->exchange.method = "POST";
    assert_int_equal(vault_buffer_text(&scene->exchange.headers, headers), VAULT_OK);
    assert_int_equal(vault_buffer_text(&scene->exchange.body, BODY), VAULT_OK);
}

static void close_scene(struct scene *scene)
{
    vault_signer_free(scene->signing.signer);
    vault_endpoint_free(&scene->endpoint);
    vault_credential_clear(&scene->credential);
    vault_exchange_free(&scene->exchange);
}

#define HEADER(name_text, value_text)                                                              \
    {                                                                                              \
        name_text, sizeof(name_text) - 1, value_text, strlen(value_text)                           \
    }

/* What the core says of the request written out: the wanted headers, and the stages. */
static void sign_by_hand(const char *host, const char *path, const char *token,
                         struct vault_buffer *headers, struct vault_sigv4_stages *stages)
{
    const struct vault_sigv4_header list[] = {
        HEADER("Host", host),
        HEADER("Content-Type", "application/x-amz-json-1.1"),
        HEADER("X-Amz-Target", "secretsmanager.GetSecretValue"),
    };
    const struct vault_sigv4_key key = {"AKIDEXAMPLE", "secretCANARY", token, "eu-west-1",
                                        "secretsmanager"};
    const struct vault_sigv4_request request = {
        .method = "POST",
        .method_length = 4,
        .path = path,
        .path_length = strlen(path),
        .query = "",
        .headers = list,
        .header_count = 3,
        .body = BODY,
        .body_length = strlen(BODY),
    };
    struct vault_signer *signer;

    vault_buffer_init(&stages->canonical_request, 8192);
    vault_buffer_init(&stages->string_to_sign, 8192);
    vault_buffer_init(&stages->signature, 8192);
    vault_buffer_init(&stages->authorization, 8192);
    assert_int_equal(vault_signer_new(&signer), VAULT_OK);
    assert_int_equal(vault_sigv4_sign(signer, &request, &key, WHEN, headers, stages), VAULT_OK);
    vault_signer_free(signer);
}

static void free_stages(struct vault_sigv4_stages *stages)
{
    vault_buffer_free(&stages->canonical_request);
    vault_buffer_free(&stages->string_to_sign);
    vault_buffer_free(&stages->signature);
    vault_buffer_free(&stages->authorization);
}

static void check_signed(const char *url, const char *token, const char *host, const char *path)
{
    struct scene scene;
    struct vault_buffer wanted;
    struct vault_sigv4_stages stages;
    char line[512];

    open_scene(&scene, url, token, OWN);
    assert_int_equal(vault_exchange_sign(&scene.exchange, &scene.signing, WHEN), VAULT_OK);
    assert_string_equal(scene.exchange.url.data, scene.endpoint.url.data);
    assert_string_equal(scene.exchange.body.data, BODY);

    vault_buffer_init(&wanted, 8192);
    snprintf(line, sizeof line, "Host: %s\r\n" OWN, host);
    assert_int_equal(vault_buffer_text(&wanted, line), VAULT_OK);
    sign_by_hand(host, path, token, &wanted, &stages);
    assert_string_equal(scene.exchange.headers.data, wanted.data);

    /* The hand-made stages are of this very request. */
    snprintf(line, sizeof line,
             "POST\n%s\n\ncontent-type:application/x-amz-json-1.1\nhost:%s\n"
             "x-amz-date:20150830T123600Z\n",
             path, host);
    assert_memory_equal(stages.canonical_request.data, line, strlen(line));
    assert_non_null(strstr(scene.exchange.headers.data, stages.signature.data));
    assert_non_null(strstr(scene.exchange.headers.data, "X-Amz-Date: 20150830T123600Z\r\n"));
    assert_int_equal(strstr(scene.exchange.headers.data, "X-Amz-Security-Token: ") != NULL,
                     token != NULL);
    assert_null(strstr(scene.exchange.headers.data, "CANARY"));
    free_stages(&stages);
    vault_buffer_free(&wanted);
    close_scene(&scene);
}

static void test_signs(void **state)
{
    (void)state;
    check_signed(NULL, NULL, "secretsmanager.eu-west-1.amazonaws.com", "/");
    check_signed(NULL, "token==", "secretsmanager.eu-west-1.amazonaws.com", "/");
    check_signed("http://127.0.0.1:4566", NULL, "127.0.0.1:4566", "/");
    check_signed("https://vpce.example/a/b", "token==", "vpce.example", "/a/b");
}

/* A second request on the same exchange and signer, at another time: nothing of the first is left.
 */
static void test_signs_again(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene, NULL, NULL, OWN);
    assert_int_equal(vault_exchange_sign(&scene.exchange, &scene.signing, WHEN), VAULT_OK);
    vault_exchange_clear(&scene.exchange);
    scene.exchange.method = "POST";
    assert_int_equal(vault_buffer_text(&scene.exchange.headers, "A:b\r\n"), VAULT_OK);
    assert_int_equal(vault_exchange_sign(&scene.exchange, &scene.signing, WHEN + 86400), VAULT_OK);
    assert_string_equal(scene.exchange.url.data, "https://secretsmanager.eu-west-1.amazonaws.com/");
    assert_non_null(strstr(scene.exchange.headers.data, "SignedHeaders=a;host;x-amz-date,"));
    assert_non_null(strstr(scene.exchange.headers.data, "/20150831/eu-west-1/secretsmanager/"));
    assert_null(strstr(scene.exchange.headers.data, "20150830"));
    close_scene(&scene);
}

static void test_header_lines(void **state)
{
    static const struct {
        const char *headers;
        enum vault_status status;
    } rows[] = {
        {"", VAULT_OK},
        {"A:\r\n", VAULT_OK},
        {"A: b:c\r\n", VAULT_OK},
        {"A: b\r\nNo colon\r\n", VAULT_INTERNAL},
        {"\r\n", VAULT_INTERNAL},
        {"A: b\r\n\r\n", VAULT_INTERNAL},
        {"A: b", VAULT_INTERNAL},
        {"A: b\r", VAULT_INTERNAL},
        {"A: b\n", VAULT_INTERNAL},
        {"A: b\rX: y\r\n", VAULT_INTERNAL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scene scene;
        enum vault_status status;

        open_scene(&scene, NULL, NULL, rows[i].headers);
        status = vault_exchange_sign(&scene.exchange, &scene.signing, WHEN);
        if (status != rows[i].status)
            fail_msg("row %zu: %d instead of %d", i, status, rows[i].status);
        assert_int_equal(strstr(scene.exchange.headers.data, "Authorization: ") != NULL,
                         status == VAULT_OK);
        close_scene(&scene);
    }
}

/* 16 headers with Host are signed, one more is not. */
static void test_number_of_headers(void **state)
{
    (void)state;
    for (int count = 15; count <= 17; count++) {
        char headers[256] = "";
        struct scene scene;

        for (int i = 0; i < count; i++)
            snprintf(headers + strlen(headers), sizeof headers - strlen(headers), "H%d: v\r\n", i);
        open_scene(&scene, NULL, NULL, headers);
        assert_int_equal(vault_exchange_sign(&scene.exchange, &scene.signing, WHEN),
                         count == 15 ? VAULT_OK : VAULT_INTERNAL);
        close_scene(&scene);
    }
}

static void test_what_sigv4_says(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene, NULL, NULL, OWN);
    assert_int_equal(vault_exchange_sign(&scene.exchange, &scene.signing, -1), VAULT_BAD_CONFIG);
    vault_exchange_clear(&scene.exchange);
    scene.signing.region = "";
    assert_int_equal(vault_exchange_sign(&scene.exchange, &scene.signing, WHEN), VAULT_BAD_CONFIG);
    scene.signing.region = "a";
    scene.exchange.url.limit = 10;
    assert_int_equal(vault_exchange_sign(&scene.exchange, &scene.signing, WHEN), VAULT_TOO_LARGE);
    scene.exchange.url.limit = 1000;
    scene.exchange.headers.limit = 200;
    vault_buffer_free(&scene.exchange.headers);
    assert_int_equal(vault_exchange_sign(&scene.exchange, &scene.signing, WHEN), VAULT_TOO_LARGE);
    close_scene(&scene);
}

static void test_allocations(void **state)
{
    enum vault_status status = VAULT_NO_MEMORY;
    unsigned long nth;

    (void)state;
    for (nth = 1; status == VAULT_NO_MEMORY; nth++) {
        struct scene scene;

        open_scene(&scene, NULL, "token", OWN);
        (void)vault_alloc_fail(nth);
        status = vault_exchange_sign(&scene.exchange, &scene.signing, WHEN);
        (void)vault_alloc_fail(0);
        close_scene(&scene);
    }
    assert_int_equal(status, VAULT_OK);
    assert_true(nth > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signs),           cmocka_unit_test(test_signs_again),
        cmocka_unit_test(test_header_lines),    cmocka_unit_test(test_number_of_headers),
        cmocka_unit_test(test_what_sigv4_says), cmocka_unit_test(test_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
