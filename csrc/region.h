/* region - the region of a fetch for which nobody named one.
 *
 * For:   the profile's region, else that of the EC2 instance, as steps for a driver. The
 *        instance's is asked for once in the life of a process, by one at a time.
 * Never: the reference's, the vault's or the environment's region (config), sockets, the clock.
 */
#ifndef VAULT_REGION_H
#define VAULT_REGION_H

#include "credential_source.h"

struct vault_region_run {
    struct vault_credential_run source;
    bool looked;     /* the profile has no region */
    bool asking;     /* the instance is being asked by this one */
    uint64_t waited; /* 0, or which asking by another this one waits for */
    int64_t pause_ms;
    enum vault_status status;
    struct vault_message why;
};

/* Ready for the first vault_region_next; both are borrowed. Allocates nothing. */
void vault_region_begin(struct vault_region_run *run, const struct vault_credential_query *query,
                        struct vault_exchange *exchange);
void vault_region_free(struct vault_region_run *run);

/* Go on. VAULT_STEP_PAUSE: of run->pause_ms. VAULT_STEP_DONE: run->status is VAULT_OK and `region`
 * has it, or VAULT_NO_REGION with all places in `why`, or what broke. */
enum vault_step vault_region_next(struct vault_region_run *run, int64_t now,
                                  struct vault_buffer *region);

/* Forget the instance's region: for tests. */
void vault_region_forget(void);

#endif
