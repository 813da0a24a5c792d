/* fetch - cold fetches by the engine driven from C, beside a bare libcurl program.
 *
 * For:   the same requests at concurrency 1, 16, 64, in rounds that take turns, each side in a
 * process of its own; one JSON line each with medians, and the medians of each pair's ratio and
 * difference. VAULT_BENCH_URL, VAULT_BENCH_CA and VAULT_BENCH_SERVER name the server. `fetch bare N
 * [MS]` and `fetch engine N [MS]` make one round of one of the two, for other programs and for
 * profilers.
 * Never: a pass or a fail.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "arena.h"
#include "http_settings.h"
#include "io_thread.h"
#include "support/bare.h"
#include "support/round.h"

#define ROUND_MS   100
#define WARM_MS    50
#define TIMEOUT_MS 10000

/* Submit, wait for the wake-up, take: as fetch.lua's collector does. */
struct engine_side {
    struct vault_port *port;
    struct vault_engine_settings settings;
    struct vault_fetch_request request;
    int wake;
    double began[VAULT_JOBS_MAX]; /* by job number, which counts up */
    unsigned long names;
};

static struct engine_side engine_side;

static void open_engine(const struct bare_target *target)
{
    static const char *const folders[] = {"/tmp", "/dev/shm", NULL};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[VAULT_WAKE_PATH_MAX];
    struct engine_side *side = &engine_side;

    side->settings.ca_file = target->ca_file;
    side->request.region = BARE_REGION;
    side->request.endpoint_url = target->url;
    side->request.timeout_ms = TIMEOUT_MS;
    bench_must(vault_port_new(&side->port), "vault_port_new", "");
    bench_must(vault_port_listen(side->port, folders, path), "vault_port_listen", "");
    memcpy(address.sun_path, path, strlen(path) + 1);
    side->wake = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bench_need(side->wake >= 0, "socket");
    bench_need(connect(side->wake, (struct sockaddr *)&address, sizeof address) == 0, "connect");
    bench_must(vault_port_accept(side->port), "vault_port_accept", "");
}

static void submit(struct engine_side *side)
{
    struct vault_message why = {0};
    double began = bench_now_ms();
    uint64_t number;
    char name[32];

    (void)snprintf(name, sizeof name, "bench-%09lu", ++side->names);
    side->request.secret_id = name;
    side->request.secret_id_length = strlen(name);
    bench_must(vault_port_submit(side->port, &side->request, &side->settings, &number, &why),
               "vault_port_submit", why.text);
    side->began[number % VAULT_JOBS_MAX] = began;
}

static void await_engine(const struct engine_side *side)
{
    struct pollfd wait = {.fd = side->wake, .events = POLLIN};
    char bytes[64];

    bench_need(poll(&wait, 1, TIMEOUT_MS) == 1, "the engine's wake-up");
    bench_need(recv(side->wake, bytes, sizeof bytes, 0) > 0, "recv");
}

static struct bench_round run_engine(unsigned concurrency, int milliseconds)
{
    struct engine_side *side = &engine_side;
    struct bench_clock clock;
    struct vault_fetch *fetch;
    uint64_t number;

    bench_begin(&clock, milliseconds);
    for (unsigned i = 0; i < concurrency; i++)
        submit(side);
    while (vault_port_pending(side->port)) {
        await_engine(side);
        while ((fetch = vault_port_take(side->port, &number))) {
            double now = bench_now_ms();

            bench_must(vault_fetch_status(fetch), "a fetch", vault_fetch_message(fetch)->text);
            vault_fetch_free(fetch);
            bench_count(&clock, side->began[number % VAULT_JOBS_MAX], now);
            if (now < clock.over)
                submit(side);
        }
    }
    return bench_end(&clock);
}

/* The bare side's process: rounds are asked for and told over pipes. */
struct wish {
    unsigned concurrency;
    int milliseconds;
};

static int to_bare, from_bare;

static void serve_bare(const struct bare_target *target, int wishes, int rounds)
{
    struct wish wish;

    bare_open(target);
    while (read(wishes, &wish, sizeof wish) == sizeof wish) {
        struct bench_round round = bare_run(wish.concurrency, wish.milliseconds);

        bench_need(write(rounds, &round, sizeof round) == sizeof round, "telling a round");
    }
    _exit(0);
}

static void start_bare(const struct bare_target *target)
{
    int wishes[2], rounds[2];
    pid_t child;

    bench_need(pipe2(wishes, O_CLOEXEC) == 0 && pipe2(rounds, O_CLOEXEC) == 0, "pipe2");
    child = fork();
    bench_need(child >= 0, "fork");
    if (child == 0) {
        close(wishes[1]);
        serve_bare(target, wishes[0], rounds[1]);
    }
    to_bare = wishes[1];
    from_bare = rounds[0];
    close(rounds[1]);
}

static struct bench_round run_bare(unsigned concurrency, int milliseconds)
{
    const struct wish wish = {concurrency, milliseconds};
    struct bench_round round;

    bench_need(write(to_bare, &wish, sizeof wish) == sizeof wish, "asking for a round");
    bench_need(read(from_bare, &round, sizeof round) == sizeof round, "a bare round");
    return round;
}

/* What the ratio of the rates were if both sides had one processor, the server's work included. */
static double one_processor(const struct bench_round *ours, const struct bench_round *bare)
{
    return (bare->cpu_us + bare->server_cpu_us) / (ours->cpu_us + ours->server_cpu_us);
}

static void tell(unsigned concurrency, const struct bench_round *ours,
                 const struct bench_round *bare)
{
    double ratio[BENCH_ROUNDS], over[BENCH_ROUNDS], cpu_ratio[BENCH_ROUNDS], alone[BENCH_ROUNDS];

    for (int i = 0; i < BENCH_ROUNDS; i++) {
        ratio[i] = ours[i].per_second / bare[i].per_second;
        over[i] = ours[i].p50_ms - bare[i].p50_ms;
        cpu_ratio[i] = ours[i].cpu_us / bare[i].cpu_us;
        alone[i] = one_processor(&ours[i], &bare[i]);
    }
    printf("{\"bench\":\"fetch\",\"concurrency\":%u,\"rounds\":%d,\"per_second\":%.0f,"
           "\"bare_per_second\":%.0f,\"rate_ratio\":%.3f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
           "\"bare_p50_ms\":%.3f,\"bare_p99_ms\":%.3f,\"p50_over_bare_ms\":%.3f,",
           concurrency, BENCH_ROUNDS, BENCH_MIDDLE(ours, per_second),
           BENCH_MIDDLE(bare, per_second), bench_median(ratio), BENCH_MIDDLE(ours, p50_ms),
           BENCH_MIDDLE(ours, p99_ms), BENCH_MIDDLE(bare, p50_ms), BENCH_MIDDLE(bare, p99_ms),
           bench_median(over));
    printf("\"cpu_us\":%.1f,\"bare_cpu_us\":%.1f,\"cpu_ratio\":%.3f,\"server_cpu_us\":%.1f,"
           "\"bare_server_cpu_us\":%.1f,\"one_processor_ratio\":%.3f}\n",
           BENCH_MIDDLE(ours, cpu_us), BENCH_MIDDLE(bare, cpu_us), bench_median(cpu_ratio),
           BENCH_MIDDLE(ours, server_cpu_us), BENCH_MIDDLE(bare, server_cpu_us),
           bench_median(alone));
    (void)fflush(stdout);
}

static void compare(unsigned concurrency)
{
    struct bench_round ours[BENCH_ROUNDS], bare[BENCH_ROUNDS];

    run_engine(concurrency, WARM_MS);
    run_bare(concurrency, WARM_MS);
    for (int i = 0; i < BENCH_ROUNDS; i++) {
        ours[i] = run_engine(concurrency, ROUND_MS);
        bare[i] = run_bare(concurrency, ROUND_MS);
    }
    tell(concurrency, ours, bare);
}

typedef struct bench_round one_side(unsigned concurrency, int milliseconds);

static void alone(one_side *run, int words_count, char **words)
{
    unsigned concurrency = (unsigned)atoi(words[2]);
    int milliseconds = words_count > 3 ? atoi(words[3]) : ROUND_MS;
    struct bench_round round;

    bench_need(concurrency >= 1 && concurrency <= BARE_CONCURRENCY_MAX && milliseconds >= 1,
               "reading a concurrency of 1 to 64 and milliseconds");
    run(concurrency, WARM_MS);
    round = run(concurrency, milliseconds);
    printf("{\"per_second\":%.1f,\"p50_ms\":%.4f,\"p99_ms\":%.4f,\"cpu_us\":%.2f,"
           "\"server_cpu_us\":%.2f}\n",
           round.per_second, round.p50_ms, round.p99_ms, round.cpu_us, round.server_cpu_us);
}

/* The engine's environment is this program's: credentials, and no proxy. */
static void set_environment(const struct vault_credential *credential)
{
    bench_need(clearenv() == 0 && setenv("AWS_ACCESS_KEY_ID", credential->access_key_id, 1) == 0 &&
                   setenv("AWS_SECRET_ACCESS_KEY", credential->secret_access_key, 1) == 0,
               "setenv");
    bench_must(vault_environment_capture(), "vault_environment_capture", "");
}

int main(int words_count, char **words)
{
    static const unsigned concurrencies[] = {1, 16, 64};
    static char id[] = "AKIDEXAMPLE", secret[] = "EXAMPLEKEY";
    const struct vault_credential credential = {.access_key_id = id, .secret_access_key = secret};
    const char *url = getenv("VAULT_BENCH_URL"), *ca_file = getenv("VAULT_BENCH_CA");
    const struct bare_target target = {url ? strdup(url) : NULL, ca_file ? strdup(ca_file) : NULL,
                                       &credential};
    struct vault_message why = {0};

    bench_need(target.url && target.ca_file, "finding VAULT_BENCH_URL and VAULT_BENCH_CA");
    bench_watch(getenv("VAULT_BENCH_SERVER"));
    if (words_count >= 3 && strcmp(words[1], "bare") == 0) {
        bare_open(&target);
        alone(bare_run, words_count, words);
        return 0;
    }
    if (words_count < 3)
        start_bare(&target);
    vault_arena_stay(); /* as the module's thread does */
    set_environment(&credential);
    bench_must(vault_http_start(&why), "vault_http_start", why.text);
    open_engine(&target);
    if (words_count >= 3)
        alone(run_engine, words_count, words);
    for (size_t i = 0; words_count < 3 && i < sizeof concurrencies / sizeof *concurrencies; i++)
        compare(concurrencies[i]);
    vault_port_close(engine_side.port);
    return 0;
}
