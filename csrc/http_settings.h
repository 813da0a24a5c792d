/* http_settings - what all HTTP transfers of a process share.
 *
 * For:   libcurl started once, and said which one it is; proxies out of the environment; the
 *        options that every handle has for its life: TLS verification, no redirects, protocols.
 * Never: a single transfer (http), threads, AWS words, Lua.
 */
#ifndef VAULT_HTTP_SETTINGS_H
#define VAULT_HTTP_SETTINGS_H

#include <curl/curl.h>

#include "environment.h"
#include "message.h"
#include "status.h"

/* Texts borrowed for as long as it is used. */
struct vault_http_settings {
    const char *ca_file; /* PEM bundle; NULL: the system's trust store */
    const char *http_proxy;
    const char *https_proxy;
    const char *no_proxy;
    long connect_timeout_ms;
};

/* Proxies as curl reads them: https_proxy, HTTPS_PROXY, http_proxy (lower case only), all_proxy,
 * ALL_PROXY, no_proxy, NO_PROXY. ca_file is the caller's. Borrows from `environment`. */
void vault_http_settings_read(struct vault_http_settings *settings,
                              const struct vault_environment *environment);

/* Set on a fresh handle what no transfer changes, and no proxy. */
void vault_http_settings_apply(const struct vault_http_settings *settings, CURL *easy);

/* Initialise libcurl once in the process's life; refuse where this process cannot run it safely
 * (see runtime.h). Lua threads only. VAULT_OK, VAULT_UNSUPPORTED, VAULT_INTERNAL. */
VAULT_MUST_CHECK enum vault_status vault_http_start(struct vault_message *why);

/* "libcurl 7.88.1 (OpenSSL/3.0.15), SSL_new from /usr/lib/..": one line for the log. */
void vault_http_describe(struct vault_message *line);

#endif
