/* test_sigv4_keys - the right key for every scope and secret, whatever was asked before.
 *
 * For:   AWS's worked example, eviction, near-equal secrets, failures.
 * Never: requests (test_sigv4).
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "sigv4_keys.h"

static struct vault_digest *digest;

static int open_digest(void **state)
{
    (void)state;
    return vault_digest_new(&digest) == VAULT_OK ? 0 : -1;
}

static int close_digest(void **state)
{
    (void)state;
    vault_digest_free(digest);
    return 0;
}

static struct vault_sigv4_keys *new_keys(void)
{
    struct vault_sigv4_keys *keys = NULL;

    assert_int_equal(vault_sigv4_keys_new(digest, &keys), VAULT_OK);
    return keys;
}

/* The worked example of AWS's guide to deriving a signing key. */
static void test_published_key(void **state)
{
    static const unsigned char published[VAULT_DIGEST_SIZE] = {
        0xc4, 0xaf, 0xb1, 0xcc, 0x57, 0x71, 0xd8, 0x71, 0x76, 0x3a, 0x39,
        0x3e, 0x44, 0xb7, 0x03, 0x57, 0x1b, 0x55, 0xcc, 0x28, 0x42, 0x4d,
        0x1a, 0x5e, 0x86, 0xda, 0x6e, 0xd3, 0xc1, 0x54, 0xa4, 0xb9};
    static const char scope[] = "20150830/us-east-1/iam/aws4_request";
    struct vault_sigv4_keys *keys = new_keys();
    struct vault_hmac *found = NULL, *known = NULL;
    unsigned char ours[VAULT_DIGEST_SIZE], theirs[VAULT_DIGEST_SIZE];

    (void)state;
    assert_int_equal(vault_hmac_new(digest, &known), VAULT_OK);
    assert_int_equal(vault_hmac_key(known, published, sizeof published), VAULT_OK);
    assert_int_equal(vault_sigv4_keys_find(keys, scope, sizeof scope - 1,
                                           "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", &found),
                     VAULT_OK);
    assert_int_equal(vault_hmac_run(found, "text", 4, ours), VAULT_OK);
    assert_int_equal(vault_hmac_run(known, "text", 4, theirs), VAULT_OK);
    assert_memory_equal(ours, theirs, sizeof ours);
    vault_hmac_free(known);
    vault_sigv4_keys_free(keys);
}

static void mac_by(struct vault_sigv4_keys *keys, const char *scope, const char *secret,
                   unsigned char mac[VAULT_DIGEST_SIZE])
{
    struct vault_hmac *found = NULL;

    assert_int_equal(vault_sigv4_keys_find(keys, scope, strlen(scope), secret, &found), VAULT_OK);
    assert_int_equal(vault_hmac_run(found, "text", 4, mac), VAULT_OK);
}

/* More keys than are kept, in an order that hits, misses and evicts: each is what keys that have
 * never served another make of it. */
static void test_keys_do_not_mix(void **state)
{
    static const char *const secrets[] = {"secret", "secreT", "secre", "secrets"};
    static const char *const scopes[] = {
        "20150830/us-east-1/sts/aws4_request", "20150831/us-east-1/sts/aws4_request",
        "20150830/us-east-11/sts/aws4_request", "20150830/us-east-1/1sts/aws4_request"};
    struct vault_sigv4_keys *keys = new_keys();

    (void)state;
    for (unsigned i = 0; i < 500; i++) {
        const unsigned n = i < 100 ? i * 7 : i * i / 3;
        const char *secret = secrets[n & 3], *scope = scopes[n >> 2 & 3];
        struct vault_sigv4_keys *fresh = new_keys();
        unsigned char kept[VAULT_DIGEST_SIZE], made[VAULT_DIGEST_SIZE];

        mac_by(keys, scope, secret, kept);
        mac_by(fresh, scope, secret, made);
        assert_memory_equal(kept, made, sizeof kept);
        vault_sigv4_keys_free(fresh);
    }
    vault_sigv4_keys_free(keys);
}

/* Without allocations a key that is kept is found, and one that is not cannot be made. */
static bool is_kept(struct vault_sigv4_keys *keys, const char *secret)
{
    struct vault_hmac *found = NULL;
    enum vault_status status;

    vault_alloc_fail(1);
    status = vault_sigv4_keys_find(keys, "d/r/s/aws4_request", 18, secret, &found);
    vault_alloc_fail(0);
    assert_true(status == VAULT_OK || status == VAULT_NO_MEMORY);
    assert_true((status == VAULT_OK) == (found != NULL));
    return status == VAULT_OK;
}

static void test_longest_unused_leaves(void **state)
{
    struct vault_sigv4_keys *keys = new_keys();
    unsigned char mac[VAULT_DIGEST_SIZE];
    char secret[] = "a";

    (void)state;
    for (int i = 0; i < VAULT_SIGV4_KEYS_MAX; i++, secret[0]++)
        mac_by(keys, "d/r/s/aws4_request", secret, mac);
    assert_true(is_kept(keys, "a"));
    mac_by(keys, "d/r/s/aws4_request", "new", mac);
    assert_true(is_kept(keys, "new"));
    assert_true(is_kept(keys, "a"));
    assert_true(is_kept(keys, "c"));
    assert_false(is_kept(keys, "b"));
    vault_sigv4_keys_free(keys);
}

static void test_length_of_secret(void **state)
{
    struct vault_sigv4_keys *keys = new_keys();
    struct vault_hmac *found = NULL;
    char *secret = calloc(1, 4098);

    (void)state;
    memset(secret, 's', 4096);
    assert_int_equal(vault_sigv4_keys_find(keys, "d/r", 3, secret, &found), VAULT_OK);
    found = NULL;
    secret[4096] = 's';
    assert_int_equal(vault_sigv4_keys_find(keys, "d/r", 3, secret, &found), VAULT_TOO_LARGE);
    assert_null(found);
    free(secret);
    vault_sigv4_keys_free(keys);
    vault_sigv4_keys_free(NULL);
}

static void test_find_without_allocation(void **state)
{
    enum vault_status status;
    unsigned long nth = 0;

    (void)state;
    do {
        struct vault_sigv4_keys *keys = NULL;
        struct vault_hmac *found = NULL;

        vault_alloc_fail(++nth);
        status = vault_sigv4_keys_new(digest, &keys);
        if (status == VAULT_OK)
            status = vault_sigv4_keys_find(keys, "d/r", 3, "secret", &found);
        vault_alloc_fail(0);
        if (status != VAULT_OK) {
            assert_int_equal(status, VAULT_NO_MEMORY);
            assert_null(found);
        }
        vault_sigv4_keys_free(keys);
    } while (status != VAULT_OK);
    assert_true(nth > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_key),           cmocka_unit_test(test_keys_do_not_mix),
        cmocka_unit_test(test_longest_unused_leaves),   cmocka_unit_test(test_length_of_secret),
        cmocka_unit_test(test_find_without_allocation),
    };

    return cmocka_run_group_tests(tests, open_digest, close_digest);
}
