/* http_lines - the header lines of a request as libcurl wants them.
 *
 * For:   text of whole lines -> a list of items, without a copy, which would have to be wiped: each
 *        item ends where its last CR stood, until the text is mended.
 * Never: which lines there are.
 */
#ifndef VAULT_HTTP_LINES_H
#define VAULT_HTTP_LINES_H

#include <stddef.h>

#include <curl/curl.h>

#include "status.h"
#include "version.h"

#define VAULT_HTTP_ITEMS_MAX 32
#define VAULT_HTTP_AGENT     "lua-resty-vaults/" VAULT_VERSION

/* All zero where nothing is cut. */
struct vault_http_lines {
    struct curl_slist items[VAULT_HTTP_ITEMS_MAX]; /* for CURLOPT_HTTPHEADER */
    size_t cut;                                    /* so many of them end in NUL instead of CR */
};

/* Cut `text`, header lines that end in CR LF, or NULL for none, into items of which the last are
 * User-Agent and the lack of Expect. `text` must live, and stay as it is, until it is mended, which
 * it must be whatever is returned. VAULT_INTERNAL: a line without its end, or too many items. */
VAULT_MUST_CHECK enum vault_status vault_http_lines_cut(struct vault_http_lines *lines, char *text);

/* The text is what it was before it was cut. */
void vault_http_lines_mend(struct vault_http_lines *lines);

#endif
