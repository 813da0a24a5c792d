/* http - the rules of one HTTP transfer, on libcurl.
 *
 * For:   what http.h promises.
 * Never: threads, queues, AWS words, Lua.
 */
#include "http.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "header.h"
#include "http_lines.h"
#include "http_outcome.h"

#define HEADER_BYTES_MAX (64 * 1024)
#define URL_MAX          4096
#define SENT_MOST        2 /* times, by libcurl itself */
#define WHY_SHOWN        256

struct vault_transfer {
    CURL *easy;
    const struct vault_http_settings *settings;
    struct vault_buffer url; /* as the handle has it; */
    CURLU *parts;            /* the same taken apart, so that not each exchange does it; */
    const char *proxy;       /* and so too; NULL for none */

    struct vault_exchange *exchange; /* what is performed */
    struct vault_http_lines lines;   /* its header lines, in its own bytes */
    size_t header_bytes;
    unsigned sent;             /* so many times */
    enum vault_status refused; /* why a callback of ours stopped the transfer */
    char date[64];             /* the Date header */
    char error[CURL_ERROR_SIZE];
};

static size_t on_body(char *bytes, size_t size, size_t count, void *at)
{
    struct vault_transfer *transfer = at;

    if (transfer->refused == VAULT_OK)
        transfer->refused = vault_buffer_append(&transfer->exchange->answer, bytes, size * count);
    return transfer->refused == VAULT_OK ? size * count : 0;
}

static size_t on_header(char *line, size_t size, size_t count, void *at)
{
    struct vault_transfer *transfer = at;
    struct vault_exchange *exchange = transfer->exchange;
    size_t length = size * count;
    char text[64] = "";

    transfer->header_bytes += length;
    if (transfer->header_bytes > HEADER_BYTES_MAX)
        transfer->refused = VAULT_TOO_LARGE;
    else if (memchr(line, '\0', length)) /* libcurl looks for it since 7.84 */
        transfer->refused = VAULT_BAD_RESPONSE;
    if (transfer->refused != VAULT_OK)
        return 0;
    if (length == 0 || !strchr("HDdXx", *line)) /* none of the following */
        return length;
    /* A status line: what an interim answer said before is not the answer's. */
    if (length >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        exchange->retry_after_ms = -1;
        exchange->error_type[0] = exchange->request_id[0] = transfer->date[0] = '\0';
    }
    vault_header_keep(line, length, "x-amzn-errortype", exchange->error_type,
                      sizeof exchange->error_type);
    vault_header_keep(line, length, "x-amzn-requestid", exchange->request_id,
                      sizeof exchange->request_id);
    vault_header_keep(line, length, "date", transfer->date, sizeof transfer->date);
    vault_header_keep(line, length, "x-amz-retry-after", text, sizeof text);
    if (text[0] && strlen(text) < 10 && strspn(text, "0123456789") == strlen(text))
        exchange->retry_after_ms = strtol(text, NULL, 10);
    return length;
}

/* Whoever does not even confirm what it is sent for as long as a connection may take is gone, and
 * an attempt on a new connection is better than waiting for it. (RFC 5482) */
static curl_socket_t limit_silence(curl_socket_t made, const struct vault_http_settings *settings)
{
    unsigned most_ms = (unsigned)settings->connect_timeout_ms;

    if (made != CURL_SOCKET_BAD)
        (void)setsockopt(made, IPPROTO_TCP, TCP_USER_TIMEOUT, &most_ms, sizeof most_ms);
    return made;
}

/* Asked before each connection, so that what the exchange carries never goes to an address that the
 * protocol rules out, whatever the name resolved to. */
static curl_socket_t on_socket(void *at, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct vault_transfer *transfer = at;
    const struct vault_exchange *exchange = transfer->exchange;

    (void)purpose;
    /* One address that is ruled out ends it: libcurl would go on to the name's next. */
    if (transfer->refused == VAULT_OK &&
        (!exchange->may_connect || exchange->may_connect(&address->addr)))
        return limit_silence(
            socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol),
            transfer->settings);
    transfer->refused = VAULT_BAD_ENDPOINT;
    return CURL_SOCKET_BAD;
}

#if LIBCURL_VERSION_NUM >= 0x075000
/* What a kept connection loses libcurl sends again, perhaps on another that was kept with it. After
 * that a new attempt, on a fresh one, is better, where there is one left. */
static int on_request(void *at, char *ip, char *own_ip, int port, int own_port)
{
    struct vault_transfer *transfer = at;

    (void)ip, (void)own_ip, (void)port, (void)own_port;
    if (++transfer->sent > SENT_MOST && transfer->exchange->again)
        transfer->refused = VAULT_CONNECTION_LOST;
    return transfer->refused == VAULT_OK ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}
#endif

static void set_callbacks(struct vault_transfer *transfer)
{
    CURL *easy = transfer->easy;

    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
#if LIBCURL_VERSION_NUM >= 0x075000
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_request);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
#endif
}

enum vault_status vault_transfer_new(const struct vault_http_settings *settings,
                                     struct vault_transfer **made)
{
    struct vault_transfer *transfer = vault_alloc(sizeof *transfer);

    if (!transfer)
        return VAULT_NO_MEMORY;
    vault_buffer_init(&transfer->url, URL_MAX);
    transfer->settings = settings;
    transfer->easy = curl_easy_init();
    transfer->parts = curl_url();
    if (!transfer->easy || !transfer->parts) {
        vault_transfer_free(transfer);
        return VAULT_NO_MEMORY;
    }
    vault_http_settings_apply(settings, transfer->easy);
    set_callbacks(transfer);
    *made = transfer;
    return VAULT_OK;
}

/* What cannot be taken apart is the handle's to complain of. */
static bool set_parts(struct vault_transfer *transfer)
{
    CURLUcode code =
        curl_url_set(transfer->parts, CURLUPART_URL, transfer->url.data, CURLU_NON_SUPPORT_SCHEME);

    return code != CURLUE_OUT_OF_MEMORY &&
           curl_easy_setopt(transfer->easy, CURLOPT_CURLU,
                            code == CURLUE_OK ? transfer->parts : NULL) == CURLE_OK &&
           curl_easy_setopt(transfer->easy, CURLOPT_URL, transfer->url.data) == CURLE_OK;
}

static enum vault_status set_url(struct vault_transfer *transfer)
{
    const struct vault_buffer *url = &transfer->exchange->url;
    enum vault_status status;

    if (url->length == transfer->url.length &&
        (url->length == 0 || memcmp(url->data, transfer->url.data, url->length) == 0))
        return VAULT_OK;
    vault_buffer_clear(&transfer->url);
    status = vault_buffer_append(&transfer->url, url->data, url->length);
    if (status == VAULT_OK && !set_parts(transfer))
        status = VAULT_NO_MEMORY;
    if (status != VAULT_OK)
        vault_buffer_clear(&transfer->url);
    return status;
}

static enum vault_status set_proxy(struct vault_transfer *transfer)
{
    const struct vault_http_settings *settings = transfer->settings;
    const char *proxy = NULL;

    if (!transfer->exchange->direct)
        proxy = strncmp(transfer->url.data, "https:", 6) == 0 ? settings->https_proxy
                                                              : settings->http_proxy;
    if (proxy == transfer->proxy)
        return VAULT_OK;
    /* A proxy that is asked for a tunnel sees none of the request's lines. */
    if (curl_easy_setopt(transfer->easy, CURLOPT_PROXY, proxy ? proxy : "") != CURLE_OK ||
        curl_easy_setopt(transfer->easy, CURLOPT_USERAGENT, proxy ? VAULT_HTTP_AGENT : NULL) !=
            CURLE_OK)
        return VAULT_NO_MEMORY;
    transfer->proxy = proxy;
    return VAULT_OK;
}

static enum vault_status set_request(struct vault_transfer *transfer)
{
    const struct vault_exchange *exchange = transfer->exchange;
    const char *method = exchange->method;
    CURL *easy = transfer->easy;

    if (strcmp(method, "GET") == 0) {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
        method = NULL;
    } else {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)exchange->body.length);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                         exchange->body.length ? exchange->body.data : "");
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->lines.items);
    /* A connection kept from elsewhere was not asked about. */
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT,
                     exchange->fresh || exchange->may_connect ? 1L : 0L);
    /* Where a name server is dead resolvers take 5 s. (resolv.conf(5)) */
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)transfer->settings->connect_timeout_ms * (exchange->fresh ? 2 : 1));
    if (curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method) != CURLE_OK)
        return VAULT_NO_MEMORY;
    return VAULT_OK;
}

enum vault_status vault_transfer_begin(struct vault_transfer *transfer,
                                       struct vault_exchange *exchange, int64_t timeout_ms)
{
    enum vault_status status;

    if (exchange->timeout_ms > 0 && exchange->timeout_ms < timeout_ms)
        timeout_ms = exchange->timeout_ms;
    transfer->exchange = exchange;
    transfer->header_bytes = transfer->sent = 0;
    transfer->refused = VAULT_OK;
    transfer->date[0] = transfer->error[0] = '\0';
    curl_easy_setopt(transfer->easy, CURLOPT_TIMEOUT_MS, (long)(timeout_ms < 1 ? 1 : timeout_ms));
    status = vault_http_lines_cut(&transfer->lines, exchange->headers.data);
    if (status == VAULT_OK)
        status = set_url(transfer);
    if (status == VAULT_OK)
        status = set_proxy(transfer);
    if (status == VAULT_OK)
        status = set_request(transfer);
    if (status != VAULT_OK)
        vault_http_lines_mend(&transfer->lines);
    return status;
}

CURL *vault_transfer_easy(const struct vault_transfer *transfer)
{
    return transfer->easy;
}

void vault_transfer_free(struct vault_transfer *transfer)
{
    if (!transfer)
        return;
    vault_http_lines_mend(&transfer->lines);
    curl_easy_cleanup(transfer->easy);
    curl_url_cleanup(transfer->parts);
    vault_buffer_free(&transfer->url);
    vault_free(transfer);
}

/* libcurl can tell from 8.7.0 on. */
static bool used_proxy(const struct vault_transfer *transfer)
{
#if LIBCURL_VERSION_NUM >= 0x080700
    long used = 0;

    if (curl_easy_getinfo(transfer->easy, CURLINFO_USED_PROXY, &used) == CURLE_OK)
        return used != 0;
#endif
    return transfer->proxy && !transfer->settings->no_proxy;
}

static enum vault_status outcome_of(const struct vault_transfer *transfer, CURLcode code,
                                    const char *text)
{
    enum vault_status outcome = transfer->refused;

    if (outcome == VAULT_OK)
        outcome = vault_http_outcome(transfer->easy, code, text);
    if ((outcome == VAULT_CONNECT_FAILED || outcome == VAULT_RESOLVE_FAILED) &&
        used_proxy(transfer))
        outcome = VAULT_PROXY_FAILED;
    return outcome;
}

static void say_why(const struct vault_transfer *transfer, const char *text)
{
    struct vault_message why = {0};

    if (transfer->refused == VAULT_OK)
        vault_message_quote(&why, text, strlen(text), WHY_SHOWN);
    else if (transfer->header_bytes > HEADER_BYTES_MAX)
        vault_message_add(&why, "the answer's headers are over their limit of %d bytes",
                          HEADER_BYTES_MAX);
    else if (transfer->refused == VAULT_TOO_LARGE)
        vault_message_add(&why, "the answer is over its limit of %zu bytes",
                          transfer->exchange->answer.limit);
    else if (transfer->refused == VAULT_CONNECTION_LOST)
        vault_message_add(&why, "one kept connection after the other was lost");
    else if (transfer->refused == VAULT_BAD_ENDPOINT)
        vault_message_add(&why, "this address may not be asked over plain HTTP");
    else if (transfer->refused == VAULT_BAD_RESPONSE)
        vault_message_add(&why, "a header of the answer holds a NUL byte");
    else
        vault_message_add(&why, "%s", vault_status_row(transfer->refused)->sentence);
    if (transfer->proxy)
        vault_message_add(&why, " (a proxy is configured)");
    vault_note_set(&transfer->exchange->why, &why);
}

void vault_transfer_finish(struct vault_transfer *transfer, CURLcode code)
{
    struct vault_exchange *exchange = transfer->exchange;
    const char *text = transfer->error[0] ? transfer->error : curl_easy_strerror(code);
    long http_status = 0;

    vault_http_lines_mend(&transfer->lines);
    /* libcurl quotes a proxy that it cannot read, with the password in it. */
    if (transfer->proxy && (strchr(text, '@') || strstr(text, transfer->proxy)))
        text = curl_easy_strerror(code);
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &http_status);
    exchange->status = (int)http_status;
    exchange->outcome = outcome_of(transfer, code, text);
    /* Not cheap to read; who was refused may have a wrong clock. */
    if (transfer->date[0] && (http_status != 200 || exchange->wants_date))
        exchange->date = (int64_t)curl_getdate(transfer->date, NULL);
    if (exchange->outcome != VAULT_OK)
        say_why(transfer, text);
}
