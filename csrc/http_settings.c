/* http_settings - what all HTTP transfers of a process share.
 *
 * For:   what http_settings.h promises.
 * Never: a single transfer (http), threads, AWS words, Lua.
 */
#include "http_settings.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "arena.h"
#include "runtime.h"
#include "version.h"

#define READ_BYTES  1024L  /* what is given back is wiped whole, and most answers are smaller */
#define WRITE_BYTES 16384L /* the least there can be */
/* A connection over which nothing goes is asked whether it lives. */
#define KEEPALIVE_AFTER_S 10L
#define KEEPALIVE_EVERY_S 3L

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

static void set_limits(CURL *easy)
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
    /* The dead among the connections that are kept are known before they are wanted. */
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_AFTER_S);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_EVERY_S);
    /* libcurl has room for so much made for each transfer. */
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, READ_BYTES);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, WRITE_BYTES);
}

static void set_proxies(CURL *easy, const struct vault_http_settings *settings)
{
    /* Both are always set, or libcurl would ask an environment that nginx may have emptied. */
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, settings->no_proxy ? settings->no_proxy : "");
    /* Its Date is not AWS's. */
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
}

void vault_http_settings_apply(const struct vault_http_settings *settings, CURL *easy)
{
    set_limits(easy);
    set_trust(easy, settings->ca_file);
    set_proxies(easy, settings);
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
