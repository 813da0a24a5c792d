/* fetch_report - how a fetch went, for people: what `vaults explain` tells.
 *
 * For:   where it went, for which scope it signed, whose credential, what AWS answered, and all
 *        that was tried for the credential.
 * Never: values: no secret, no credential, no answer's body.
 */
#ifndef VAULT_FETCH_REPORT_H
#define VAULT_FETCH_REPORT_H

#include "trail.h"

#include <stdint.h>

#include "endpoint.h"
#include "exchange.h"

struct vault_fetch_report {
    struct vault_trail trail;
    struct vault_message endpoint; /* "" where the fetch did not come as far */
    struct vault_message region;   /* that is signed for */
    const char *region_from;       /* constant text; NULL where it was asked for, or not found */
    struct vault_message source;   /* of the credential: "environment" */
    int64_t expires;               /* the credential's, seconds since 1970; 0: never, or none */
    int http_status;               /* of AWS's last answer; 0: none came */
    struct vault_message request_id;
    int64_t skew_ms; /* AWS's clock minus ours, as it was corrected */
};

/* Note what is settled: before the first attempt, and after each. `report` may be NULL. */
void vault_fetch_report_endpoint(struct vault_fetch_report *report,
                                 const struct vault_endpoint *endpoint);
void vault_fetch_report_answer(struct vault_fetch_report *report,
                               const struct vault_exchange *exchange, int64_t skew_ms);

#endif
