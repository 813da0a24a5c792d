/* fetch_request - what a fetch is asked to get, and a copy of it that a fetch keeps.
 *
 * For:   the texts of one request, its caller's among them, and their limits.
 * Never: what is made of them (fetch), references, settings.
 */
#ifndef VAULT_FETCH_REQUEST_H
#define VAULT_FETCH_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "identity_request.h"
#include "message.h"
#include "secretsmanager_batch.h"

#define VAULT_FETCH_REGION_MAX 64

/* What is wanted. Texts NULL or "" for none. */
struct vault_fetch_request {
    const char *secret_id;
    size_t secret_id_length;
    const char *stage;
    const struct vault_secret_id *batch;  /* instead of one secret, the AWSCURRENT of several */
    size_t batch_count;                   /* 0: one secret */
    const char *region;                   /* none: the profile's, else the instance's */
    const char *endpoint_url;             /* none: the profile's, else AWS's own */
    int64_t timeout_ms;                   /* whole fetch, 1 .. 3600000 */
    struct vault_identity_request caller; /* its region is the fetch's */
    unsigned
        attempts; /* at most, what the first one needs for clock and credential aside; 0: as AWS's
                          clients have it (vault_retry_init) */
    bool explain; /* keep a report */
};

/* The same, owned. */
struct vault_fetch_copy {
    char *secret_id;
    size_t secret_id_length;
    struct vault_secret_id *batch; /* NULL for none */
    size_t batch_count;
    char *stage, *endpoint_url; /* NULL for none */
    struct vault_buffer region; /* at most VAULT_FETCH_REGION_MAX; length 0 for none */
    char *texts[VAULT_IDENTITY_TEXTS];
    struct vault_identity_request caller; /* made of `texts` */
};

/* Fill `copy`, whatever it holds. VAULT_OK, VAULT_NO_MEMORY, VAULT_TOO_LARGE (the region): `copy`
 * goes to vault_fetch_copy_free in any case. */
VAULT_MUST_CHECK enum vault_status vault_fetch_copy_make(const struct vault_fetch_request *request,
                                                         struct vault_fetch_copy *copy);

/* Append what it is about: secret "db" in eu-west-1; batch of 20 secrets in eu-west-1. */
void vault_fetch_copy_say(const struct vault_fetch_copy *copy, struct vault_message *message);

/* The same of one secret of its batch. */
void vault_fetch_copy_say_one(const struct vault_fetch_copy *copy, size_t index,
                              struct vault_message *message);

/* Wipe and free who asks: no longer needed, and it may hold keys. */
void vault_fetch_copy_forget_caller(struct vault_fetch_copy *copy);

/* Wipe and free all it holds. */
void vault_fetch_copy_free(struct vault_fetch_copy *copy);

#endif
