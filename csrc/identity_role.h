/* identity_role - one role assumed: asked for, read, and tried again where that may help.
 *
 * For:   the steps of one AssumeRole or AssumeRoleWithWebIdentity, from the endpoint to the
 *        credential.
 * Never: which role, the XML (credentials_sts), sockets, the clock.
 */
#ifndef VAULT_IDENTITY_ROLE_H
#define VAULT_IDENTITY_ROLE_H

#include "credential_source.h"
#include "credentials_sts.h"
#include "endpoint.h"
#include "retry.h"
#include "sigv4.h"

/* What one assumption goes by. All borrowed until it is done. */
struct vault_role_wish {
    const struct vault_credential_query *query;
    struct vault_sts_role role;
    const char *region;
    const char *endpoint_url;              /* NULL: the environment's, the profile's, AWS's own */
    const struct vault_credential *caller; /* signs; NULL: a web identity, not signed */
    const char *token_file;                /* the web identity's, read before each attempt */
};

struct vault_role_run {
    struct vault_endpoint endpoint;
    struct vault_retry retry;
    struct vault_retry_budget *budget; /* that of STS's host; NULL: that is not known yet */
    bool asked;                        /* an exchange is out */
    bool clock_corrected;
    int64_t signed_at; /* by AWS's clock, as the last attempt had it */
    int64_t pause_ms;
    enum vault_status status;
    struct vault_credential credential;
    struct vault_message why;
};

/* What it works with. Borrowed. */
struct vault_role_tools {
    struct vault_exchange *exchange;
    struct vault_signer *signer;
    struct vault_retry_budgets *budgets;
    vault_random *random;
    void *random_at;
    _Atomic int64_t *skew_ms; /* NULL: a clock that STS calls wrong stays as it is */
};

/* Ready for the first vault_role_next. Allocates nothing. */
void vault_role_begin(struct vault_role_run *run, const struct vault_environment *environment,
                      const struct vault_role_tools *tools);
void vault_role_free(struct vault_role_run *run);

/* Go on, as vault_identity_next does; VAULT_STEP_DONE: run->status, credential and why stand. */
enum vault_step vault_role_next(struct vault_role_run *run, const struct vault_role_wish *wish,
                                const struct vault_role_tools *tools, int64_t now);

#endif
