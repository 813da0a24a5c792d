/* trail - what was tried on the way to a credential, in order, for people to read.
 *
 * For:   `vaults explain`: each provider and each role with its outcome. Nobody decides by it.
 * Never: values; what a provider's message may not hold.
 */
#ifndef VAULT_TRAIL_H
#define VAULT_TRAIL_H

#include "message.h"
#include "status.h"

#define VAULT_TRAIL_MAX 16

struct vault_trail_step {
    struct vault_message what; /* "environment", "assuming the role arn:.." */
    enum vault_status status;  /* VAULT_NOT_CONFIGURED: passed over */
    struct vault_message why;  /* "" for VAULT_OK */
};

struct vault_trail {
    size_t count;
    struct vault_trail_step steps[VAULT_TRAIL_MAX];
};

/* One more step; `trail` NULL: nobody asked. Past VAULT_TRAIL_MAX the last one is written over. */
void vault_trail_add(struct vault_trail *trail, const char *what, enum vault_status status,
                     const char *why);

#endif
