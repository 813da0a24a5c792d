/* caller - who asks, for one fetch: out of the cache, or by finding out.
 *
 * For:   what caller.h promises.
 * Never: sockets, the clock, the secret that is fetched.
 */
#include "caller.h"

#include <string.h>

#include "credential_cache.h"
#include "identity_chain.h"

#define BUSY_PAUSE_MS 20
#define KEY_MAX       (64 * 1024)

struct vault_caller {
    const struct vault_identity_world *world;
    const struct vault_identity_request *request;
    bool at_hand;                    /* its credential always was */
    struct vault_buffer key;         /* of the cache; empty where it is at hand */
    struct vault_identity *identity; /* while this caller renews */
    bool renews;                     /* the cache waits for keep, fail or pass_on */
    bool exchanged;                  /* finding out took more than a look */
    enum vault_caller_mode mode;
    bool errand; /* one is to be taken */
    int64_t pause_ms;
    enum vault_status status;
    struct vault_cache_look look; /* its credential is the caller's */
    struct vault_note why;
};

static void let_go(struct vault_caller *caller)
{
    if (caller->renews)
        vault_credential_cache_pass_on(&caller->look);
    caller->renews = false;
    vault_identity_free(caller->identity);
    caller->identity = NULL;
}

void vault_caller_free(struct vault_caller *caller)
{
    if (!caller)
        return;
    let_go(caller);
    vault_buffer_free(&caller->key);
    vault_note_clear(&caller->why);
    vault_credential_clear(&caller->look.credential);
    vault_free(caller);
}

/* Where there is nothing to find out, nobody keeps it. Who wants to know how it was found is told
 * by finding out. */
static enum vault_status take_at_hand(struct vault_caller *caller)
{
    const struct vault_credential_query query = {.environment = caller->world->environment};

    if (caller->world->trail)
        return VAULT_NOT_CONFIGURED;
    return vault_chain_at_hand(caller->request, &query, &caller->look.credential);
}

static enum vault_status make_key(struct vault_caller *caller, bool regional)
{
    struct vault_identity_request keyed = *caller->request;
    enum vault_status status;

    if (!regional)
        keyed.region = NULL;
    status = vault_identity_key(&keyed, &caller->key);
    caller->look.key = caller->key.data;
    caller->look.key_length = caller->key.length;
    return status;
}

enum vault_status vault_caller_new(const struct vault_identity_request *request,
                                   const struct vault_identity_world *world, bool regional,
                                   struct vault_caller **made)
{
    struct vault_caller *caller = vault_alloc(sizeof *caller);
    enum vault_status status;

    if (!caller)
        return VAULT_NO_MEMORY;
    caller->world = world;
    caller->request = request;
    vault_buffer_init(&caller->key, KEY_MAX);
    vault_note_init(&caller->why);
    status = take_at_hand(caller);
    caller->at_hand = status == VAULT_OK;
    if (status != VAULT_OK && status != VAULT_NO_MEMORY)
        status = make_key(caller, regional);
    if (status == VAULT_OK)
        *made = caller;
    else
        vault_caller_free(caller);
    return status;
}

void vault_caller_set_mode(struct vault_caller *caller, enum vault_caller_mode mode)
{
    caller->mode = mode;
}

bool vault_caller_take_errand(struct vault_caller *caller)
{
    bool errand = caller->errand;

    caller->errand = false;
    return errand;
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
        vault_identity_new(caller->request, caller->world, &caller->identity);

    if (status != VAULT_OK)
        let_go(caller);
    return status;
}

static bool has_good(const struct vault_caller *caller, int64_t now)
{
    const struct vault_credential *credential = &caller->look.credential;

    return credential->access_key_id && (credential->expires == 0 || credential->expires > now);
}

static uint32_t random_of(const struct vault_identity_world *world)
{
    return world->random ? world->random(world->random_at) : 0;
}

static void take(struct vault_caller *caller)
{
    vault_credential_clear(&caller->look.credential);
    vault_identity_steal(caller->identity, &caller->look.credential);
    if (!caller->renews)
        return;
    /* What costs nothing to look up may change, and is looked up again. */
    if (caller->look.credential.expires == 0 && !caller->exchanged)
        vault_credential_cache_pass_on(&caller->look);
    else
        vault_credential_cache_keep(&caller->look, random_of(caller->world));
    caller->renews = false;
}

static enum vault_step finish(struct vault_caller *caller, int64_t now)
{
    enum vault_status status = vault_identity_status(caller->identity);
    const struct vault_message *why = vault_identity_message(caller->identity);

    caller->look.now = now;
    if (status == VAULT_OK) {
        take(caller);
    } else {
        if (caller->renews)
            vault_credential_cache_fail(&caller->look, status, why);
        caller->renews = false;
        if (has_good(caller, now)) {
            status = VAULT_OK; /* renewing it comes again */
        } else {
            vault_credential_clear(&caller->look.credential);
            vault_note_set(&caller->why, why);
        }
    }
    let_go(caller);
    return done(caller, status);
}

static enum vault_step wait(struct vault_caller *caller)
{
    caller->pause_ms = BUSY_PAUSE_MS;
    return VAULT_STEP_PAUSE;
}

/* It takes time that may not be this caller's: somebody else has it. */
static enum vault_step send_errand(struct vault_caller *caller, int64_t now)
{
    caller->errand = caller->mode == VAULT_CALLER_SENDS;
    let_go(caller);
    return has_good(caller, now) ? done(caller, VAULT_OK) : wait(caller);
}

/* Ask the cache; VAULT_STEP_EXCHANGE stands for "find out". */
static enum vault_step look(struct vault_caller *caller, int64_t now)
{
    struct vault_message why;

    vault_note_clear(&caller->why);
    vault_message_clear(&why);
    caller->look.why = &why;
    caller->look.now = now;
    switch (vault_credential_cache_find(&caller->look)) {
    case VAULT_CACHED_GOOD:
        return done(caller, VAULT_OK);
    case VAULT_CACHED_BUSY:
        return wait(caller);
    case VAULT_CACHED_FAILED:
        vault_note_set(&caller->why, &why);
        return done(caller, caller->look.failure);
    case VAULT_CACHED_MINE:
        caller->renews = true;
        caller->exchanged = false;
        if (caller->mode != VAULT_CALLER_ERRAND && has_good(caller, now))
            return send_errand(caller, now);
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
        if (caller->at_hand)
            return done(caller, VAULT_OK);
        step = look(caller, now);
        if (step != VAULT_STEP_EXCHANGE)
            return step;
        status = begin(caller);
        if (status != VAULT_OK)
            return done(caller, has_good(caller, now) ? VAULT_OK : status);
    }
    step = vault_identity_next(caller->identity, now);
    if (step == VAULT_STEP_DONE)
        return finish(caller, now);
    caller->exchanged = true;
    if (caller->mode == VAULT_CALLER_SENDS && caller->renews)
        return send_errand(caller, now);
    if (step == VAULT_STEP_PAUSE)
        caller->pause_ms = vault_identity_pause(caller->identity);
    return step;
}

struct vault_exchange *vault_caller_exchange(struct vault_caller *caller)
{
    return vault_identity_exchange(caller->identity);
}

int64_t vault_caller_pause(const struct vault_caller *caller)
{
    return caller->pause_ms;
}

bool vault_caller_waits(const struct vault_caller *caller)
{
    return !caller->identity;
}

enum vault_status vault_caller_status(const struct vault_caller *caller)
{
    return caller->status;
}

const char *vault_caller_message(const struct vault_caller *caller)
{
    return caller->identity ? vault_identity_message(caller->identity)->text : caller->why.text;
}

const struct vault_credential *vault_caller_credential(const struct vault_caller *caller)
{
    return &caller->look.credential;
}

void vault_caller_refused(struct vault_caller *caller)
{
    vault_credential_cache_drop(&caller->look);
}
