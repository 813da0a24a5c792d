/* http_outcome - what the end of a transfer means.
 *
 * For:   libcurl's many errors told apart by what a user can do about them.
 * Never: setting options.
 */
#include "http_outcome.h"

#include <errno.h>
#include <string.h>

struct row {
    CURLcode code;
    enum vault_status status;
};

static const struct row rows[] = {
    {CURLE_OK, VAULT_OK},
    {CURLE_COULDNT_RESOLVE_HOST, VAULT_RESOLVE_FAILED},
    {CURLE_COULDNT_RESOLVE_PROXY, VAULT_PROXY_FAILED},
    {CURLE_PROXY, VAULT_PROXY_FAILED},
    {CURLE_COULDNT_CONNECT, VAULT_CONNECT_FAILED},
    {CURLE_INTERFACE_FAILED, VAULT_CONNECT_FAILED},
    {CURLE_SEND_ERROR, VAULT_CONNECTION_LOST},
    {CURLE_RECV_ERROR, VAULT_CONNECTION_LOST},
    {CURLE_GOT_NOTHING, VAULT_CONNECTION_LOST},
    {CURLE_PARTIAL_FILE, VAULT_CONNECTION_LOST},
    {CURLE_SSL_CONNECT_ERROR, VAULT_TLS_FAILED},
    {CURLE_PEER_FAILED_VERIFICATION, VAULT_TLS_FAILED},
    {CURLE_SSL_CERTPROBLEM, VAULT_TLS_FAILED},
    {CURLE_SSL_CIPHER, VAULT_TLS_FAILED},
    {CURLE_SSL_CACERT_BADFILE, VAULT_TLS_FAILED},
    {CURLE_SSL_ISSUER_ERROR, VAULT_TLS_FAILED},
    {CURLE_SSL_ENGINE_INITFAILED, VAULT_TLS_FAILED},
    {CURLE_OPERATION_TIMEDOUT, VAULT_TIMEOUT},
    {CURLE_URL_MALFORMAT, VAULT_BAD_ENDPOINT},
    {CURLE_UNSUPPORTED_PROTOCOL, VAULT_BAD_RESPONSE}, /* HTTP/0.9: the URL's scheme was checked */
    {CURLE_WEIRD_SERVER_REPLY, VAULT_BAD_RESPONSE},
    {CURLE_BAD_CONTENT_ENCODING, VAULT_BAD_RESPONSE},
    {CURLE_OUT_OF_MEMORY, VAULT_NO_MEMORY},
#if LIBCURL_VERSION_NUM >= 0x080600
    {CURLE_TOO_LARGE, VAULT_TOO_LARGE},
#endif
};

static enum vault_status by_code(CURLcode code)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].code == code)
            return rows[i].status;
    return VAULT_INTERNAL;
}

/* A time-out before the request could go out is the network's, not the answer's; but for one that
 * never began, as where all connections to the host were taken. */
static enum vault_status of_timeout(CURL *easy, const char *text)
{
    curl_off_t resolved = 0, sent = 0;

    curl_easy_getinfo(easy, CURLINFO_NAMELOOKUP_TIME_T, &resolved);
    curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &sent);
    if (sent)
        return VAULT_TIMEOUT;
    if (resolved)
        return VAULT_CONNECT_FAILED;
    return strstr(text, "esolving") ? VAULT_RESOLVE_FAILED : VAULT_TIMEOUT;
}

/* Whether the connection of a handshake broke. libcurl before 7.87 has it in the text alone. */
static bool is_broken(long os_errno, const char *text)
{
    return os_errno == ECONNRESET || os_errno == EPIPE ||
           strstr(text, "SSL_connect: SSL_ERROR_SYSCALL") ||
           strstr(text, "SSL_connect: Connection reset");
}

enum vault_status vault_http_outcome(CURL *easy, CURLcode code, const char *text)
{
    long connect_code = 0, os_errno = 0;

    curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &connect_code);
    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_errno);
    if (code == CURLE_OK)
        return VAULT_OK;
    if (connect_code >= 300)
        return VAULT_PROXY_FAILED;
    if (code == CURLE_OPERATION_TIMEDOUT)
        return of_timeout(easy, text);
    if (code == CURLE_SSL_CONNECT_ERROR && is_broken(os_errno, text))
        return VAULT_CONNECTION_LOST;
    return by_code(code);
}
