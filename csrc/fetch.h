/* fetch - one fetch of one secret, or of a batch of them, as a table of states.
 *
 * For:   the order of things: region and credentials, sign, send, read, and again after a pause
 *        where that may help; one deadline over all of it; the retry budget; the correction of a
 *        wrong clock.
 * Never: reading or writing bytes of a protocol, sockets, threads, Lua, the clock (it comes in).
 */
#ifndef VAULT_FETCH_H
#define VAULT_FETCH_H

#include <stdatomic.h>
#include <stdint.h>

#include "environment.h"
#include "exchange.h"
#include "fetch_report.h"
#include "fetch_request.h"
#include "identity_chain.h"
#include "moment.h"
#include "place.h"
#include "retry.h"
#include "secretsmanager_batch.h"
#include "sigv4.h"

/* What all fetches of one loop share. */
struct vault_fetch_world {
    const struct vault_environment *environment;
    struct vault_places *places;     /* NULL: none is kept */
    struct vault_chain_roles *roles; /* NULL: not kept */
    struct vault_signer *signer;
    struct vault_retry_budgets *budgets;
    _Atomic int64_t *skew_ms; /* AWS's clock minus ours, as last seen */
    vault_random *random;
    void *random_at;
    bool errands; /* the driver takes errands, and goes on when a fetch is done */
};

/* Names of the states, for the trace and the test that walks the table. */
#define VAULT_FETCH_STATES(X)                                                                      \
    X(LOCATE, "find region and endpoint")                                                          \
    X(IDENTIFY, "find out who asks")                                                               \
    X(ASK, "a request for region or credential is out; the driver performs it")                    \
    X(AWAIT, "wait before going on with region or credential")                                     \
    X(SIGN, "build and sign the request for this moment")                                          \
    X(EXCHANGE, "the request is out; the driver performs it")                                      \
    X(READ, "read the answer; decide whether to try again")                                        \
    X(PAUSE, "wait before the next attempt")                                                       \
    X(DONE, "the result stands")

enum vault_fetch_state {
#define VAULT_FETCH_STATE_ENUM(name, meaning) VAULT_FETCH_##name,
    VAULT_FETCH_STATES(VAULT_FETCH_STATE_ENUM)
#undef VAULT_FETCH_STATE_ENUM
        VAULT_FETCH_STATE_COUNT
};

/* What the driver is to do next. */
enum vault_fetch_need {
    VAULT_FETCH_NEED_EXCHANGE, /* perform vault_fetch_exchange(), then advance */
    VAULT_FETCH_NEED_TIME,     /* advance again at vault_fetch_wake() */
    VAULT_FETCH_NEED_NOTHING   /* done */
};

struct vault_fetch;

/* `request` is copied, `world` borrowed for the fetch's life. `*made` goes to vault_fetch_free.
 * VAULT_OK, VAULT_NO_MEMORY, VAULT_TOO_LARGE, VAULT_BAD_CONFIG (timeout out of range). */
VAULT_MUST_CHECK enum vault_status vault_fetch_new(const struct vault_fetch_request *request,
                                                   const struct vault_fetch_world *world,
                                                   struct vault_moment now,
                                                   struct vault_fetch **made);
void vault_fetch_free(struct vault_fetch *fetch);

/* Go on as far as possible at the moment `now`. */
enum vault_fetch_need vault_fetch_advance(struct vault_fetch *fetch, struct vault_moment now);

/* End the fetch with `status` unless it is done: the driver's word for leaving or overload. */
void vault_fetch_fail(struct vault_fetch *fetch, enum vault_status status, const char *why);

/* The exchange to perform, and until when (monotonic ms). Borrowed. */
struct vault_exchange *vault_fetch_exchange(struct vault_fetch *fetch);
int64_t vault_fetch_deadline(const struct vault_fetch *fetch);
int64_t vault_fetch_wake(const struct vault_fetch *fetch);

/* After VAULT_FETCH_NEED_NOTHING: the status; the secret or the batch (VAULT_OK) or the message,
 * borrowed; how many times AWS was asked. A batch is VAULT_OK whatever came of its secrets: that
 * AWS refused some of them is a result, and not asked for again. */
enum vault_status vault_fetch_status(const struct vault_fetch *fetch);
const struct vault_secret *vault_fetch_secret(const struct vault_fetch *fetch);
const struct vault_batch *vault_fetch_batch(const struct vault_fetch *fetch);
const struct vault_note *vault_fetch_message(const struct vault_fetch *fetch);
unsigned vault_fetch_attempts(const struct vault_fetch *fetch);

/* After each vault_fetch_advance: NULL, or a fetch that has no secret to get but the credential
 * that this one needs, for it and all others; it is the driver's, and its end is to be followed by
 * vault_fetch_rouse for all fetches. */
struct vault_fetch *vault_fetch_take_errand(struct vault_fetch *fetch, struct vault_moment now);

/* Somebody else's credential may have come: where it is that what the fetch waits for,
 * vault_fetch_wake() is over. */
void vault_fetch_rouse(struct vault_fetch *fetch);

/* How it went; NULL unless request->explain was set. Borrowed. */
const struct vault_fetch_report *vault_fetch_report(const struct vault_fetch *fetch);

/* For tests: called at each change of state, from the thread that advances. */
typedef void vault_fetch_trace(void *at, enum vault_fetch_state from, enum vault_fetch_state to);
void vault_fetch_set_trace(struct vault_fetch *fetch, vault_fetch_trace *trace, void *at);

#endif
