/* sign - what a signature costs beside the OpenSSL calls it makes.
 *
 * For:   signatures per second of a typical GetSecretValue with a session token: one body after the
 *        other, as a gateway sends them, and then each with another token than the one before. In
 *        the same run, in turns too short for the machine to change between them, the bare calls:
 *        two SHA-256 of the same sizes, one HMAC with a ready key. JSON lines, each the median of
 *        all rounds; of a ratio, the median of each round's own.
 * Never: deciding what is fast enough.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
#include <openssl/core_names.h>
#include <openssl/params.h>
#endif

#include "sigv4.h"
#include "support/round.h"

#define SIGNATURES 15000
#define TOKEN_SIZE 1000

#define HEADER(name, value)                                                                        \
    {                                                                                              \
        name, sizeof(name) - 1, value, sizeof(value) - 1                                           \
    }
#define BODY "{\"SecretId\":\"production/orders/database\",\"VersionStage\":\"AWSCURRENT\"}"

struct bare {
    EVP_MD_CTX *hash;
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
    EVP_MD *sha256;
    EVP_MAC *hmac;
    EVP_MAC_CTX *mac;
#else
    const EVP_MD *sha256;
    HMAC_CTX *mac;
#endif
};

static const struct vault_sigv4_header headers[] = {
    HEADER("Host", "secretsmanager.eu-central-1.amazonaws.com"),
    HEADER("Content-Type", "application/x-amz-json-1.1"),
    HEADER("X-Amz-Target", "secretsmanager.GetSecretValue"),
};

static const struct vault_sigv4_request request = {
    .method = "POST",
    .method_length = 4,
    .path = "/",
    .path_length = 1,
    .query = "",
    .headers = headers,
    .header_count = sizeof headers / sizeof *headers,
    .body = BODY,
    .body_length = sizeof(BODY) - 1,
};

static char token[TOKEN_SIZE + 1];

static const struct vault_sigv4_key key = {
    .access_key_id = "ASIAIOSFODNN7EXAMPLE",
    .secret_access_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    .session_token = token,
    .region = "eu-central-1",
    .service = "secretsmanager",
};

static double median_ratio(const double *above, const double *below)
{
    double ratios[BENCH_ROUNDS];

    for (int i = 0; i < BENCH_ROUNDS; i++)
        ratios[i] = above[i] / below[i];
    return bench_median(ratios);
}

/* changing: no request has the session token of the one before: nothing can be used again */
static double sign_rate(struct vault_signer *signer, struct vault_buffer *out, bool changing)
{
    double start = bench_now_ms();

    for (int i = 0; i < SIGNATURES; i++) {
        if (changing)
            token[0] = (char)('A' + i % 2);
        out->length = 0;
        bench_need(vault_sigv4_sign(signer, &request, &key, 1700000000 + i / 1000, out, NULL) ==
                       VAULT_OK,
                   "vault_sigv4_sign");
    }
    return SIGNATURES * 1e3 / (bench_now_ms() - start);
}

static void bare_hash(struct bare *bare, const void *bytes, size_t length)
{
    unsigned char out[EVP_MAX_MD_SIZE];

    bench_need(EVP_DigestInit_ex(bare->hash, bare->sha256, NULL) &&
                   EVP_DigestUpdate(bare->hash, bytes, length) &&
                   EVP_DigestFinal_ex(bare->hash, out, NULL),
               "SHA-256");
}

#if OPENSSL_VERSION_NUMBER >= 0x30000000L
static void bare_open(struct bare *bare)
{
    char name[] = "SHA256";
    const OSSL_PARAM settings[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
        OSSL_PARAM_construct_end(),
    };
    static const unsigned char signing_key[32] = {1};

    bare->hash = EVP_MD_CTX_new();
    bare->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    bare->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    bare->mac = EVP_MAC_CTX_new(bare->hmac);
    bench_need(EVP_MAC_init(bare->mac, signing_key, sizeof signing_key, settings), "EVP_MAC_init");
}

static void bare_mac(struct bare *bare, const void *bytes, size_t length)
{
    unsigned char out[EVP_MAX_MD_SIZE];
    size_t size;

    bench_need(EVP_MAC_init(bare->mac, NULL, 0, NULL) && EVP_MAC_update(bare->mac, bytes, length) &&
                   EVP_MAC_final(bare->mac, out, &size, sizeof out),
               "HMAC");
}

static void bare_close(struct bare *bare)
{
    EVP_MAC_CTX_free(bare->mac);
    EVP_MAC_free(bare->hmac);
    EVP_MD_free(bare->sha256);
    EVP_MD_CTX_free(bare->hash);
}
#else
static void bare_open(struct bare *bare)
{
    static const unsigned char signing_key[32] = {1};

    bare->hash = EVP_MD_CTX_new();
    bare->sha256 = EVP_sha256();
    bare->mac = HMAC_CTX_new();
    bench_need(HMAC_Init_ex(bare->mac, signing_key, sizeof signing_key, bare->sha256, NULL),
               "HMAC_Init_ex");
}

static void bare_mac(struct bare *bare, const void *bytes, size_t length)
{
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned size;

    bench_need(HMAC_Init_ex(bare->mac, NULL, 0, NULL, NULL) &&
                   HMAC_Update(bare->mac, bytes, length) && HMAC_Final(bare->mac, out, &size),
               "HMAC");
}

static void bare_close(struct bare *bare)
{
    HMAC_CTX_free(bare->mac);
    EVP_MD_CTX_free(bare->hash);
}
#endif

static double bare_rate(struct bare *bare, const struct vault_sigv4_stages *stages)
{
    double start = bench_now_ms();

    for (int i = 0; i < SIGNATURES; i++) {
        bare_hash(bare, request.body, request.body_length);
        bare_hash(bare, stages->canonical_request.data, stages->canonical_request.length);
        bare_mac(bare, stages->string_to_sign.data, stages->string_to_sign.length);
    }
    return SIGNATURES * 1e3 / (bench_now_ms() - start);
}

static void print(const char *name, const char *unit, double value, int digits)
{
    printf("{\"bench\":\"%s\",\"unit\":\"%s\",\"value\":%.*f}\n", name, unit, digits, value);
}

int main(void)
{
    double ours[BENCH_ROUNDS], changing[BENCH_ROUNDS], theirs[BENCH_ROUNDS];
    struct vault_sigv4_stages stages;
    struct vault_signer *signer;
    struct vault_buffer out;
    struct bare bare;

    memset(token, 'T', TOKEN_SIZE);
    vault_buffer_init(&out, 1 << 16);
    vault_buffer_init(&stages.canonical_request, 1 << 16);
    vault_buffer_init(&stages.string_to_sign, 1 << 16);
    vault_buffer_init(&stages.signature, 1 << 16);
    vault_buffer_init(&stages.authorization, 1 << 16);
    bench_need(vault_signer_new(&signer) == VAULT_OK, "vault_signer_new");
    bench_need(vault_sigv4_sign(signer, &request, &key, 1700000000, &out, &stages) == VAULT_OK,
               "vault_sigv4_sign");
    bare_open(&bare);
    for (int i = 0; i < BENCH_ROUNDS; i++) {
        ours[i] = sign_rate(signer, &out, false);
        changing[i] = sign_rate(signer, &out, true);
        theirs[i] = bare_rate(&bare, &stages);
    }
    print("sign", "signatures/s", bench_median(ours), 0);
    print("sign_changing_token", "signatures/s", bench_median(changing), 0);
    print("sign_bare_openssl", "signatures/s", bench_median(theirs), 0);
    print("sign_ratio", "of bare OpenSSL", median_ratio(ours, theirs), 3);
    print("sign_changing_token_ratio", "of bare OpenSSL", median_ratio(changing, theirs), 3);
    bare_close(&bare);
    vault_signer_free(signer);
    vault_buffer_free(&out);
    vault_buffer_free(&stages.canonical_request);
    vault_buffer_free(&stages.string_to_sign);
    vault_buffer_free(&stages.signature);
    vault_buffer_free(&stages.authorization);
    return 0;
}
