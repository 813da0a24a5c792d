/* credential_cache - credentials that run out, kept for the process, each renewed by one at a time.
 *
 * For:   which credential is still good, who renews it, that nobody else need wait for that
 *        unless he must, and that whoever waited for an attempt is told how it failed. What the
 *        master kept before fork the workers inherit.
 * Never: how a credential is had (identity), sockets, the clock.
 */
#ifndef VAULT_CREDENTIAL_CACHE_H
#define VAULT_CREDENTIAL_CACHE_H

#include "credentials.h"

#define VAULT_CREDENTIAL_CACHE_MAX 1024 /* beyond that the least recently used goes */

enum vault_cached {
    VAULT_CACHED_GOOD,   /* `credential` is a copy, to be used */
    VAULT_CACHED_MINE,   /* the caller is to renew it, and then to call keep, fail or pass_on */
    VAULT_CACHED_BUSY,   /* somebody else renews it: look again in a moment */
    VAULT_CACHED_FAILED, /* the attempt that this one waited for came to `failure` and `why` */
    VAULT_CACHED_FULL    /* no room: the caller gets one for itself and keeps nothing */
};

/* One who looks for a credential, from the first look to its end. */
struct vault_cache_look {
    const char *key; /* any bytes; the cache copies and wipes them. Borrowed */
    size_t key_length;
    int64_t now;     /* seconds since 1970; set anew before each call */
    uint64_t waited; /* 0 at first; the cache's own between calls, and so is.. */
    int64_t until;   /* ..this */

    struct vault_credential credential;
    enum vault_status failure;
    struct vault_message *why; /* borrowed; a failure's reason is appended */
};

/* Look for what the key selects; what `credential` held is wiped.
 *
 * From 15 minutes before it runs out (a third of its life where that is less), or up to half the
 * way from there to the next mark, by chance, one caller is told to renew a credential, and has
 * the old one in `credential` to go on with; from 10 minutes (a sixth) on everybody waits for that
 * one, but no longer than a second: the old one is good still. A process that inherited a
 * credential draws its own chance at its first look. Where renewing failed and the old one is good
 * still, it serves on, and another is told to renew it after a tenth of what is left, 1 to 60 s.
 * VAULT_CACHED_MINE without an old one: an empty `credential`. Any thread. */
enum vault_cached vault_credential_cache_find(struct vault_cache_look *look);

/* After VAULT_CACHED_MINE: keep a copy of look->credential. One that never runs out is kept until
 * it is dropped. `random`: any bits. Any thread. */
void vault_credential_cache_keep(const struct vault_cache_look *look, uint32_t random);

/* After VAULT_CACHED_MINE: it could not be had. Any thread. */
void vault_credential_cache_fail(const struct vault_cache_look *look, enum vault_status failure,
                                 const struct vault_message *why);

/* After VAULT_CACHED_MINE: nothing came of it, and nothing failed: whoever looks next is to renew
 * it. Any thread. */
void vault_credential_cache_pass_on(const struct vault_cache_look *look);

/* AWS no longer takes look->credential: forget it, unless it was renewed since. Any thread. */
void vault_credential_cache_drop(const struct vault_cache_look *look);

/* When what is kept runs out, for people who watch over it: up to `most` of them, in no order; how
 * many. Any thread. */
struct vault_kept_credential {
    const char *source; /* constant text */
    int64_t expires;    /* seconds since 1970; 0: never */
};
size_t vault_credential_cache_list(struct vault_kept_credential *list, size_t most);

/* Wipe and free all of it: for tests. */
void vault_credential_cache_clear(void);

#endif
