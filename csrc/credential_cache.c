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

#include "fork_locks.h"
#include "hash.h"
#include "process.h"

#define ADVISORY_S  (15 * 60)
#define MANDATORY_S (10 * 60)
#define PATIENCE_S  1
#define AGAIN_S     60
#define NEVER       INT64_MAX
#define BUCKETS     1024

struct kept {
    struct kept *next; /* of those in the same bucket */
    uint64_t hash;     /* the key's */
    char *key;
    size_t key_length;

    struct vault_credential credential; /* empty: none was had yet */
    int64_t renew_at;                   /* one caller is asked to */
    int64_t wait_at;                    /* everybody waits for that one, for a moment */
    pid_t busy;                         /* the process in which somebody renews it; 0: nobody */
    uint64_t used;
    uint64_t attempt; /* the last one that was begun */
    uint64_t failed;  /* the last one that failed; 0: none */
    enum vault_status failure;
    char *why; /* NULL: the failure's own sentence */

    int64_t renew_from, spread; /* renew_at is one of so many seconds from then on.. */
    uint32_t chance;            /* ..by chance.. */
    pid_t settled_in;           /* ..as this process drew it */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct kept *buckets[BUCKETS];
static size_t kept_count;
static uint64_t uses, attempts;

__attribute__((constructor)) static void outlive_forks(void)
{
    vault_fork_locks_add(VAULT_FORK_CREDENTIALS, &lock);
}

/* Each in turn; NULL after the last. */
static struct kept *first_of(size_t bucket)
{
    while (bucket < BUCKETS && !buckets[bucket])
        bucket++;
    return bucket < BUCKETS ? buckets[bucket] : NULL;
}

static struct kept *after(const struct kept *kept)
{
    return kept->next ? kept->next : first_of(kept->hash % BUCKETS + 1);
}

static void forget(struct kept *kept)
{
    struct kept **link = &buckets[kept->hash % BUCKETS];

    while (*link != kept)
        link = &(*link)->next;
    *link = kept->next;
    kept_count--;
    vault_free(kept->key);
    vault_free(kept->why);
    vault_credential_clear(&kept->credential);
    vault_free(kept);
}

/* Who renewed it in the parent of this process does not come to an end here. */
static bool is_busy(const struct kept *kept)
{
    return kept->busy != 0 && kept->busy == getpid();
}

static struct kept *look_up(const char *key, size_t key_length)
{
    uint64_t hash = vault_hash(key, key_length);
    struct kept *kept = buckets[hash % BUCKETS];

    while (kept && !(kept->hash == hash && kept->key_length == key_length &&
                     vault_equal(kept->key, key, key_length)))
        kept = kept->next;
    return kept;
}

/* The least recently used that nobody renews; NULL: none. */
static struct kept *oldest(void)
{
    struct kept *found = NULL;

    for (struct kept *kept = first_of(0); kept; kept = after(kept))
        if (!is_busy(kept) && (!found || kept->used < found->used))
            found = kept;
    return found;
}

/* A new key's, with nothing kept yet; NULL: no room or no memory. */
static struct kept *add(const char *key, size_t key_length)
{
    struct kept *goes = kept_count < VAULT_CREDENTIAL_CACHE_MAX ? NULL : oldest();
    struct kept *made;

    if (!goes && kept_count >= VAULT_CREDENTIAL_CACHE_MAX)
        return NULL;
    made = vault_alloc(sizeof *made);
    if (!made)
        return NULL;
    made->key = vault_copy(key, key_length);
    if (!made->key) {
        vault_free(made);
        return NULL;
    }
    if (goes)
        forget(goes);
    made->key_length = key_length;
    made->hash = vault_hash(key, key_length);
    made->next = buckets[made->hash % BUCKETS];
    buckets[made->hash % BUCKETS] = made;
    kept_count++;
    return made;
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

static bool has_good(const struct kept *kept, int64_t now)
{
    return kept->credential.access_key_id &&
           (kept->credential.expires == 0 || now < kept->credential.expires);
}

static enum vault_cached tell_failure(const struct kept *kept, struct vault_cache_look *look)
{
    look->waited = 0;
    look->failure = kept->failure;
    vault_message_add(look->why, "%s",
                      kept->why ? kept->why : vault_status_row(kept->failure)->sentence);
    return VAULT_CACHED_FAILED;
}

/* Of one chance many processes make each another number, be theirs side by side or not. */
static uint32_t stir(uint32_t chance, pid_t process)
{
    uint32_t bits = chance ^ (uint32_t)process * 2654435761u;

    bits = (bits ^ bits >> 16) * 2246822507u;
    bits = (bits ^ bits >> 13) * 3266489909u;
    return bits ^ bits >> 16;
}

/* What a process inherited, others did as well, and they must not all renew it at once: each draws
 * its own moment, at the first look, of what is left of those to draw from. */
static void settle_inherited(struct kept *kept, int64_t now)
{
    pid_t process = vault_process_id();
    int64_t from = kept->renew_from > now ? kept->renew_from : now;
    int64_t spread = smaller(kept->spread, kept->wait_at - from);

    if (kept->settled_in == process || !kept->credential.access_key_id)
        return;
    kept->settled_in = process;
    if (kept->renew_at != NEVER && spread > 0)
        kept->renew_at = from + (int64_t)stir(kept->chance, process) % spread;
}

/* Whether one who has a good credential has waited for a better one as long as he does: the source
 * may be silent, and that must not fail whom the old one still serves. */
static bool is_impatient(struct vault_cache_look *look)
{
    if (!look->until)
        look->until = look->now + PATIENCE_S;
    return look->now >= look->until || look->until - look->now > PATIENCE_S;
}

/* What to do about an entry. Without memory for a copy nobody can use its credential. */
static enum vault_cached judge(struct kept *kept, struct vault_cache_look *look)
{
    bool has = has_good(kept, look->now);

    if (is_busy(kept) && (!has || (look->now >= kept->wait_at && !is_impatient(look)))) {
        look->waited = kept->attempt;
        return VAULT_CACHED_BUSY;
    }
    if (!has && look->waited && kept->failed >= look->waited)
        return tell_failure(kept, look);
    if (has && !copy_of(&kept->credential, &look->credential))
        return VAULT_CACHED_FULL;
    if (has && (is_busy(kept) || look->now < kept->renew_at)) {
        look->waited = 0;
        return VAULT_CACHED_GOOD;
    }
    kept->busy = getpid();
    kept->attempt = look->waited = ++attempts;
    return VAULT_CACHED_MINE;
}

enum vault_cached vault_credential_cache_find(struct vault_cache_look *look)
{
    enum vault_cached found = VAULT_CACHED_FULL;
    struct kept *kept;

    vault_credential_clear(&look->credential);
    pthread_mutex_lock(&lock);
    kept = look_up(look->key, look->key_length);
    if (!kept)
        kept = add(look->key, look->key_length);
    if (kept) {
        kept->used = ++uses;
        settle_inherited(kept, look->now);
        found = judge(kept, look);
    }
    pthread_mutex_unlock(&lock);
    return found;
}

/* Many processes were given theirs at the same time: they must not all come back at once. */
static void settle_windows(struct kept *kept, int64_t now, uint32_t random)
{
    int64_t life = kept->credential.expires - now;
    int64_t advisory = smaller(ADVISORY_S, life / 3), mandatory = smaller(MANDATORY_S, life / 6);

    kept->settled_in = vault_process_id();
    kept->chance = random;
    if (kept->credential.expires == 0) {
        kept->renew_at = kept->wait_at = NEVER;
        return;
    }
    kept->renew_from = kept->credential.expires - advisory;
    kept->spread = (advisory - mandatory) / 2 + 1;
    kept->renew_at = kept->renew_from + (int64_t)random % kept->spread;
    kept->wait_at = kept->credential.expires - mandatory;
}

void vault_credential_cache_keep(const struct vault_cache_look *look, uint32_t random)
{
    const struct vault_credential *credential = &look->credential;
    bool over = credential->expires != 0 && credential->expires <= look->now;
    struct kept *kept;

    pthread_mutex_lock(&lock);
    kept = look_up(look->key, look->key_length);
    if (kept) {
        kept->busy = 0;
        if (over || !copy_of(credential, &kept->credential))
            forget(kept);
        else
            settle_windows(kept, look->now, random);
    }
    pthread_mutex_unlock(&lock);
}

/* The old one is good: it serves on for a while, so not every fetch need try. */
static void put_off(struct kept *kept, int64_t now)
{
    int64_t again = smaller(AGAIN_S, (kept->credential.expires - now) / 10);

    kept->renew_at = kept->renew_from = now + (again < 1 ? 1 : again);
    if (kept->wait_at < kept->renew_at)
        kept->wait_at = kept->renew_at;
}

void vault_credential_cache_fail(const struct vault_cache_look *look, enum vault_status failure,
                                 const struct vault_message *why)
{
    struct kept *kept;

    pthread_mutex_lock(&lock);
    kept = look_up(look->key, look->key_length);
    if (kept) {
        kept->busy = 0;
        kept->failed = kept->attempt;
        kept->failure = failure;
        vault_free(kept->why);
        kept->why = vault_copy(why->text, why->length);
        if (has_good(kept, look->now))
            put_off(kept, look->now);
    }
    pthread_mutex_unlock(&lock);
}

void vault_credential_cache_pass_on(const struct vault_cache_look *look)
{
    struct kept *kept;

    pthread_mutex_lock(&lock);
    kept = look_up(look->key, look->key_length);
    if (kept) {
        kept->busy = 0;
        if (!kept->credential.access_key_id && !kept->failed)
            forget(kept);
    }
    pthread_mutex_unlock(&lock);
}

void vault_credential_cache_drop(const struct vault_cache_look *look)
{
    struct kept *kept;

    if (!look->credential.access_key_id)
        return;
    pthread_mutex_lock(&lock);
    kept = look_up(look->key, look->key_length);
    if (kept && kept->credential.access_key_id &&
        strcmp(kept->credential.access_key_id, look->credential.access_key_id) == 0) {
        if (is_busy(kept)) /* whoever looks again waits for that one */
            vault_credential_clear(&kept->credential);
        else
            forget(kept);
    }
    pthread_mutex_unlock(&lock);
}

size_t vault_credential_cache_list(struct vault_kept_credential *list, size_t most)
{
    size_t count = 0;

    pthread_mutex_lock(&lock);
    for (struct kept *kept = first_of(0); kept && count < most; kept = after(kept))
        if (kept->credential.access_key_id)
            list[count++] =
                (struct vault_kept_credential){kept->credential.source, kept->credential.expires};
    pthread_mutex_unlock(&lock);
    return count;
}

void vault_credential_cache_clear(void)
{
    pthread_mutex_lock(&lock);
    for (struct kept *kept; (kept = first_of(0)) != NULL;)
        forget(kept);
    pthread_mutex_unlock(&lock);
}
