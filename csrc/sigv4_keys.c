/* sigv4_keys - the signing keys of the day.
 *
 * For:   what sigv4_keys.h promises.
 * Never: requests, the clock.
 */
#include "sigv4_keys.h"

#include <stdint.h>
#include <string.h>

#include "buffer.h"

#define SECRET_MAX 4096

struct text {
    const char *bytes;
    size_t length;
};

/* scope NULL: free */
struct signing_key {
    char *scope;
    size_t scope_length;
    char *secret;
    size_t secret_length;
    struct vault_hmac *hmac;
    uint64_t used; /* the count at its last use */
};

struct vault_sigv4_keys {
    const struct vault_digest *digest;
    struct signing_key all[VAULT_SIGV4_KEYS_MAX];
    uint64_t count;
};

enum vault_status vault_sigv4_keys_new(const struct vault_digest *digest,
                                       struct vault_sigv4_keys **made)
{
    struct vault_sigv4_keys *keys = vault_alloc(sizeof *keys);

    if (!keys)
        return VAULT_NO_MEMORY;
    keys->digest = digest;
    *made = keys;
    return VAULT_OK;
}

static void forget(struct signing_key *key)
{
    vault_free(key->scope);
    vault_free(key->secret);
    vault_hmac_free(key->hmac);
    *key = (struct signing_key){0};
}

void vault_sigv4_keys_free(struct vault_sigv4_keys *keys)
{
    if (!keys)
        return;
    for (size_t i = 0; i < VAULT_SIGV4_KEYS_MAX; i++)
        forget(&keys->all[i]);
    vault_free(keys);
}

static bool is_for(const struct signing_key *key, const struct text *scope,
                   const struct text *secret)
{
    return key->scope && key->scope_length == scope->length &&
           key->secret_length == secret->length &&
           memcmp(key->scope, scope->bytes, scope->length) == 0 &&
           vault_equal(key->secret, secret->bytes, secret->length);
}

static enum vault_status set_first(struct vault_hmac *hmac, const struct text *secret)
{
    struct vault_buffer first;
    enum vault_status status;

    vault_buffer_init(&first, SECRET_MAX + 4);
    status = vault_buffer_text(&first, "AWS4");
    if (status == VAULT_OK)
        status = vault_buffer_append(&first, secret->bytes, secret->length);
    if (status == VAULT_OK)
        status = vault_hmac_key(hmac, first.data, first.length);
    vault_buffer_free(&first);
    return status;
}

/* HMAC over each part of the scope in turn, each result the key of the next. */
static enum vault_status derive(struct vault_hmac *hmac, const struct text *scope,
                                const struct text *secret)
{
    const char *at = scope->bytes, *end = at + scope->length, *stop;
    enum vault_status status = set_first(hmac, secret);
    unsigned char mac[VAULT_DIGEST_SIZE];

    for (; at < end && status == VAULT_OK; at = stop < end ? stop + 1 : end) {
        stop = memchr(at, '/', (size_t)(end - at));
        if (!stop)
            stop = end;
        status = vault_hmac_run(hmac, at, (size_t)(stop - at), mac);
        if (status == VAULT_OK)
            status = vault_hmac_key(hmac, mac, sizeof mac);
    }
    vault_wipe(mac, sizeof mac);
    return status;
}

static enum vault_status fill(struct signing_key *key, const struct vault_digest *digest,
                              const struct text *scope, const struct text *secret)
{
    enum vault_status status = vault_hmac_new(digest, &key->hmac);

    if (status == VAULT_OK)
        status = derive(key->hmac, scope, secret);
    if (status != VAULT_OK)
        goto out;
    key->scope = vault_copy(scope->bytes, scope->length);
    key->scope_length = scope->length;
    key->secret = vault_copy(secret->bytes, secret->length);
    key->secret_length = secret->length;
    if (!key->scope || !key->secret)
        status = VAULT_NO_MEMORY;
out:
    if (status != VAULT_OK)
        forget(key);
    return status;
}

enum vault_status vault_sigv4_keys_find(struct vault_sigv4_keys *keys, const char *scope,
                                        size_t scope_length, const char *secret,
                                        struct vault_hmac **found)
{
    const struct text in = {scope, scope_length}, from = {secret, strlen(secret)};
    struct signing_key *key = &keys->all[0];
    enum vault_status status;

    for (size_t i = 0; i < VAULT_SIGV4_KEYS_MAX; i++) {
        struct signing_key *other = &keys->all[i];

        if (is_for(other, &in, &from)) {
            key = other;
            goto out;
        }
        if (other->used < key->used)
            key = other;
    }
    forget(key);
    status = fill(key, keys->digest, &in, &from);
    if (status != VAULT_OK)
        return status;
out:
    key->used = ++keys->count;
    *found = key->hmac;
    return VAULT_OK;
}
