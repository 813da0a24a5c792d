/* digest - SHA-256 and HMAC-SHA-256, and SHA-1 where others name their files by it.
 *
 * For:   what digest.h promises. The one place where OpenSSL 1.1.1 and 3 differ is here.
 * Never: deprecated calls; one-shot HMAC(), which in OpenSSL 3 fetches its algorithm every time.
 */
#include "digest.h"

#include <stdbool.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "buffer.h"

#if OPENSSL_VERSION_NUMBER >= 0x30000000L
#include <openssl/core_names.h>
#include <openssl/params.h>

struct algorithms {
    EVP_MD *sha256;
    EVP_MAC *hmac;
};

struct mac {
    EVP_MAC_CTX *context;
};

static bool fetch(struct algorithms *all)
{
    all->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    all->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    return all->sha256 && all->hmac;
}

static void unfetch(struct algorithms *all)
{
    EVP_MD_free(all->sha256);
    EVP_MAC_free(all->hmac);
}

static bool mac_open(struct mac *mac, const struct algorithms *all)
{
    char name[] = "SHA256";
    const OSSL_PARAM settings[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
        OSSL_PARAM_construct_end(),
    };

    mac->context = EVP_MAC_CTX_new(all->hmac);
    return mac->context && EVP_MAC_CTX_set_params(mac->context, settings);
}

static void mac_close(struct mac *mac)
{
    EVP_MAC_CTX_free(mac->context);
}

/* key NULL: the one it had */
static bool mac_start(struct mac *mac, const void *key, size_t length)
{
    return EVP_MAC_init(mac->context, key, length, NULL);
}

static bool mac_end(struct mac *mac, const void *bytes, size_t length, unsigned char *out)
{
    size_t size = 0;

    return EVP_MAC_update(mac->context, bytes, length) &&
           EVP_MAC_final(mac->context, out, &size, VAULT_DIGEST_SIZE) && size == VAULT_DIGEST_SIZE;
}
#else
struct algorithms {
    const EVP_MD *sha256;
};

struct mac {
    HMAC_CTX *context;
    const EVP_MD *sha256;
};

static bool fetch(struct algorithms *all)
{
    all->sha256 = EVP_sha256();
    return all->sha256;
}

static void unfetch(struct algorithms *all)
{
    all->sha256 = NULL;
}

static bool mac_open(struct mac *mac, const struct algorithms *all)
{
    mac->sha256 = all->sha256;
    mac->context = HMAC_CTX_new();
    return mac->context;
}

static void mac_close(struct mac *mac)
{
    HMAC_CTX_free(mac->context);
}

/* key NULL: the one it had */
static bool mac_start(struct mac *mac, const void *key, size_t length)
{
    if (length > 1 << 20)
        return false;
    return HMAC_Init_ex(mac->context, key, (int)length, key ? mac->sha256 : NULL, NULL);
}

static bool mac_end(struct mac *mac, const void *bytes, size_t length, unsigned char *out)
{
    unsigned size = 0;

    return HMAC_Update(mac->context, bytes, length) && HMAC_Final(mac->context, out, &size) &&
           size == VAULT_DIGEST_SIZE;
}
#endif

struct vault_digest {
    struct algorithms all;
    EVP_MD_CTX *context;
    bool forgets_key; /* a restart without the key is not one: see probe() */
};

struct vault_hmac {
    struct mac mac;
    bool forgets_key;
    bool fresh;     /* started and not yet used */
    bool keyed;     /* has a key */
    char *kept_key; /* only where forgets_key */
    size_t kept_length;
};

/* A stale error in this thread's queue would be taken for one of nginx's own. */
static enum vault_status failed(void)
{
    ERR_clear_error();
    return VAULT_INTERNAL;
}

/* In OpenSSL 3.0.0 to 3.0.2 EVP_MAC_init without a key says yes and restarts nothing
 * (openssl/openssl#17811), so that every MAC but the first is wrong. The provider in use decides,
 * not the version of the library: ask it. */
static enum vault_status probe(struct vault_digest *digest)
{
    unsigned char first[VAULT_DIGEST_SIZE], second[VAULT_DIGEST_SIZE];
    struct mac mac = {0};
    enum vault_status status = VAULT_OK;

    if (!mac_open(&mac, &digest->all) || !mac_start(&mac, "key", 3) ||
        !mac_end(&mac, "text", 4, first))
        status = failed();
    else
        digest->forgets_key = !mac_start(&mac, NULL, 0) || !mac_end(&mac, "text", 4, second) ||
                              memcmp(first, second, sizeof first) != 0;
    mac_close(&mac);
    if (digest->forgets_key)
        ERR_clear_error();
    return status;
}

enum vault_status vault_digest_new(struct vault_digest **made)
{
    struct vault_digest *digest = vault_alloc(sizeof *digest);
    enum vault_status status;

    if (!digest)
        return VAULT_NO_MEMORY;
    digest->context = EVP_MD_CTX_new();
    status = digest->context && fetch(&digest->all) ? probe(digest) : failed();
    if (status != VAULT_OK) {
        vault_digest_free(digest);
        return status;
    }
    *made = digest;
    return VAULT_OK;
}

void vault_digest_free(struct vault_digest *digest)
{
    if (!digest)
        return;
    EVP_MD_CTX_free(digest->context);
    unfetch(&digest->all);
    vault_free(digest);
}

enum vault_status vault_digest_sha256(struct vault_digest *digest, const void *bytes, size_t length,
                                      unsigned char *hash)
{
    if (!EVP_DigestInit_ex(digest->context, digest->all.sha256, NULL) ||
        !EVP_DigestUpdate(digest->context, bytes, length) ||
        !EVP_DigestFinal_ex(digest->context, hash, NULL))
        return failed();
    return VAULT_OK;
}

/* "00" to "ff", so that each byte is one look-up. */
#define ROW(high)                                                                                  \
    high "0" high "1" high "2" high "3" high "4" high "5" high "6" high "7" high "8" high "9" high \
         "a" high "b" high "c" high "d" high "e" high "f"

static void put_hex(const unsigned char *hash, size_t size, char *hex)
{
    static const char pairs[] = ROW("0") ROW("1") ROW("2") ROW("3") ROW("4") ROW("5") ROW("6")
        ROW("7") ROW("8") ROW("9") ROW("a") ROW("b") ROW("c") ROW("d") ROW("e") ROW("f");

    for (size_t i = 0; i < size; i++)
        memcpy(hex + 2 * i, pairs + 2 * (size_t)hash[i], 2);
}

void vault_digest_hex(const unsigned char *hash, char hex[VAULT_DIGEST_HEX])
{
    put_hex(hash, VAULT_DIGEST_SIZE, hex);
}

/* Once in the life of a credential: no context is kept for it. */
enum vault_status vault_digest_sha1_hex(const void *bytes, size_t length,
                                        char hex[VAULT_SHA1_HEX + 1])
{
    unsigned char hash[VAULT_SHA1_HEX / 2];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    enum vault_status status = VAULT_OK;

    if (!context || !EVP_DigestInit_ex(context, EVP_sha1(), NULL) ||
        !EVP_DigestUpdate(context, bytes, length) || !EVP_DigestFinal_ex(context, hash, NULL)) {
        status = failed();
    } else {
        put_hex(hash, sizeof hash, hex);
        hex[VAULT_SHA1_HEX] = '\0';
    }
    EVP_MD_CTX_free(context);
    return status;
}

enum vault_status vault_hmac_new(const struct vault_digest *digest, struct vault_hmac **made)
{
    struct vault_hmac *hmac = vault_alloc(sizeof *hmac);

    if (!hmac)
        return VAULT_NO_MEMORY;
    hmac->forgets_key = digest->forgets_key;
    if (!mac_open(&hmac->mac, &digest->all)) {
        vault_hmac_free(hmac);
        return failed();
    }
    *made = hmac;
    return VAULT_OK;
}

void vault_hmac_free(struct vault_hmac *hmac)
{
    if (!hmac)
        return;
    mac_close(&hmac->mac);
    vault_free(hmac->kept_key);
    vault_free(hmac);
}

enum vault_status vault_hmac_key(struct vault_hmac *hmac, const void *key, size_t length)
{
    hmac->keyed = hmac->fresh = false;
    if (hmac->forgets_key) {
        vault_free(hmac->kept_key);
        hmac->kept_key = vault_copy(key, length);
        hmac->kept_length = length;
        if (!hmac->kept_key)
            return VAULT_NO_MEMORY;
    }
    if (!mac_start(&hmac->mac, key, length))
        return failed();
    hmac->keyed = hmac->fresh = true;
    return VAULT_OK;
}

enum vault_status vault_hmac_run(struct vault_hmac *hmac, const void *bytes, size_t length,
                                 unsigned char *mac)
{
    if (!hmac->keyed)
        return VAULT_INTERNAL;
    if (!hmac->fresh && !mac_start(&hmac->mac, hmac->kept_key, hmac->kept_length))
        return failed();
    hmac->fresh = false;
    return mac_end(&hmac->mac, bytes, length, mac) ? VAULT_OK : failed();
}
