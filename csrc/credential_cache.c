/* credential_cache - credentials that run out, kept for the process, each renewed by one at a time.
 *
 * For:   what credential_cache.h promises.
 * Never: how a credential is had, sockets, the clock.
 */
#include "credential_cache.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define ADVISORY_S  (15 * 60)
#define MANDATORY_S (10 * 60)
#define AGAIN_S     60

/* key NULL: free */
struct kept {
    char *key;
    size_t key_length;
    struct vault_credential credential; /* empty: none was had yet */
    int64_t renew_at;                   /* one caller is asked to */
    int64_t wait_at;                    /* everybody waits for that one */
    pid_t busy;                         /* the process in which somebody renews it; 0: nobody */
    uint64_t used;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct kept all[VAULT_CREDENTIAL_CACHE_MAX];
static uint64_t uses;

static void forget(struct kept *kept)
{
    vault_free(kept->key);
    vault_credential_clear(&kept->credential);
    *kept = (struct kept){0};
}

/* Who renewed it in the parent of this process does not come to an end here. */
static bool is_busy(const struct kept *kept)
{
    return kept->busy == getpid();
}

static struct kept *look_up(const char *key, size_t key_length)
{
    for (size_t i = 0; i < VAULT_CREDENTIAL_CACHE_MAX; i++)
        if (all[i].key && all[i].key_length == key_length &&
            vault_equal(all[i].key, key, key_length))
            return &all[i];
    return NULL;
}

/* A place for a new key: a free one, else the least recently used that nobody renews. */
static struct kept *make_room(const char *key, size_t key_length)
{
    struct kept *oldest = NULL;
    char *copy;

    for (size_t i = 0; i < VAULT_CREDENTIAL_CACHE_MAX; i++) {
        if (is_busy(&all[i]))
            continue;
        if (!oldest || !all[i].key || (oldest->key && all[i].used < oldest->used))
            oldest = &all[i];
        if (!oldest->key)
            break;
    }
    if (!oldest)
        return NULL;
    copy = vault_copy(key, key_length);
    if (!copy)
        return NULL;
    forget(oldest);
    oldest->key = copy;
    oldest->key_length = key_length;
    return oldest;
}

static bool copy_of(const struct vault_credential *from, struct vault_credential *to)
{
    struct vault_message ignored = {0};

    if (vault_credential_set(to, from->access_key_id, from->secret_access_key, from->session_token,
                             from->source, &ignored) != VAULT_OK)
        return false;
    to->expires = from->expires;
    return true;
}

static int64_t smaller(int64_t left, int64_t right)
{
    return left < right ? left : right;
}

/* What to do about a credential that is at hand. Without memory for a copy nobody can use it. */
static enum vault_cached judge(struct kept *kept, int64_t now, struct vault_credential *credential)
{
    bool has = kept->credential.access_key_id && now < kept->credential.expires;
    bool renew = !has || now >= kept->renew_at;

    if (is_busy(kept) && (!has || now >= kept->wait_at))
        return VAULT_CACHED_BUSY;
    if (has && !copy_of(&kept->credential, credential))
        return VAULT_CACHED_FULL;
    if (!renew || is_busy(kept))
        return VAULT_CACHED_GOOD;
    kept->busy = getpid();
    /* Should this come to nothing: the old one is good, so not every fetch need try. */
    if (has)
        kept->renew_at = smaller(now + AGAIN_S, kept->wait_at);
    return VAULT_CACHED_MINE;
}

enum vault_cached vault_credential_cache_find(const char *key, size_t key_length, int64_t now,
                                              struct vault_credential *credential)
{
    enum vault_cached found = VAULT_CACHED_FULL;
    struct kept *kept;

    pthread_mutex_lock(&lock);
    kept = look_up(key, key_length);
    if (!kept)
        kept = make_room(key, key_length);
    if (kept) {
        kept->used = ++uses;
        found = judge(kept, now, credential);
    }
    pthread_mutex_unlock(&lock);
    return found;
}

void vault_credential_cache_keep(const char *key, size_t key_length, int64_t now,
                                 const struct vault_credential *credential)
{
    int64_t life = credential->expires - now;
    struct kept *kept;

    pthread_mutex_lock(&lock);
    kept = look_up(key, key_length);
    if (kept) {
        kept->busy = 0;
        if (credential->expires == 0 || life <= 0 || !copy_of(credential, &kept->credential)) {
            forget(kept);
        } else {
            kept->renew_at = credential->expires - smaller(ADVISORY_S, life / 3);
            kept->wait_at = credential->expires - smaller(MANDATORY_S, life / 6);
        }
    }
    pthread_mutex_unlock(&lock);
}

void vault_credential_cache_release(const char *key, size_t key_length)
{
    struct kept *kept;

    pthread_mutex_lock(&lock);
    kept = look_up(key, key_length);
    if (kept) {
        kept->busy = 0;
        if (!kept->credential.access_key_id)
            forget(kept);
    }
    pthread_mutex_unlock(&lock);
}

void vault_credential_cache_drop(const char *key, size_t key_length, const char *access_key_id)
{
    struct kept *kept;

    pthread_mutex_lock(&lock);
    kept = look_up(key, key_length);
    if (kept && kept->credential.access_key_id &&
        strcmp(kept->credential.access_key_id, access_key_id) == 0) {
        if (is_busy(kept)) /* whoever asks again waits for that one */
            vault_credential_clear(&kept->credential);
        else
            forget(kept);
    }
    pthread_mutex_unlock(&lock);
}

void vault_credential_cache_clear(void)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < VAULT_CREDENTIAL_CACHE_MAX; i++)
        forget(&all[i]);
    pthread_mutex_unlock(&lock);
}
