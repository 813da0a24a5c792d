/* test_digest - hashes and HMAC against published values, and an OpenSSL that fails or forgets.
 *
 * For:   FIPS 180-4 and RFC 4231 examples; contexts used again; every OpenSSL call failing in turn
 *        and the EVP_MAC_init of 3.0.0 to 3.0.2, by functions of the same name in front of
 *        OpenSSL's.
 * Never: what is hashed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "buffer.h"
#include "digest.h"

static bool refuse; /* every call below fails, and says so in OpenSSL's queue of errors */

static bool refused(void)
{
    if (!refuse)
        return false;
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
    ERR_raise(ERR_LIB_USER, 1);
#else
    ERR_put_error(ERR_LIB_USER, 0, 1, "", 0);
#endif
    return true;
}

static void *real(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (!found)
        fail_msg("no %s", name);
    return found;
}

int EVP_DigestInit_ex(EVP_MD_CTX *context, const EVP_MD *type, ENGINE *engine)
{
    int (*init)(EVP_MD_CTX *, const EVP_MD *, ENGINE *);

    *(void **)&init = real("EVP_DigestInit_ex");
    return refused() ? 0 : init(context, type, engine);
}

#if OPENSSL_VERSION_NUMBER >= 0x30000000L
static bool forget; /* EVP_MAC_init without a key does nothing */

EVP_MD *EVP_MD_fetch(OSSL_LIB_CTX *library, const char *name, const char *properties)
{
    EVP_MD *(*fetch)(OSSL_LIB_CTX *, const char *, const char *);

    *(void **)&fetch = real("EVP_MD_fetch");
    return refused() ? NULL : fetch(library, name, properties);
}

int EVP_MAC_init(EVP_MAC_CTX *context, const unsigned char *key, size_t length,
                 const OSSL_PARAM parameters[])
{
    int (*init)(EVP_MAC_CTX *, const unsigned char *, size_t, const OSSL_PARAM[]);

    *(void **)&init = real("EVP_MAC_init");
    if (refused())
        return 0;
    if (forget && !key)
        return 1;
    return init(context, key, length, parameters);
}
#endif

static struct vault_digest *new_digest(void)
{
    struct vault_digest *digest = NULL;

    assert_int_equal(vault_digest_new(&digest), VAULT_OK);
    return digest;
}

static void same_hex(const unsigned char *bytes, const char *expected)
{
    char hex[VAULT_DIGEST_HEX + 1] = {0};

    vault_digest_hex(bytes, hex);
    assert_string_equal(hex, expected);
}

static void test_sha256(void **state)
{
    static const struct {
        const char *text;
        const char *hash;
    } all[] = {
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    struct vault_digest *digest = new_digest();
    unsigned char hash[VAULT_DIGEST_SIZE];

    (void)state;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
            assert_int_equal(vault_digest_sha256(digest, all[i].text, strlen(all[i].text), hash),
                             VAULT_OK);
            same_hex(hash, all[i].hash);
        }
    }
    assert_int_equal(vault_digest_sha256(digest, NULL, 0, hash), VAULT_OK);
    same_hex(hash, all[1].hash);
    vault_digest_free(digest);
    vault_digest_free(NULL);
}

static void test_sha1(void **state)
{
    static const struct {
        const char *text;
        const char *hash;
    } all[] = {
        {"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {"", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
    };
    char hex[VAULT_SHA1_HEX + 1] = "kept";

    (void)state;
    refuse = true;
    assert_int_equal(vault_digest_sha1_hex("abc", 3, hex), VAULT_INTERNAL);
    refuse = false;
    assert_string_equal(hex, "kept");
    assert_int_equal(ERR_peek_error(), 0);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        assert_int_equal(vault_digest_sha1_hex(all[i].text, strlen(all[i].text), hex), VAULT_OK);
        assert_string_equal(hex, all[i].hash);
    }
}

/* RFC 4231 cases 1, 2, 3 and 6 (a key over one block), each run three times per key. */
static void check_hmac(void)
{
    static const struct {
        const char *key;
        size_t key_length;
        const char *text;
        const char *mac;
    } all[] = {
        {"\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b", 20,
         "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"Jefe", 4, "what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {NULL, 131, "Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    };
    struct vault_digest *digest = new_digest();
    struct vault_hmac *hmac = NULL;
    unsigned char mac[VAULT_DIGEST_SIZE];
    char long_key[131];

    memset(long_key, 0xaa, sizeof long_key);
    assert_int_equal(vault_hmac_new(digest, &hmac), VAULT_OK);
    assert_int_equal(vault_hmac_run(hmac, "", 0, mac), VAULT_INTERNAL);
    for (size_t i = 0; i < 2 * sizeof all / sizeof *all; i++) {
        size_t n = i % (sizeof all / sizeof *all);
        const char *key = all[n].key ? all[n].key : long_key;

        assert_int_equal(vault_hmac_key(hmac, key, all[n].key_length), VAULT_OK);
        for (int round = 0; round < 3; round++) {
            assert_int_equal(vault_hmac_run(hmac, all[n].text, strlen(all[n].text), mac), VAULT_OK);
            same_hex(mac, all[n].mac);
        }
    }
    vault_hmac_free(hmac);
    vault_hmac_free(NULL);
    vault_digest_free(digest);
}

static void test_hmac(void **state)
{
    (void)state;
    check_hmac();
}

static void test_hmac_that_forgets(void **state)
{
    (void)state;
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
    forget = true;
    check_hmac();
    forget = false;
#else
    skip();
#endif
}

/* Refusals of OpenSSL are VAULT_INTERNAL, leave nothing in its queue, and do not last. */
static void test_openssl_refuses(void **state)
{
    struct vault_digest *digest = new_digest(), *other = NULL;
    unsigned char out[VAULT_DIGEST_SIZE];
    struct vault_hmac *hmac = NULL;

    (void)state;
    assert_int_equal(vault_hmac_new(digest, &hmac), VAULT_OK);
    refuse = true;
    assert_int_equal(vault_digest_sha256(digest, "abc", 3, out), VAULT_INTERNAL);
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
    assert_int_equal(vault_digest_new(&other), VAULT_INTERNAL);
    assert_int_equal(vault_hmac_key(hmac, "key", 3), VAULT_INTERNAL);
    refuse = false;
    assert_int_equal(vault_hmac_run(hmac, "abc", 3, out), VAULT_INTERNAL);
    assert_int_equal(vault_hmac_key(hmac, "key", 3), VAULT_OK);
    assert_int_equal(vault_hmac_run(hmac, "abc", 3, out), VAULT_OK);
    refuse = true;
    assert_int_equal(vault_hmac_run(hmac, "abc", 3, out), VAULT_INTERNAL);
#endif
    refuse = false;
    assert_null(other);
    assert_int_equal(ERR_peek_error(), 0);
    assert_int_equal(vault_digest_sha256(digest, "abc", 3, out), VAULT_OK);
    vault_hmac_free(hmac);
    vault_digest_free(digest);
}

static enum vault_status all_steps(void)
{
    struct vault_digest *digest = NULL;
    struct vault_hmac *hmac = NULL;
    enum vault_status status = vault_digest_new(&digest);

    if (status == VAULT_OK)
        status = vault_hmac_new(digest, &hmac);
    if (status == VAULT_OK)
        status = vault_hmac_key(hmac, "key", 3);
    vault_hmac_free(hmac);
    vault_digest_free(digest);
    return status;
}

static void check_allocations(unsigned long least)
{
    enum vault_status status;
    unsigned long nth = 0;

    do {
        vault_alloc_fail(++nth);
        status = all_steps();
        vault_alloc_fail(0);
        if (status != VAULT_OK)
            assert_int_equal(status, VAULT_NO_MEMORY);
    } while (status != VAULT_OK);
    assert_int_equal(nth, least);
}

static void test_steps_without_allocation(void **state)
{
    (void)state;
    check_allocations(3);
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
    forget = true;
    check_allocations(4); /* the key is kept */
    forget = false;
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_sha1),
        cmocka_unit_test(test_hmac),
        cmocka_unit_test(test_hmac_that_forgets),
        cmocka_unit_test(test_openssl_refuses),
        cmocka_unit_test(test_steps_without_allocation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
