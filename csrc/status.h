/* status - the one table of outcomes.
 *
 * For:   every outcome the library can have: its name in C, its word for programs, whether another
 *        attempt may help, whether a vault miss of this kind may be cached, and a sentence. The C
 *        enum, core.words in Lua and the table in README all come from here.
 * Never: anything else. A word, once released, is never renamed.
 */
#ifndef VAULT_STATUS_H
#define VAULT_STATUS_H

#include <stdbool.h>

#define VAULT_MUST_CHECK __attribute__((warn_unused_result))

/* X(name, word, may_retry, may_cache, sentence) */
#define VAULT_STATUS_TABLE(X)                                                                      \
    X(OK, "ok", 0, 0, "done")                                                                      \
    X(NO_MEMORY, "no_memory", 0, 0, "out of memory")                                               \
    X(TOO_LARGE, "too_large", 0, 1, "an input or an answer is over its size limit")                \
    X(INTERNAL, "internal", 0, 0, "a fault of this library or of the system under it")             \
    X(UNSUPPORTED, "unsupported", 0, 0, "this process cannot run the engine safely")               \
    /* references and configuration */                                                             \
    X(NOT_A_REFERENCE, "not_a_reference", 0, 0, "the text has not the shape of a reference")       \
    X(BAD_REFERENCE, "bad_reference", 0, 0, "a part of the reference is malformed")                \
    X(UNKNOWN_VAULT, "unknown_vault", 0, 0, "no vault has this prefix or name")                    \
    X(BAD_CONFIG, "bad_config", 0, 0, "a setting is malformed")                                    \
    X(NO_REGION, "no_region", 0, 0, "no AWS region is set anywhere")                               \
    X(BAD_ENDPOINT, "bad_endpoint", 0, 0, "the endpoint URL is malformed")                         \
    X(REFUSED, "refused", 0, 0, "the reference asks for what may not leave the library")           \
    /* waiting */                                                                                  \
    X(PENDING, "pending", 0, 0, "this nginx phase cannot wait; the fetch was started")             \
    X(TIMEOUT, "timeout", 1, 1, "the time allowed for the fetch is over")                          \
    X(CANCELLED, "cancelled", 0, 0, "the worker is leaving")                                       \
    /* the way to AWS */                                                                           \
    X(RESOLVE_FAILED, "resolve_failed", 1, 1, "the host name could not be resolved")               \
    X(CONNECT_FAILED, "connect_failed", 1, 1, "no connection could be made")                       \
    X(CONNECTION_LOST, "connection_lost", 1, 1, "the connection ended before the whole answer")    \
    X(TLS_FAILED, "tls_failed", 0, 1, "TLS failed: certificate, host name or handshake")           \
    X(PROXY_FAILED, "proxy_failed", 1, 1, "the proxy could not be reached or refused")             \
    /* credentials */                                                                              \
    X(NOT_CONFIGURED, "not_configured", 0, 0, "this credential provider has nothing to offer")     \
    X(NO_CREDENTIALS, "no_credentials", 0, 1, "no credential provider has anything to offer")      \
    X(BAD_PROFILE, "bad_profile", 0, 1, "the AWS profile is missing or malformed")                 \
    X(CREDENTIALS_REFUSED, "credentials_refused", 0, 1, "AWS does not accept these credentials")   \
    X(EXPIRED_TOKEN, "expired_token", 0, 1, "the security token has expired")                      \
    X(CLOCK_SKEW, "clock_skew", 1, 1, "the clock of this machine is too far from AWS's")           \
    /* AWS's answer */                                                                             \
    X(NOT_FOUND, "not_found", 0, 1, "no such secret, version or stage")                            \
    X(ACCESS_DENIED, "access_denied", 0, 1, "the credentials may not read this secret")            \
    X(INVALID_REQUEST, "invalid_request", 0, 1, "AWS calls the request invalid")                   \
    X(DECRYPTION_FAILED, "decryption_failed", 0, 1, "AWS KMS could not decrypt the secret")        \
    X(THROTTLED, "throttled", 1, 1, "AWS asks for fewer calls")                                    \
    X(SERVER_ERROR, "server_error", 1, 1, "AWS had an internal error")                             \
    X(REJECTED, "rejected", 0, 1, "AWS refused the request for another reason")                    \
    X(BAD_RESPONSE, "bad_response", 0, 1, "the answer is not what the API promises")               \
    /* the value */                                                                                \
    X(KEY_NOT_FOUND, "key_not_found", 0, 1, "the secret has no such key")                          \
    X(NOT_A_STRING, "not_a_string", 0, 1, "the key's value is not a string")                       \
    X(NOT_AN_OBJECT, "not_an_object", 0, 1, "the text is not a JSON object")                       \
    X(BAD_BASE64, "bad_base64", 0, 1, "the value is not base64")                                   \
    X(JSON_SYNTAX, "json_syntax", 0, 1, "the text is not JSON")                                    \
    X(JSON_ESCAPE, "json_escape", 0, 1, "a JSON string holds a malformed escape")                  \
    X(JSON_SURROGATE, "json_surrogate", 0, 1, "a JSON string holds half of a surrogate pair")      \
    X(JSON_UTF8, "json_utf8", 0, 1, "the text is not UTF-8")                                       \
    X(JSON_DEPTH, "json_depth", 0, 1, "the JSON is nested too deeply")                             \
    X(JSON_DUPLICATE, "json_duplicate", 0, 1, "the JSON object has the key twice")                 \
    X(JSON_TRAILING, "json_trailing", 0, 1, "bytes follow the JSON value")

enum vault_status {
#define VAULT_STATUS_ENUM(name, word, retry, cache, sentence) VAULT_##name,
    VAULT_STATUS_TABLE(VAULT_STATUS_ENUM)
#undef VAULT_STATUS_ENUM
        VAULT_STATUS_COUNT
};

struct vault_status_row {
    const char *word;
    bool may_retry;
    bool may_cache;
    const char *sentence;
};

/* The row of `status`; any value outside the table reads as INTERNAL. Any thread. */
static inline const struct vault_status_row *vault_status_row(enum vault_status status)
{
    static const struct vault_status_row rows[] = {
#define VAULT_STATUS_ROW(name, word, retry, cache, sentence) {word, retry, cache, sentence},
        VAULT_STATUS_TABLE(VAULT_STATUS_ROW)
#undef VAULT_STATUS_ROW
    };

    if ((unsigned)status >= VAULT_STATUS_COUNT)
        return &rows[VAULT_INTERNAL];
    return &rows[status];
}

#endif
