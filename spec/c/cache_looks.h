/* cache_looks - looking into the cache of credentials, and answering it.
 *
 * For:   the tests of credential_cache.c. Include after cmocka.h.
 * Never: which rule is shown.
 */
#ifndef VAULT_TEST_CACHE_LOOKS_H
#define VAULT_TEST_CACHE_LOOKS_H

#include <string.h>

#include "credential_cache.h"

#define NOW  INT64_C(1700000000)
#define HOUR 3600

static inline int clear(void **state)
{
    (void)state;
    vault_credential_cache_clear();
    return 0;
}

static inline struct vault_cache_look look_for(const char *key, int64_t now)
{
    static _Thread_local struct vault_message told; /* the last look's */

    vault_message_clear(&told);
    return (struct vault_cache_look){
        .key = key, .key_length = strlen(key), .now = now, .why = &told};
}

static inline enum vault_cached find(const char *key, int64_t now, const char *wanted)
{
    struct vault_cache_look look = look_for(key, now);
    enum vault_cached found = vault_credential_cache_find(&look);

    if (wanted)
        assert_string_equal(look.credential.access_key_id, wanted);
    else
        assert_null(look.credential.access_key_id);
    vault_credential_clear(&look.credential);
    return found;
}

static inline struct vault_cache_look look_with(const char *key, const char *id, int64_t now,
                                                int64_t expires)
{
    struct vault_cache_look look = look_for(key, now);
    struct vault_message why = {0};

    assert_int_equal(
        vault_credential_set(&look.credential, id, "secretCANARY", "tokenCANARY", "imds", &why),
        VAULT_OK);
    look.credential.expires = expires;
    return look;
}

static inline void keep_by_chance(const char *key, const char *id, int64_t now, int64_t expires,
                                  uint32_t random)
{
    struct vault_cache_look look = look_with(key, id, now, expires);

    vault_credential_cache_keep(&look, random);
    vault_credential_clear(&look.credential);
}

static inline void keep(const char *key, const char *id, int64_t now, int64_t expires)
{
    keep_by_chance(key, id, now, expires, 0);
}

static inline void fails(const char *key, int64_t now)
{
    const struct vault_cache_look look = look_for(key, now);
    struct vault_message why = {0};

    vault_message_add(&why, "planted");
    vault_credential_cache_fail(&look, VAULT_ACCESS_DENIED, &why);
}

static inline void pass_on(const char *key)
{
    const struct vault_cache_look look = look_for(key, NOW);

    vault_credential_cache_pass_on(&look);
}

static inline void drop(const char *key, const char *id)
{
    struct vault_cache_look look = look_with(key, id, NOW, 0);

    vault_credential_cache_drop(&look);
    vault_credential_clear(&look.credential);
}

static inline void have(const char *key, const char *id, int64_t life)
{
    assert_int_equal(find(key, NOW, NULL), VAULT_CACHED_MINE);
    keep(key, id, NOW, NOW + life);
}

#endif
