/* bare - the same requests by libcurl alone.
 *
 * For:   what the engine is measured against: a program that does nothing but send what the engine
 * would send, over one multi handle with the engine's settings.
 * Never: the engine.
 */
#ifndef VAULT_BENCH_BARE_H
#define VAULT_BENCH_BARE_H

#include "credentials.h"
#include "round.h"

#define BARE_CONCURRENCY_MAX 64
#define BARE_REGION          "us-east-1"

/* Where to: kept for the life of the process. */
struct bare_target {
    const char *url;
    const char *ca_file;
    const struct vault_credential *credential;
};

/* In a process in which the engine does not run: that one has libcurl's memory in its own hands. */
void bare_open(const struct bare_target *target);

struct bench_round bare_run(unsigned concurrency, int milliseconds);

#endif
