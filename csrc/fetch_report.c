/* fetch_report - how a fetch went, for people: what `vaults explain` tells.
 *
 * For:   what fetch_report.h promises.
 * Never: values: no secret, no credential, no answer's body.
 */
#include "fetch_report.h"

#include <string.h>

#define SHOWN_MAX 1024

static void note(struct vault_message *message, const char *text)
{
    vault_message_clear(message);
    vault_message_quote(message, text, strlen(text), SHOWN_MAX);
}

void vault_fetch_report_endpoint(struct vault_fetch_report *report,
                                 const struct vault_endpoint *endpoint)
{
    if (!report)
        return;
    note(&report->endpoint, endpoint->url.data);
    note(&report->region, endpoint->region);
}

void vault_fetch_report_answer(struct vault_fetch_report *report,
                               const struct vault_exchange *exchange, int64_t skew_ms)
{
    if (!report)
        return;
    report->http_status = exchange->status;
    note(&report->request_id, exchange->request_id);
    report->skew_ms = skew_ms;
}
