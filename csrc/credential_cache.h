/* credential_cache - credentials that run out, kept for the process, each renewed by one at a time.
 *
 * For:   which credential is still good, who renews it, and that everybody else need not wait for
 *        that unless they must. What the master kept before fork the workers inherit.
 * Never: how a credential is had (identity), sockets, the clock.
 */
#ifndef VAULT_CREDENTIAL_CACHE_H
#define VAULT_CREDENTIAL_CACHE_H

#include "credentials.h"

#define VAULT_CREDENTIAL_CACHE_MAX 64

enum vault_cached {
    VAULT_CACHED_GOOD, /* `credential` is a copy, to be used */
    VAULT_CACHED_MINE, /* the caller is to renew it, and then to call keep or release */
    VAULT_CACHED_BUSY, /* somebody else renews it: ask again in a moment */
    VAULT_CACHED_FULL  /* no room: the caller gets one for itself and keeps nothing */
};

/* Look for what `key` (any bytes; they are copied and wiped) selects, at `now`, seconds since 1970.
 *
 * From 15 minutes before it runs out (a third of its life where that is less) one caller is told to
 * renew a credential, and has the old one in `credential` to go on with if that fails (then
 * another is told so a minute later); from 10 minutes (a sixth) on everybody waits for that one.
 * VAULT_CACHED_MINE without an old one: an empty `credential`. Any thread. */
enum vault_cached vault_credential_cache_find(const char *key, size_t key_length, int64_t now,
                                              struct vault_credential *credential);

/* After VAULT_CACHED_MINE: keep a copy of what was had. One that never runs out is not kept: it is
 * had again at no cost, and may change. Any thread. */
void vault_credential_cache_keep(const char *key, size_t key_length, int64_t now,
                                 const struct vault_credential *credential);

/* After VAULT_CACHED_MINE: it could not be renewed. Any thread. */
void vault_credential_cache_release(const char *key, size_t key_length);

/* AWS no longer takes the credential with this access key id: forget it, unless it was renewed
 * since. Any thread. */
void vault_credential_cache_drop(const char *key, size_t key_length, const char *access_key_id);

/* Wipe and free all of it: for tests. */
void vault_credential_cache_clear(void);

#endif
