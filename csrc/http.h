/* http - the rules of one HTTP transfer, on libcurl.
 *
 * For:   making a CURL handle of an exchange and an exchange's answer of a finished handle: TLS
 *        verification, proxies, limits, time-outs, no redirects; telling libcurl's errors apart.
 * Never: threads, queues, AWS words, Lua.
 */
#ifndef VAULT_HTTP_H
#define VAULT_HTTP_H

#include <curl/curl.h>

#include "environment.h"
#include "exchange.h"

/* What all transfers of a process share; texts borrowed for as long as it is used. */
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

struct vault_transfer; /* an exchange being performed */

/* Make ready to perform `exchange` within `timeout_ms` on `easy`, which must be fresh or reset.
 * `exchange` and `settings` are borrowed until vault_transfer_finish or vault_transfer_free. */
VAULT_MUST_CHECK enum vault_status vault_transfer_new(CURL *easy, struct vault_exchange *exchange,
                                                      const struct vault_http_settings *settings,
                                                      int64_t timeout_ms,
                                                      struct vault_transfer **made);

/* libcurl is done with the handle: write outcome, status and why into the exchange. The transfer is
 * freed. */
void vault_transfer_finish(struct vault_transfer *transfer, CURLcode code);

/* Forget a transfer that was not finished. */
void vault_transfer_free(struct vault_transfer *transfer);

/* Initialise libcurl once in the process's life; refuse where this process cannot run it safely
 * (DESIGN decision 19). Lua threads only. VAULT_OK, VAULT_UNSUPPORTED, VAULT_INTERNAL. */
VAULT_MUST_CHECK enum vault_status vault_http_start(struct vault_message *why);

/* "libcurl 7.88.1 (OpenSSL/3.0.15), SSL_new from /usr/lib/..": one line for the log. */
void vault_http_describe(struct vault_message *line);

#endif
