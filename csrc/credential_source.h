/* credential_source - what a source of credentials is to whoever asks one after another.
 *
 * For:   the contract of every provider: it says what to do next, and reads what came of it.
 * Never: doing it: sockets, processes, clocks and retries of the network are the driver's.
 */
#ifndef VAULT_CREDENTIAL_SOURCE_H
#define VAULT_CREDENTIAL_SOURCE_H

#include "credential_plan.h"
#include "exchange.h"

/* What a source wants next. */
enum vault_step {
    VAULT_STEP_DONE,     /* run->status is its outcome */
    VAULT_STEP_EXCHANGE, /* perform run->exchange, then call again */
    VAULT_STEP_PAUSE     /* call again after run->pause_ms */
};

/* One source being asked. The caller clears it before the first call; all but the first four
 * members, which are borrowed, is the source's own between calls. */
struct vault_credential_run {
    const struct vault_credential_query *query;
    struct vault_exchange *exchange;
    const struct vault_plan *plan; /* whose base this source carries out; NULL: it needs none */
    int64_t now; /* seconds since 1970 by AWS's clock, set anew before each call */

    unsigned step;     /* 0 at the first call */
    unsigned attempts; /* exchanges made in this step */
    int64_t pause_ms;
    struct vault_buffer memory; /* bytes kept between calls: a token, a role's name */

    enum vault_status status; /* VAULT_STEP_DONE: OK, NOT_CONFIGURED, or what broke */
    struct vault_credential credential;
    struct vault_message why; /* in a few words, where status is not OK */
};

struct vault_credential_source {
    const char *name; /* for messages: "container" */
    enum vault_step (*next)(struct vault_credential_run *run);
};

#define VAULT_RUN_MEMORY_MAX (32 * 1024)

/* Ready for the first call. Allocates nothing. */
static inline void vault_credential_run_init(struct vault_credential_run *run,
                                             const struct vault_credential_query *query,
                                             struct vault_exchange *exchange)
{
    *run = (struct vault_credential_run){.query = query, .exchange = exchange};
    vault_buffer_init(&run->memory, VAULT_RUN_MEMORY_MAX);
}

/* How a source ends: `status` stands, and nothing of the exchange is left. */
static inline enum vault_step vault_run_done(struct vault_credential_run *run,
                                             enum vault_status status)
{
    vault_exchange_clear(run->exchange);
    run->status = status;
    return VAULT_STEP_DONE;
}

/* Wipe and free what it holds; the credential too, unless the caller moved it out. */
static inline void vault_credential_run_free(struct vault_credential_run *run)
{
    vault_buffer_free(&run->memory);
    vault_credential_clear(&run->credential);
}

#endif
