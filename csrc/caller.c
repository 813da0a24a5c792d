/* caller - who asks, for one fetch: out of the cache, or by finding out.
 *
 * For:   what caller.h promises.
 * Never: sockets, the clock, the secret that is fetched.
 */
#include "caller.h"

#include <string.h>

#include "credential_cache.h"

#define BUSY_PAUSE_MS 20
#define KEY_MAX       (64 * 1024)

struct vault_caller {
    const struct vault_identity_world *world;
    struct vault_buffer key;               /* of the cache */
    struct vault_identity_request request; /* its texts are in `key` no more than they are here */
    char *texts[VAULT_IDENTITY_TEXTS];
    struct vault_identity *identity; /* while this caller renews */
    bool renews;                     /* the cache waits for keep or release */
    int64_t pause_ms;
    enum vault_status status;
    struct vault_credential credential;
    struct vault_message why;
};

static void let_go(struct vault_caller *caller)
{
    if (caller->renews)
        vault_credential_cache_release(caller->key.data, caller->key.length);
    caller->renews = false;
    vault_identity_free(caller->identity);
    caller->identity = NULL;
}

void vault_caller_free(struct vault_caller *caller)
{
    if (!caller)
        return;
    let_go(caller);
    vault_identity_forget(caller->texts);
    vault_buffer_free(&caller->key);
    vault_credential_clear(&caller->credential);
    vault_free(caller);
}

enum vault_status vault_caller_new(const struct vault_identity_request *request,
                                   const struct vault_identity_world *world,
                                   struct vault_caller **made)
{
    struct vault_caller *caller = vault_alloc(sizeof *caller);
    enum vault_status status;

    if (!caller)
        return VAULT_NO_MEMORY;
    caller->world = world;
    vault_buffer_init(&caller->key, KEY_MAX);
    status = vault_identity_copy(request, caller->texts, &caller->request);
    if (status == VAULT_OK)
        status = vault_identity_key(request, &caller->key);
    if (status == VAULT_OK)
        *made = caller;
    else
        vault_caller_free(caller);
    return status;
}

static enum vault_step done(struct vault_caller *caller, enum vault_status status)
{
    caller->status = status;
    return VAULT_STEP_DONE;
}

/* Nobody has it: find out. */
static enum vault_status begin(struct vault_caller *caller)
{
    enum vault_status status =
        vault_identity_new(&caller->request, caller->world, &caller->identity);

    if (status != VAULT_OK)
        let_go(caller);
    return status;
}

static enum vault_step finish(struct vault_caller *caller, int64_t now)
{
    enum vault_status status = vault_identity_status(caller->identity);

    if (status == VAULT_OK) {
        vault_credential_clear(&caller->credential);
        vault_identity_steal(caller->identity, &caller->credential);
        if (caller->renews)
            vault_credential_cache_keep(caller->key.data, caller->key.length, now,
                                        &caller->credential);
        caller->renews = false;
    } else if (caller->credential.expires > now) {
        status = VAULT_OK; /* the old one still is good; renewing it comes again */
    } else {
        vault_credential_clear(&caller->credential);
        vault_message_add(&caller->why, "%s", vault_identity_message(caller->identity)->text);
    }
    let_go(caller);
    return done(caller, status);
}

/* Ask the cache; VAULT_STEP_EXCHANGE stands for "find out". */
static enum vault_step look(struct vault_caller *caller, int64_t now)
{
    vault_message_clear(&caller->why);
    vault_credential_clear(&caller->credential);
    switch (vault_credential_cache_find(caller->key.data, caller->key.length, now,
                                        &caller->credential)) {
    case VAULT_CACHED_GOOD:
        return done(caller, VAULT_OK);
    case VAULT_CACHED_BUSY:
        caller->pause_ms = BUSY_PAUSE_MS;
        return VAULT_STEP_PAUSE;
    case VAULT_CACHED_MINE:
        caller->renews = true;
        break;
    case VAULT_CACHED_FULL:
        break;
    }
    return VAULT_STEP_EXCHANGE;
}

enum vault_step vault_caller_next(struct vault_caller *caller, int64_t now)
{
    enum vault_step step;
    enum vault_status status;

    if (!caller->identity) {
        step = look(caller, now);
        if (step != VAULT_STEP_EXCHANGE)
            return step;
        status = begin(caller);
        if (status != VAULT_OK)
            return done(caller, caller->credential.access_key_id ? VAULT_OK : status);
    }
    step = vault_identity_next(caller->identity, now);
    if (step == VAULT_STEP_PAUSE && caller->credential.expires > now) {
        let_go(caller); /* no fetch waits for a second attempt while the old one is good */
        return done(caller, VAULT_OK);
    }
    if (step == VAULT_STEP_PAUSE)
        caller->pause_ms = vault_identity_pause(caller->identity);
    return step == VAULT_STEP_DONE ? finish(caller, now) : step;
}

struct vault_exchange *vault_caller_exchange(struct vault_caller *caller)
{
    return vault_identity_exchange(caller->identity);
}

int64_t vault_caller_pause(const struct vault_caller *caller)
{
    return caller->pause_ms;
}

enum vault_status vault_caller_status(const struct vault_caller *caller)
{
    return caller->status;
}

const struct vault_message *vault_caller_message(const struct vault_caller *caller)
{
    return caller->identity ? vault_identity_message(caller->identity) : &caller->why;
}

const struct vault_credential *vault_caller_credential(const struct vault_caller *caller)
{
    return &caller->credential;
}

void vault_caller_refused(struct vault_caller *caller)
{
    if (caller->credential.access_key_id)
        vault_credential_cache_drop(caller->key.data, caller->key.length,
                                    caller->credential.access_key_id);
}
