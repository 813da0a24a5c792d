/* http - the rules of one HTTP transfer, on libcurl.
 *
 * For:   what http.h promises.
 * Never: threads, queues, AWS words, Lua.
 */
#include "http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "arena.h"
#include "http_outcome.h"
#include "runtime.h"
#include "version.h"

#define HEADER_BYTES_MAX (64 * 1024)
#define WHY_SHOWN        256

struct vault_transfer {
    CURL *easy;
    struct vault_exchange *exchange;
    struct curl_slist *headers;
    size_t header_bytes;
    enum vault_status refused;   /* why a callback of ours stopped the transfer */
    bool proxied, proxy_excused; /* a proxy is set; NO_PROXY may take this host out */
    char date[64];               /* the Date header */
    char error[CURL_ERROR_SIZE];
};

/* The system's trust store as one file, where libcurl knows one that can be read. */
static const char *system_ca;

static const char *first_set(const struct vault_environment *environment, const char *const *names)
{
    for (; *names; names++) {
        const char *value = vault_environment_get(environment, *names);

        if (value && *value)
            return value;
    }
    return NULL;
}

void vault_http_settings_read(struct vault_http_settings *settings,
                              const struct vault_environment *environment)
{
    /* HTTP_PROXY in upper case can be set by a client of a CGI program: curl does not read it. */
    static const char *const http[] = {"http_proxy", "all_proxy", "ALL_PROXY", NULL};
    static const char *const https[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
                                        NULL};
    static const char *const none[] = {"no_proxy", "NO_PROXY", NULL};

    settings->http_proxy = first_set(environment, http);
    settings->https_proxy = first_set(environment, https);
    settings->no_proxy = first_set(environment, none);
}

static size_t on_body(char *bytes, size_t size, size_t count, void *at)
{
    struct vault_transfer *transfer = at;

    if (transfer->refused == VAULT_OK)
        transfer->refused = vault_buffer_append(&transfer->exchange->answer, bytes, size * count);
    return transfer->refused == VAULT_OK ? size * count : 0;
}

/* The value of header `name` in `line` as a slice without white space around it, or NULL. */
static const char *value_of(const char *line, size_t length, const char *name, size_t *value_length)
{
    size_t skip = strlen(name);

    if (length <= skip || strncasecmp(line, name, skip) != 0 || line[skip] != ':')
        return NULL;
    for (skip++; skip < length && (line[skip] == ' ' || line[skip] == '\t');)
        skip++;
    while (length > skip && strchr(" \t\r\n", line[length - 1]))
        length--;
    *value_length = length - skip;
    return line + skip;
}

static void keep(const char *line, size_t length, const char *name, char *to, size_t size)
{
    size_t value_length;
    const char *value = value_of(line, length, name, &value_length);

    if (value && value_length < size) {
        memcpy(to, value, value_length);
        to[value_length] = '\0';
    }
}

static size_t on_header(char *line, size_t size, size_t count, void *at)
{
    struct vault_transfer *transfer = at;
    struct vault_exchange *exchange = transfer->exchange;
    size_t length = size * count;
    char text[64] = "";

    transfer->header_bytes += length;
    if (transfer->header_bytes > HEADER_BYTES_MAX) {
        transfer->refused = VAULT_TOO_LARGE;
        return 0;
    }
    /* A status line: what an interim answer said before is not the answer's. */
    if (length >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        exchange->retry_after_ms = -1;
        exchange->error_type[0] = exchange->request_id[0] = transfer->date[0] = '\0';
    }
    keep(line, length, "x-amzn-errortype", exchange->error_type, sizeof exchange->error_type);
    keep(line, length, "x-amzn-requestid", exchange->request_id, sizeof exchange->request_id);
    keep(line, length, "date", transfer->date, sizeof transfer->date);
    keep(line, length, "x-amz-retry-after", text, sizeof text);
    if (text[0] && strlen(text) < 10 && strspn(text, "0123456789") == strlen(text))
        exchange->retry_after_ms = strtol(text, NULL, 10);
    return length;
}

/* Asked before each connection, so that what the exchange carries never goes to an address that the
 * protocol rules out, whatever the name resolved to. */
static curl_socket_t on_socket(void *at, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct vault_transfer *transfer = at;

    (void)purpose;
    /* One address that is ruled out ends it: libcurl would go on to the name's next. */
    if (transfer->refused == VAULT_OK && transfer->exchange->may_connect(&address->addr))
        return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    transfer->refused = VAULT_BAD_ENDPOINT;
    return CURL_SOCKET_BAD;
}

static enum vault_status make_headers(struct vault_transfer *transfer)
{
    char *at = transfer->exchange->headers.data;
    struct curl_slist *longer;
    char *stop;

    for (; at && *at; at = stop + 2) {
        stop = strstr(at, "\r\n");
        if (!stop)
            return VAULT_INTERNAL;
        *stop = '\0';
        longer = curl_slist_append(transfer->headers, at);
        *stop = '\r';
        if (!longer)
            return VAULT_NO_MEMORY;
        transfer->headers = longer;
    }
    /* A body of this size never needs the round trip that "Expect: 100-continue" costs. */
    longer = curl_slist_append(transfer->headers, "Expect:");
    if (!longer)
        return VAULT_NO_MEMORY;
    transfer->headers = longer;
    return VAULT_OK;
}

static CURLcode on_tls(CURL *easy, void *context, void *unused)
{
    (void)easy;
    (void)unused;
    vault_runtime_wipe_plaintext(context);
    return CURLE_OK;
}

static void set_trust(CURL *easy, const char *ca_file)
{
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (!ca_file)
        ca_file = system_ca;
    if (ca_file) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
        /* libcurl keeps a loaded CA file between connections only where no CApath is set. */
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
}

static void set_proxy(struct vault_transfer *transfer, const struct vault_http_settings *settings)
{
    const char *url = transfer->exchange->url.data;
    const char *proxy = NULL;

    if (!transfer->exchange->direct)
        proxy = strncmp(url, "https:", 6) == 0 ? settings->https_proxy : settings->http_proxy;
    /* Both are always set, or libcurl would ask an environment that nginx may have emptied. */
    curl_easy_setopt(transfer->easy, CURLOPT_PROXY, proxy ? proxy : "");
    curl_easy_setopt(transfer->easy, CURLOPT_NOPROXY, settings->no_proxy ? settings->no_proxy : "");
    /* Its Date is not AWS's. */
    curl_easy_setopt(transfer->easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    transfer->proxied = proxy != NULL;
    transfer->proxy_excused = settings->no_proxy != NULL;
}

static void set_limits(CURL *easy, const struct vault_http_settings *settings, int64_t timeout_ms)
{
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
    /* A resolver that hangs must hold up neither the loop nor the worker's exit. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, settings->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
}

static void set_request(struct vault_transfer *transfer)
{
    const struct vault_exchange *exchange = transfer->exchange;
    CURL *easy = transfer->easy;

    curl_easy_setopt(easy, CURLOPT_URL, exchange->url.data);
    if (strcmp(exchange->method, "GET") != 0) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, exchange->method);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)exchange->body.length);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                         exchange->body.length ? exchange->body.data : "");
    }
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "lua-resty-vaults/" VAULT_VERSION);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
    if (exchange->may_connect) {
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
        /* A connection kept from elsewhere was not asked about. */
        curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    }
}

enum vault_status vault_transfer_new(CURL *easy, struct vault_exchange *exchange,
                                     const struct vault_http_settings *settings, int64_t timeout_ms,
                                     struct vault_transfer **made)
{
    struct vault_transfer *transfer = vault_alloc(sizeof *transfer);
    enum vault_status status;

    if (!transfer)
        return VAULT_NO_MEMORY;
    transfer->easy = easy;
    transfer->exchange = exchange;
    status = make_headers(transfer);
    if (status != VAULT_OK) {
        vault_transfer_free(transfer);
        return status;
    }
    set_request(transfer);
    if (exchange->timeout_ms > 0 && exchange->timeout_ms < timeout_ms)
        timeout_ms = exchange->timeout_ms;
    set_limits(easy, settings, timeout_ms < 1 ? 1 : timeout_ms);
    set_trust(easy, settings->ca_file);
    set_proxy(transfer, settings);
    *made = transfer;
    return VAULT_OK;
}

void vault_transfer_free(struct vault_transfer *transfer)
{
    if (!transfer)
        return;
    for (struct curl_slist *line = transfer->headers; line; line = line->next)
        vault_wipe(line->data, strlen(line->data));
    curl_slist_free_all(transfer->headers);
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
    return transfer->proxied && !transfer->proxy_excused;
}

void vault_transfer_finish(struct vault_transfer *transfer, CURLcode code)
{
    struct vault_exchange *exchange = transfer->exchange;
    enum vault_status outcome = transfer->refused;
    const char *text = transfer->error[0] ? transfer->error : curl_easy_strerror(code);
    long http_status = 0;

    /* libcurl quotes a proxy that it cannot read, with the password in it. */
    if (transfer->proxied && strchr(text, '@'))
        text = curl_easy_strerror(code);
    if (outcome == VAULT_OK)
        outcome = vault_http_outcome(transfer->easy, code);
    /* Never begun, as where all connections to the host were taken. */
    if (outcome == VAULT_RESOLVE_FAILED && code == CURLE_OPERATION_TIMEDOUT &&
        !strstr(text, "esolving"))
        outcome = VAULT_TIMEOUT;
    if ((outcome == VAULT_CONNECT_FAILED || outcome == VAULT_RESOLVE_FAILED) &&
        used_proxy(transfer))
        outcome = VAULT_PROXY_FAILED;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &http_status);
    exchange->status = (int)http_status;
    exchange->outcome = outcome;
    /* Not cheap to read, and only who was refused may have a wrong clock; what a metadata service
     * hands out runs out by its clock. */
    if (transfer->date[0] && (http_status != 200 || exchange->direct))
        exchange->date = (int64_t)curl_getdate(transfer->date, NULL);
    if (outcome == VAULT_TOO_LARGE && transfer->header_bytes > HEADER_BYTES_MAX)
        vault_message_add(&exchange->why, "the answer's headers are over their limit of %d bytes",
                          HEADER_BYTES_MAX);
    else if (outcome == VAULT_TOO_LARGE)
        vault_message_add(&exchange->why, "the answer is over its limit of %zu bytes",
                          exchange->answer.limit);
    else if (outcome == VAULT_BAD_ENDPOINT && transfer->refused == outcome)
        vault_message_add(&exchange->why, "this address may not be asked over plain HTTP");
    else if (outcome != VAULT_OK)
        vault_message_quote(&exchange->why, text, strlen(text), WHY_SHOWN);
    if (outcome != VAULT_OK && transfer->proxied)
        vault_message_add(&exchange->why, " (a proxy is configured)");
    vault_transfer_free(transfer);
}

/* libcurl's memory holds what the exchange holds: requests with their tokens, answers. */
static void *zeroed(size_t count, size_t size)
{
    return size && count > SIZE_MAX / size ? NULL : vault_arena_take(count * size);
}

static char *duplicate(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = vault_arena_take(size);

    return copy ? memcpy(copy, text, size) : NULL;
}

static bool start_libcurl(void)
{
    return curl_global_init_mem(CURL_GLOBAL_DEFAULT, vault_arena_take, vault_arena_give,
                                vault_arena_resize, duplicate, zeroed) == CURLE_OK;
}

enum vault_status vault_http_start(struct vault_message *why)
{
    static bool started;
    const curl_version_info_data *version = curl_version_info(CURLVERSION_NOW);
    enum vault_status status;

    if (started)
        return VAULT_OK;
    status = vault_runtime_check(version->ssl_version, why);
    if (status != VAULT_OK)
        return status;
    if (!start_libcurl()) {
        vault_message_add(why, "libcurl could not be initialised");
        return VAULT_INTERNAL;
    }
    if (version->age >= CURLVERSION_SEVENTH && version->cainfo &&
        access(version->cainfo, R_OK) == 0)
        system_ca = version->cainfo;
    started = true;
    return VAULT_OK;
}

void vault_http_describe(struct vault_message *line)
{
    const curl_version_info_data *version = curl_version_info(CURLVERSION_NOW);

    vault_message_add(line, "lua-resty-vaults " VAULT_VERSION ", libcurl %s (%s), SSL_new from %s",
                      version->version, version->ssl_version ? version->ssl_version : "no TLS",
                      vault_runtime_ssl_file());
}
