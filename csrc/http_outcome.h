/* http_outcome - what the end of a transfer means.
 *
 * For:   libcurl's many errors told apart by what a user can do about them.
 * Never: setting options.
 */
#ifndef VAULT_HTTP_OUTCOME_H
#define VAULT_HTTP_OUTCOME_H

#include <curl/curl.h>

#include "status.h"

/* The status for the end of `easy` with `code`; text: libcurl's of it. */
enum vault_status vault_http_outcome(CURL *easy, CURLcode code, const char *text);

#endif
