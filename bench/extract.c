/* extract - how many strings a second vault_json_extract takes out of a document.
 *
 * For:   documents of 100 bytes, 4 KiB and 64 KiB in all: an object of ten members, the wanted key
 * in the middle. Prints one JSON line each: the median of five runs. Never: a pass or a fail.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "json_extract.h"

#define MEMBERS 10
#define RUNS    5
#define RUN_NS  200000000LL
#define KEY     "k4"

static void must(enum vault_status status)
{
    if (status == VAULT_OK)
        return;
    (void)fprintf(stderr, "%s\n", vault_status_row(status)->word);
    exit(1);
}

/* {"k0":"xx..","k1":...}: `size` bytes in all, or a few more where ten members need them. */
static void build(struct vault_buffer *text, size_t size)
{
    size_t frame = MEMBERS * strlen("\"k0\":\"\",") + 1;
    size_t value = size > frame ? (size - frame) / MEMBERS : 0;
    size_t rest = size > frame ? (size - frame) % MEMBERS : 0;

    must(vault_buffer_text(text, "{"));
    for (int i = 0; i < MEMBERS; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "%s\"k%d\":\"", i == 0 ? "" : ",", i);
        must(vault_buffer_text(text, key));
        for (size_t n = value + (i == 0 ? rest : 0); n > 0; n--)
            must(vault_buffer_text(text, "v"));
        must(vault_buffer_text(text, "\""));
    }
    must(vault_buffer_text(text, "}"));
}

static long long now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static double rate(const struct vault_buffer *text, struct vault_buffer *out)
{
    long long start = now_ns();
    long long spent = 0;
    unsigned long done = 0;

    while (spent < RUN_NS) {
        for (int i = 0; i < 100; i++) {
            vault_buffer_clear(out);
            must(vault_json_extract(text->data, text->length, KEY, strlen(KEY), out, NULL, NULL));
        }
        done += 100;
        spent = now_ns() - start;
    }
    return (double)done * 1e9 / (double)spent;
}

static int by_rate(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return (a > b) - (a < b);
}

static void measure(size_t size)
{
    struct vault_buffer text, out;
    double rates[RUNS];

    vault_buffer_init(&text, 2 * size + 200);
    vault_buffer_init(&out, size);
    build(&text, size);
    for (int run = 0; run < RUNS; run++)
        rates[run] = rate(&text, &out);
    qsort(rates, RUNS, sizeof rates[0], by_rate);
    printf("{\"bench\":\"extract\",\"bytes\":%zu,\"runs\":%d,\"per_second\":%.0f,"
           "\"megabytes_per_second\":%.1f}\n",
           text.length, RUNS, rates[RUNS / 2], rates[RUNS / 2] * (double)text.length / 1e6);
    vault_buffer_free(&text);
    vault_buffer_free(&out);
}

int main(void)
{
    static const size_t sizes[] = {100, 4096, 65536};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        measure(sizes[i]);
    return 0;
}
