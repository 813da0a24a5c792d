/* secretsmanager_batch - up to twenty secrets by one call.
 *
 * For:   building BatchGetSecretValue, reading its answer: of each secret asked for its value, or
 *        why there is none.
 *        (docs.aws.amazon.com/secretsmanager/latest/apireference/API_BatchGetSecretValue.html)
 * Never: sockets, signing, retries, caching; filters and pages.
 */
#ifndef VAULT_SECRETSMANAGER_BATCH_H
#define VAULT_SECRETSMANAGER_BATCH_H

#include "secretsmanager.h"

#define VAULT_BATCH_MAX 20
/* Twenty times what VAULT_EXCHANGE_ANSWER_MAX has room for, short of what is beside the values. */
#define VAULT_BATCH_ANSWER_MAX (8 * 1024 * 1024)

/* Name or ARN, 1..VAULT_SECRET_ID_MAX bytes of UTF-8. */
struct vault_secret_id {
    const char *text;
    size_t length;
};

struct vault_batch_entry {
    enum vault_status status;
    struct vault_secret secret; /* where VAULT_OK */
    struct vault_message why;   /* elsewhere, as of vault_secretsmanager_read_value */
};

/* What came of each id, in the order of the ids asked for. {0} is an empty one. */
struct vault_batch {
    struct vault_batch_entry *entries;
    size_t count;
};

void vault_batch_free(struct vault_batch *batch);

/* As vault_secretsmanager_ask_value, for the AWSCURRENT of 1..VAULT_BATCH_MAX secrets; lets the
 * answer be as large as VAULT_BATCH_ANSWER_MAX.
 *
 * VAULT_OK, VAULT_BAD_REFERENCE (no id or too many; one that is empty, too long or not UTF-8),
 * VAULT_NO_MEMORY, VAULT_TOO_LARGE. */
VAULT_MUST_CHECK enum vault_status vault_secretsmanager_ask_batch(struct vault_exchange *exchange,
                                                                  const struct vault_secret_id *ids,
                                                                  size_t count);

/* Read the answer of that call: exchange->outcome must be VAULT_OK, `ids` and `count` as they were
 * asked.
 *
 * batch  replaced on VAULT_OK, else unchanged
 * why    receives what vault_secretsmanager_read_value says of a call that failed as a whole
 *
 * An ARN, with or without the dash and six characters at its end, is known by the answer's ARN,
 * another id by the name. An id of which the answer does not speak, or not in a way that can be
 * read, is VAULT_BAD_RESPONSE; what was not asked for counts for nothing.
 *
 * VAULT_OK, whatever came of the single ids; else what vault_secretsmanager_read_value returns. */
VAULT_MUST_CHECK enum vault_status
vault_secretsmanager_read_batch(const struct vault_exchange *exchange,
                                const struct vault_secret_id *ids, size_t count,
                                struct vault_batch *batch, struct vault_message *why);

#endif
