/* http_lines - the header lines of a request as libcurl wants them.
 *
 * For:   what http_lines.h promises.
 * Never: libcurl's handles.
 */
#include "http_lines.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* Whether a line may go along in the item before it. libcurl looks for some names at the beginning
 * of each item, and passes on what follows as it is, on purpose: the fewer items the less it looks.
 * The Host item, of which it makes one of its own, stands alone, and so does one without a value:
 * that one it leaves out, whole or not, as its version has it. (CURLOPT_HTTPHEADER(3); "CRLF in
 * data" of curl's VULN-DISCLOSURE-POLICY) */
static bool goes_along(const char *line, const struct curl_slist *before)
{
    const char *value = before ? strchr(before->data, ':') : NULL;

    if (!value || strncasecmp(before->data, "Host:", 5) == 0)
        return false;
    value += 1 + strspn(value + 1, " \t");
    return *value && *value != '\r' &&
           (strncasecmp(line, "X-", 2) == 0 || strncasecmp(line, "Authorization:", 14) == 0);
}

enum vault_status vault_http_lines_cut(struct vault_http_lines *lines, char *text)
{
    /* A body of this size never needs the round trip that "Expect: 100-continue" costs. The name
     * goes here, since libcurl would write it out twice. */
    static char no_expect[] = "Expect:", name[] = "User-Agent: " VAULT_HTTP_AGENT;
    static struct curl_slist last = {no_expect, NULL};
    struct curl_slist *item = lines->items, *before = NULL;
    char *stop;

    for (; text && *text; text = stop + 2) {
        stop = strstr(text, "\r\n");
        if (!stop)
            return VAULT_INTERNAL;
        if (goes_along(text, before)) {
            text[-2] = '\r';
        } else if (lines->cut < VAULT_HTTP_ITEMS_MAX - 1) {
            lines->cut++;
            *item = (struct curl_slist){text, item + 1};
            before = item++;
        } else {
            return VAULT_INTERNAL;
        }
        *stop = '\0';
    }
    *item = (struct curl_slist){name, &last};
    return VAULT_OK;
}

void vault_http_lines_mend(struct vault_http_lines *lines)
{
    while (lines->cut > 0) {
        char *item = lines->items[--lines->cut].data;

        item[strlen(item)] = '\r';
    }
}
