/* errand_jobs - jobs given to a loop that has credentials by errands, and how many ended how.
 *
 * For:   the tests of errands and of programs in a loop. Include after cmocka.h.
 * Never: which rule is shown.
 */
#ifndef VAULT_TEST_ERRAND_JOBS_H
#define VAULT_TEST_ERRAND_JOBS_H

#include "credential_cache.h"
#include "http.h"
#include "loop.h"

#define ROLE "arn:aws:iam::123456789012:role/reader"

static struct vault_retry_budgets budgets;
static _Atomic int64_t skew_ms;
static unsigned ended[VAULT_STATUS_COUNT];
static char last_message[VAULT_MESSAGE_MAX];

static inline void on_done(struct vault_job *job)
{
    ended[vault_fetch_status(job->fetch)]++;
    strcpy(last_message, vault_fetch_message(job->fetch)->text);
    vault_fetch_free(job->fetch);
    vault_free(job);
}

static inline struct vault_loop *open_loop(const struct vault_environment *environment)
{
    const struct vault_loop_settings settings = {.environment = environment,
                                                 .budgets = &budgets,
                                                 .skew_ms = &skew_ms,
                                                 .errands = true,
                                                 .on_done = on_done};
    struct vault_loop *loop = NULL;

    vault_credential_cache_clear();
    memset(ended, 0, sizeof ended);
    memset(&budgets, 0, sizeof budgets);
    assert_int_equal(vault_loop_new(&settings, &loop), VAULT_OK);
    return loop;
}

static inline struct vault_job *new_job(struct vault_loop *loop, const char *url, const char *sts,
                                        int64_t timeout_ms)
{
    const struct vault_fetch_request request = {
        .secret_id = "db",
        .secret_id_length = 2,
        .region = "eu-west-1",
        .endpoint_url = url,
        .timeout_ms = timeout_ms,
        .caller = {.assume_role_arn = sts ? ROLE : NULL, .sts_endpoint_url = sts},
    };
    struct vault_job *job = vault_alloc(sizeof *job);

    assert_non_null(job);
    assert_int_equal(
        vault_fetch_new(&request, vault_loop_world(loop), vault_moment_now(), &job->fetch),
        VAULT_OK);
    return job;
}

static inline void add(struct vault_loop *loop, const char *url, const char *sts,
                       int64_t timeout_ms)
{
    vault_loop_add(loop, new_job(loop, url, sts, timeout_ms));
}

static inline void finish(struct vault_loop *loop)
{
    while (vault_loop_busy(loop))
        vault_loop_turn(loop, 10000);
}

#endif
