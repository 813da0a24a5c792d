/* caller_runs - callers taken through their steps.
 *
 * For:   the tests of caller.c: by whom who is asked, and what is answered. Include after cmocka.h.
 * Never: which rule is shown.
 */
#ifndef VAULT_TEST_CALLER_RUNS_H
#define VAULT_TEST_CALLER_RUNS_H

#include "caller.h"
#include "credential_cache.h"
#include "identity_script.h"

#define HOUR 3600

static const struct vault_identity_request by_role __attribute__((unused)) = {
    "AKIDCANARY", "secretCANARY", NULL, "eu-west-1", ARN("a"), NULL, NULL, NULL};
static const struct ask first __attribute__((unused)) = {STS, "AKIDCANARY", .body = STS_KEYS("1")};
static const struct ask second __attribute__((unused)) = {
    STS, "AKIDCANARY", .body = STS_KEYS_UNTIL("2", "2023-11-15T02:13:20Z")}; /* NOW + 4 hours */
static const struct ask refusal
    __attribute__((unused)) = {STS, "AKIDCANARY", .body = STS_ERROR("AccessDenied"), .status = 403};

static struct asking asking;

static inline int open_world(void **state)
{
    static const char *const entries[] = {NO_IMDS, NULL};

    (void)state;
    vault_credential_cache_clear();
    open_asking(&asking, entries);
    return 0;
}

static inline int close_world(void **state)
{
    (void)state;
    vault_credential_cache_clear();
    close_asking(&asking);
    return 0;
}

static inline struct vault_caller *new_caller(const struct vault_identity_request *request)
{
    struct vault_caller *caller = NULL;

    assert_int_equal(vault_caller_new(request, &asking.world, true, &caller), VAULT_OK);
    return caller;
}

/* The next step is an exchange, which is answered. */
static inline void exchange(struct vault_caller *caller, int64_t now, const struct ask *ask)
{
    assert_int_equal(vault_caller_next(caller, now), VAULT_STEP_EXCHANGE);
    answer_ask(vault_caller_exchange(caller), ask);
}

static inline void waits(struct vault_caller *caller, int64_t now)
{
    assert_int_equal(vault_caller_next(caller, now), VAULT_STEP_PAUSE);
    assert_true(vault_caller_pause(caller) > 0);
}

static inline void is_done(struct vault_caller *caller, int64_t now, const char *key)
{
    assert_int_equal(vault_caller_next(caller, now), VAULT_STEP_DONE);
    assert_int_equal(vault_caller_status(caller), VAULT_OK);
    assert_string_equal(vault_caller_credential(caller)->access_key_id, key);
    assert_string_equal(vault_caller_message(caller), "");
}

static inline void is_refused(struct vault_caller *caller, int64_t now)
{
    assert_int_equal(vault_caller_next(caller, now), VAULT_STEP_DONE);
    assert_int_equal(vault_caller_status(caller), VAULT_ACCESS_DENIED);
    assert_string_equal(vault_caller_message(caller),
                        "assuming the role " ARN("a") ": AccessDenied: planted");
    assert_null(vault_caller_credential(caller)->access_key_id);
}

static inline struct vault_caller *new_errand(void)
{
    struct vault_caller *caller = new_caller(&by_role);

    vault_caller_set_mode(caller, VAULT_CALLER_ERRAND);
    return caller;
}

static inline struct vault_caller *new_sender(void)
{
    struct vault_caller *caller = new_caller(&by_role);

    vault_caller_set_mode(caller, VAULT_CALLER_SENDS);
    return caller;
}

static inline void run(struct vault_caller *caller, int64_t now, const struct ask *ask,
                       const char *key)
{
    if (ask)
        exchange(caller, now, ask);
    is_done(caller, now, key);
    vault_caller_free(caller);
}

/* One caller from its beginning to its end; NULL: nobody is asked. */
static inline void once(int64_t now, const struct ask *ask, const char *key)
{
    run(new_caller(&by_role), now, ask, key);
}

static inline void errand(int64_t now, const struct ask *ask, const char *key)
{
    run(new_errand(), now, ask, key);
}

#endif
