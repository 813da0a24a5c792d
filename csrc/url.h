/* url - an endpoint's URL, taken apart.
 *
 * For:   "http[s]://host[:port][/path]" -> slices, or the fault that makes it unusable.
 * Never: resolving, decoding, userinfo, queries, fragments.
 */
#ifndef VAULT_URL_H
#define VAULT_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "message.h"
#include "status.h"

#define VAULT_URL_MAX      2048
#define VAULT_URL_HOST_MAX 253

struct vault_url {
    bool https;
    const char *host; /* as written, IPv6 with its brackets; a slice of the text */
    size_t host_length;
    unsigned port;    /* 0: the scheme's own */
    const char *path; /* "" or "/..", up to the end of the text */
};

/* Take `text` apart into `url`, which is unchanged unless VAULT_OK and borrows from `text`.
 *
 * A host is a name of [A-Za-z0-9_-] labels, four decimal numbers or an [IPv6 address]; what
 * inet_aton would read as another address is none. A path has no empty and no dot segment.
 *
 * VAULT_OK, VAULT_BAD_ENDPOINT (`why` names the fault, and nothing of the text). */
VAULT_MUST_CHECK enum vault_status vault_url_read(const char *text, struct vault_url *url,
                                                  struct vault_message *why);

#endif
