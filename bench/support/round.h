/* round - one timed round of fetches, and what several of them show.
 *
 * For:   the clock, the processor time of this process and the server's, rates, percentiles,
 * medians; ending the program where something fails to run.
 * Never: how a fetch is made.
 */
#ifndef VAULT_BENCH_ROUND_H
#define VAULT_BENCH_ROUND_H

#include <stdbool.h>
#include <stddef.h>

#include "status.h"

#define BENCH_ROUNDS 21

struct bench_round {
    double per_second;
    double p50_ms, p99_ms;
    double cpu_us, server_cpu_us; /* processor time per fetch: of this process, of the server */
};

/* A round under way. One at a time. */
struct bench_clock {
    double began, over, cpu_began, server_cpu_began;
    size_t done;
};

double bench_now_ms(void);

/* Before the first round: the process id of the server, in digits. */
void bench_watch(const char *pid);

void bench_begin(struct bench_clock *clock, int milliseconds);

/* Count a fetch that began at `since` and was done at `now`. */
void bench_count(struct bench_clock *clock, double since, double now);

struct bench_round bench_end(const struct bench_clock *clock);

/* Of BENCH_ROUNDS values. */
double bench_median(const double *values);

/* The median over BENCH_ROUNDS rounds of one figure of `struct bench_round`. */
#define BENCH_MIDDLE(rounds, figure) bench_middle(rounds, offsetof(struct bench_round, figure))
double bench_middle(const struct bench_round *rounds, size_t offset);

/* End the program, unless `held`. */
void bench_need(bool held, const char *what);
void bench_must(enum vault_status status, const char *what, const char *why);

#endif
