/* http - the rules of one HTTP transfer, on libcurl.
 *
 * For:   performing an exchange on a CURL handle, and an exchange's answer of what came: the proxy,
 *        time-outs, limits; telling libcurl's errors apart. A handle is set up once and performs
 *        one exchange after the other.
 * Never: threads, queues, AWS words, Lua.
 */
#ifndef VAULT_HTTP_H
#define VAULT_HTTP_H

#include "exchange.h"
#include "http_settings.h"

struct vault_transfer; /* a CURL handle, and the exchange that it performs */

/* `settings` is borrowed for the transfer's life. VAULT_OK, VAULT_NO_MEMORY. */
VAULT_MUST_CHECK enum vault_status vault_transfer_new(const struct vault_http_settings *settings,
                                                      struct vault_transfer **made);

/* With its handle, which must be out of any multi handle, whether it performs something or not. */
void vault_transfer_free(struct vault_transfer *transfer);

/* Its handle, for the multi handle; CURLOPT_PRIVATE is the caller's. */
CURL *vault_transfer_easy(const struct vault_transfer *transfer);

/* Make ready to perform `exchange` within `timeout_ms`. It is borrowed until vault_transfer_finish
 * or vault_transfer_free; what it asks for must not be looked at meanwhile. VAULT_OK,
 * VAULT_NO_MEMORY, VAULT_TOO_LARGE (the URL), VAULT_INTERNAL (its header lines are none); but for
 * VAULT_OK the transfer can only be freed. */
VAULT_MUST_CHECK enum vault_status vault_transfer_begin(struct vault_transfer *transfer,
                                                        struct vault_exchange *exchange,
                                                        int64_t timeout_ms);

/* libcurl is done with the exchange: write outcome, status and why into it. The transfer is ready
 * for another one only where the code was CURLE_OK: a handle remembers the system's last error, and
 * would tell it of the next exchange. */
void vault_transfer_finish(struct vault_transfer *transfer, CURLcode code);

#endif
