/* signed_exchange - an exchange made ready for one service of AWS.
 *
 * For:   putting URL, Host and the signature's headers on what protocol code asked for.
 * Never: clock, sockets, what is asked.
 */
#ifndef VAULT_SIGNED_EXCHANGE_H
#define VAULT_SIGNED_EXCHANGE_H

#include "credentials.h"
#include "endpoint.h"
#include "exchange.h"
#include "sigv4.h"

/* The scope a request is signed in. All borrowed for the call. */
struct vault_signing {
    struct vault_signer *signer;
    const struct vault_endpoint *endpoint;
    const struct vault_credential *credential;
    const char *region;
    const char *service;
};

/* Set the URL, put Host in front of what is on `exchange` and the signature's headers behind it;
 * every header already there is signed. `when` is seconds since 1970. What vault_sigv4_sign says,
 * and VAULT_INTERNAL for a header line without a colon. */
VAULT_MUST_CHECK enum vault_status vault_exchange_sign(struct vault_exchange *exchange,
                                                       const struct vault_signing *signing,
                                                       int64_t when);

#endif
