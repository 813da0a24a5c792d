/* bare - the same requests by libcurl alone.
 *
 * For:   what bare.h promises: the request is signed once, each handle is set up once and sent
 * again and again.
 * Never: code of the engine in what is timed.
 */
#include "bare.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>

#include "secretsmanager.h"
#include "signed_exchange.h"
#include "version.h"

#define ANSWER_ROOM 4096
#define BODY_ROOM   256
#define LINES_MAX   8
#define TIMEOUT_MS  10000
#define CONNECT_MS  3000

struct slot {
    CURL *easy;
    struct curl_slist *headers;
    char body[BODY_ROOM];
    double began;
    size_t length;
    char answer[ANSWER_ROOM];
};

struct bare_side {
    CURLM *multi;
    struct vault_exchange exchange;
    const char *lines[LINES_MAX]; /* of the headers, up to NULL */
    unsigned long names;
    struct slot slots[BARE_CONCURRENCY_MAX];
};

static struct bare_side bare_side;

static size_t on_body(char *bytes, size_t size, size_t number, void *at)
{
    struct slot *slot = at;

    bench_need(slot->length + size * number <= sizeof slot->answer, "keeping the answer");
    memcpy(slot->answer + slot->length, bytes, size * number);
    slot->length += size * number;
    return size * number;
}

static void sign_once(struct vault_exchange *exchange, const struct bare_target *target)
{
    struct vault_endpoint endpoint;
    struct vault_message why = {0};
    const struct vault_endpoint_query query = {
        .service = vault_secretsmanager_service, .region = BARE_REGION, .override = target->url};
    struct vault_signing signing = {
        .endpoint = &endpoint,
        .credential = target->credential,
        .region = BARE_REGION,
        .service = vault_secretsmanager_service,
    };
    static const char name[] = "bench-000000000";

    vault_endpoint_init(&endpoint);
    vault_exchange_init(exchange);
    bench_must(vault_signer_new(&signing.signer), "vault_signer_new", "");
    bench_must(vault_endpoint_settle(&query, &endpoint, &why), "the URL", why.text);
    bench_must(vault_secretsmanager_ask_value(exchange, name, sizeof name - 1, NULL), "the body",
               "");
    bench_must(vault_exchange_sign(exchange, &signing, time(NULL)), "the signature", "");
    vault_signer_free(signing.signer);
    vault_endpoint_free(&endpoint);
}

static void split_headers(struct bare_side *side)
{
    char *rest = NULL;
    size_t count = 0;

    for (char *line = strtok_r(side->exchange.headers.data, "\r\n", &rest); line;
         line = strtok_r(NULL, "\r\n", &rest)) {
        bench_need(count < LINES_MAX - 2, "keeping the headers");
        side->lines[count++] = line;
    }
    side->lines[count] = "Expect:";
}

/* Each request has a name of its own, and so a body and headers of its own. */
static void set_request(struct bare_side *side, struct slot *slot)
{
    curl_slist_free_all(slot->headers);
    slot->headers = NULL;
    for (const char *const *line = side->lines; *line; line++)
        slot->headers = curl_slist_append(slot->headers, *line);
    bench_need(slot->headers != NULL, "curl_slist_append");
    (void)snprintf(slot->body, sizeof slot->body,
                   "{\"SecretId\":\"bench-%09lu\",\"VersionStage\":\"AWSCURRENT\"}", ++side->names);
    curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, slot->headers);
    curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, slot->body);
}

/* The options of csrc/http.c and csrc/http_settings.c. */
static void make_slot(struct bare_side *side, struct slot *slot, const char *ca_file)
{
    CURL *easy = slot->easy = curl_easy_init();

    bench_need(easy != NULL, "curl_easy_init");
    curl_easy_setopt(easy, CURLOPT_PRIVATE, slot);
    curl_easy_setopt(easy, CURLOPT_URL, side->exchange.url.data);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)side->exchange.body.length);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "lua-resty-vaults/" VAULT_VERSION);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, slot);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 1024L);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 16384L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
}

void bare_open(const struct bare_target *target)
{
    struct bare_side *side = &bare_side;

    bench_need(curl_global_init(CURL_GLOBAL_DEFAULT) == 0, "curl_global_init");
    sign_once(&side->exchange, target);
    split_headers(side);
    side->multi = curl_multi_init();
    bench_need(side->multi != NULL, "curl_multi_init");
    curl_multi_setopt(side->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)BARE_CONCURRENCY_MAX);
    curl_multi_setopt(side->multi, CURLMOPT_MAXCONNECTS, (long)BARE_CONCURRENCY_MAX);
    for (unsigned i = 0; i < BARE_CONCURRENCY_MAX; i++)
        make_slot(side, &side->slots[i], target->ca_file);
}

static void send_again(struct bare_side *side, struct slot *slot)
{
    slot->began = bench_now_ms();
    slot->length = 0;
    set_request(side, slot);
    bench_need(curl_multi_add_handle(side->multi, slot->easy) == CURLM_OK, "curl_multi_add_handle");
}

static struct slot *finished(struct bare_side *side, const CURLMsg *message)
{
    struct slot *slot = NULL;
    long status = 0;

    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &slot);
    curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
    bench_need(message->data.result == CURLE_OK && status == 200, "a bare transfer");
    curl_multi_remove_handle(side->multi, slot->easy);
    return slot;
}

struct bench_round bare_run(unsigned concurrency, int milliseconds)
{
    struct bare_side *side = &bare_side;
    struct bench_clock clock;
    unsigned under_way = concurrency;
    int number;

    bench_begin(&clock, milliseconds);
    for (unsigned i = 0; i < concurrency; i++)
        send_again(side, &side->slots[i]);
    while (under_way) {
        CURLMsg *message;

        curl_multi_perform(side->multi, &number);
        while ((message = curl_multi_info_read(side->multi, &number))) {
            struct slot *slot = finished(side, message);
            double now = bench_now_ms();

            bench_count(&clock, slot->began, now);
            if (now < clock.over)
                send_again(side, slot);
            else
                under_way--;
        }
        if (under_way)
            curl_multi_poll(side->multi, NULL, 0, TIMEOUT_MS, NULL);
    }
    return bench_end(&clock);
}
