/* host_tokens - what is left of a host's retries.
 *
 * For:   the tests of what draws on them. Include after cmocka.h.
 * Never: which rule is shown.
 */
#ifndef VAULT_TEST_HOST_TOKENS_H
#define VAULT_TEST_HOST_TOKENS_H

#include <string.h>

#include "retry.h"

#define SECRETS_HOST "secretsmanager.eu-west-1.amazonaws.com"
#define STS_HOST     "sts.eu-west-1.amazonaws.com"

static inline atomic_int *tokens_of(struct vault_retry_budgets *table, const char *host)
{
    return &vault_retry_budget_of(table, host)->tokens;
}

/* The same of the host of a URL. */
static inline atomic_int *tokens_at(struct vault_retry_budgets *table, const char *url)
{
    const char *start = strstr(url, "://");
    char host[64] = "";

    assert_non_null(start);
    start += 3;
    assert_true(strcspn(start, "/") < sizeof host);
    memcpy(host, start, strcspn(start, "/"));
    return tokens_of(table, host);
}

#endif
