/* fetch_state - a fetch from the inside.
 *
 * For:   fetch.c, which has its order, and fetch_prepare.c, which has its first half.
 * Never: anybody else.
 */
#ifndef VAULT_FETCH_STATE_H
#define VAULT_FETCH_STATE_H

#include "caller.h"
#include "fetch.h"
#include "region.h"

struct vault_fetch {
    const struct vault_fetch_world *world;
    struct vault_fetch_copy wanted; /* its region is found where none was asked for */

    enum vault_fetch_state state;
    bool is_errand; /* it has the credential, and no secret */
    bool identified_again, clock_corrected;
    int64_t deadline, wake;
    struct vault_retry retry;
    struct vault_retry_budget *budget; /* that of the place's host */
    int64_t signed_skew_ms;            /* AWS's clock minus ours, as the last attempt had it */

    struct vault_credential_query query;
    struct vault_region_run *locating; /* NULL: no region has to be found */
    struct vault_place *place; /* where the service is; from IDENTIFY on, but for an errand */
    struct vault_identity_world callers;
    bool regional;               /* the region may decide who asks; an errand's: as its sender's */
    struct vault_caller *caller; /* from IDENTIFY on */
    struct vault_exchange exchange;
    struct vault_exchange *out;    /* the last one that was to be performed */
    enum vault_fetch_state asking; /* where ASK and AWAIT lead back to */

    enum vault_status status; /* the last outcome; the result's, once DONE */
    struct vault_secret secret;
    struct vault_batch batch; /* where that was asked for */
    struct vault_note why;    /* the last outcome was not VAULT_OK */
    struct vault_note message;
    struct vault_fetch_report *report; /* NULL: nobody asked */

    vault_fetch_trace *trace;
    void *trace_at;
};

/* The handlers of LOCATE and IDENTIFY: each names the next state. */
enum vault_fetch_state vault_fetch_locate(struct vault_fetch *fetch, struct vault_moment now);
enum vault_fetch_state vault_fetch_identify(struct vault_fetch *fetch, struct vault_moment now);

/* The result stands: say of what it speaks, wipe what is no longer needed. */
enum vault_fetch_state vault_fetch_conclude(struct vault_fetch *fetch, enum vault_status status);

/* Whether the time allowed is over. */
bool vault_fetch_is_over(const struct vault_fetch *fetch, struct vault_moment now);

#endif
