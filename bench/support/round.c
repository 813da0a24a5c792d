/* round - one timed round of fetches, and what several of them show.
 *
 * For:   what round.h promises.
 * Never: how a fetch is made.
 */
#include "round.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SAMPLES_MAX 200000

static double samples[SAMPLES_MAX];
static pid_t server;

void bench_need(bool held, const char *what)
{
    if (held)
        return;
    (void)fprintf(stderr, "%s: %s failed\n", program_invocation_short_name, what);
    exit(1);
}

void bench_must(enum vault_status status, const char *what, const char *why)
{
    if (status == VAULT_OK)
        return;
    (void)fprintf(stderr, "%s: %s: %s %s\n", program_invocation_short_name, what,
                  vault_status_row(status)->word, why);
    exit(1);
}

static double read_ms(clockid_t clock)
{
    struct timespec now;

    bench_need(clock_gettime(clock, &now) == 0, "clock_gettime");
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

double bench_now_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}

static double server_cpu_ms(void)
{
    clockid_t clock;

    bench_need(clock_getcpuclockid(server, &clock) == 0, "finding the server's processor time");
    return read_ms(clock);
}

void bench_watch(const char *pid)
{
    server = pid ? (pid_t)atol(pid) : 0;
    bench_need(server > 0, "finding VAULT_BENCH_SERVER");
}

static int by_value(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;

    return (a > b) - (a < b);
}

void bench_begin(struct bench_clock *clock, int milliseconds)
{
    clock->began = bench_now_ms();
    clock->over = clock->began + milliseconds;
    clock->cpu_began = read_ms(CLOCK_PROCESS_CPUTIME_ID);
    clock->server_cpu_began = server_cpu_ms();
    clock->done = 0;
}

void bench_count(struct bench_clock *clock, double since, double now)
{
    bench_need(clock->done < SAMPLES_MAX, "keeping samples");
    samples[clock->done++] = now - since;
}

struct bench_round bench_end(const struct bench_clock *clock)
{
    double fetches = (double)clock->done;
    struct bench_round round = {
        .per_second = fetches * 1e3 / (bench_now_ms() - clock->began),
        .cpu_us = (read_ms(CLOCK_PROCESS_CPUTIME_ID) - clock->cpu_began) * 1e3 / fetches,
        .server_cpu_us = (server_cpu_ms() - clock->server_cpu_began) * 1e3 / fetches,
    };

    bench_need(clock->done > 0, "any fetch at all");
    qsort(samples, clock->done, sizeof(double), by_value);
    round.p50_ms = samples[(clock->done - 1) / 2];
    round.p99_ms = samples[(clock->done - 1) * 99 / 100];
    return round;
}

double bench_median(const double *values)
{
    double sorted[BENCH_ROUNDS];

    memcpy(sorted, values, sizeof sorted);
    qsort(sorted, BENCH_ROUNDS, sizeof *sorted, by_value);
    return sorted[BENCH_ROUNDS / 2];
}

double bench_middle(const struct bench_round *rounds, size_t offset)
{
    double values[BENCH_ROUNDS];

    for (int i = 0; i < BENCH_ROUNDS; i++)
        memcpy(&values[i], (const char *)&rounds[i] + offset, sizeof *values);
    return bench_median(values);
}
