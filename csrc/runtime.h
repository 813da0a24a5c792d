/* runtime - whether this process can run libcurl beside the OpenSSL that nginx brought.
 *
 * For:   two OpenSSLs in one process, where symbols bind to the executable's.
 * Found out before the first transfer, since some mixes corrupt memory and others fail every fetch.
 * Never: curl and OpenSSL headers: it looks at what the dynamic linker would bind, by name.
 */
#ifndef VAULT_RUNTIME_H
#define VAULT_RUNTIME_H

#include "message.h"
#include "status.h"

/* `curl_ssl` is what libcurl calls its TLS library ("OpenSSL/3.0.15"), NULL for none. VAULT_OK or
 * VAULT_UNSUPPORTED, with the ways out in `why`. */
VAULT_MUST_CHECK enum vault_status vault_runtime_check(const char *curl_ssl,
                                                       struct vault_message *why);

/* The file that SSL_new binds to, "" where it cannot be told. */
const char *vault_runtime_ssl_file(void);

/* Have OpenSSL 3 wipe what it decrypted as soon as it was read, in all connections of `context`, an
 * SSL_CTX of libcurl's; and have each keep its buffers, which else it would wipe whole and free
 * after each answer. Older ones cannot. */
void vault_runtime_wipe_plaintext(void *context);

#endif
