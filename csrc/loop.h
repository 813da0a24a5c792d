/* loop - fetches driven side by side over one libcurl multi handle.
 *
 * For:   performing what fetches ask for: transfers, programs, errands and pauses; keep-alive, TLS
 *        sessions and the trust store live as long as the loop.
 * Never: threads and locks (a loop belongs to one thread at a time), what a fetch does next, Lua.
 */
#ifndef VAULT_LOOP_H
#define VAULT_LOOP_H

#include "fetch.h"

struct vault_loop;

/* One fetch on its way. The owner fills in the first part; the rest is the loop's. */
struct vault_job {
    uint64_t number;
    struct vault_fetch *fetch;
    void *owner;
    struct vault_job *next; /* the owner's before vault_loop_add and after on_done */

    struct vault_job *previous;
    bool errand; /* the loop's own: its end is nobody's news */
    struct vault_transfer *transfer;
    struct vault_program *program;
    int64_t program_due;
};

struct vault_loop_settings {
    const struct vault_environment *environment; /* borrowed for the loop's life */
    const char *ca_file;                         /* copied; NULL: the system's trust store */
    struct vault_retry_budgets *budgets;
    _Atomic int64_t *skew_ms;
    bool errands; /* a credential that is to be renewed is the loop's own job, which outlives the
                     fetch that asked for it; the loop must go on, then */
    /* NULL, or: a job's fetch is done; the job is the owner's again. Not called from
     * vault_loop_wait. */
    void (*on_done)(struct vault_job *job);
};

/* VAULT_OK, VAULT_NO_MEMORY, VAULT_INTERNAL; vault_http_start must have succeeded. */
VAULT_MUST_CHECK enum vault_status vault_loop_new(const struct vault_loop_settings *settings,
                                                  struct vault_loop **made);

/* Free it with all that is open; jobs still in it get their fetch ended with VAULT_CANCELLED and go
 * to on_done. Does not wait for the network. */
void vault_loop_free(struct vault_loop *loop);

/* For vault_fetch_new: borrowed, lives as long as the loop. Any thread. */
const struct vault_fetch_world *vault_loop_world(const struct vault_loop *loop);

/* Take `job` up. It goes to on_done in this or a later turn. */
void vault_loop_add(struct vault_loop *loop, struct vault_job *job);

/* Jobs taken up and not done. */
size_t vault_loop_busy(const struct vault_loop *loop);

/* Do what can be done now; milliseconds, `most_ms` at most, until there is more without a word from
 * the network. */
int vault_loop_work(struct vault_loop *loop, int most_ms);

/* Wait for the network, for a wake-up, or for `most_ms`. */
void vault_loop_wait(struct vault_loop *loop, int most_ms);

/* Both, but no waiting in the turn in which the last job is done. */
void vault_loop_turn(struct vault_loop *loop, int most_ms);

/* End the waiting, now or the next time. Any thread. */
void vault_loop_wake(struct vault_loop *loop);

#endif
