/* region - the region of a fetch for which nobody named one.
 *
 * For:   what region.h promises.
 * Never: the reference's, the vault's or the environment's region, sockets, the clock.
 */
#include "region.h"

#include <pthread.h>
#include <string.h>

#include "credentials_imds.h"
#include "credentials_profile.h"
#include "endpoint.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char of_instance[VAULT_REGION_MAX + 1];

void vault_region_begin(struct vault_region_run *run, const struct vault_credential_query *query,
                        struct vault_exchange *exchange)
{
    *run = (struct vault_region_run){0};
    vault_credential_run_init(&run->source, query, exchange);
}

void vault_region_free(struct vault_region_run *run)
{
    vault_credential_run_free(&run->source);
}

static enum vault_step done(struct vault_region_run *run, enum vault_status status)
{
    run->status = status;
    return VAULT_STEP_DONE;
}

static enum vault_status take_known(struct vault_buffer *region)
{
    enum vault_status status = VAULT_NOT_CONFIGURED;

    pthread_mutex_lock(&lock);
    if (of_instance[0])
        status = vault_buffer_text(region, of_instance);
    pthread_mutex_unlock(&lock);
    return status;
}

static void keep(const char *region)
{
    pthread_mutex_lock(&lock);
    if (strlen(region) < sizeof of_instance)
        strcpy(of_instance, region);
    pthread_mutex_unlock(&lock);
}

void vault_region_forget(void)
{
    keep("");
}

/* VAULT_NOT_CONFIGURED: the instance is to be asked. */
static enum vault_status look(struct vault_region_run *run, struct vault_buffer *region)
{
    struct vault_message why = {0};
    enum vault_status status = vault_profile_region(run->source.query, region, &why);

    if (status == VAULT_NOT_CONFIGURED) {
        vault_message_add(&run->why,
                          "no AWS region: none in the reference, its ARN or the vault, in "
                          "KONG_VAULT_AWS_REGION, AWS_REGION or AWS_DEFAULT_REGION; profile (%s)",
                          why.text);
        return take_known(region);
    }
    if (status != VAULT_OK)
        vault_message_add(&run->why, "%s", why.text);
    return status;
}

static enum vault_step ask(struct vault_region_run *run, struct vault_buffer *region)
{
    enum vault_step step = vault_source_imds_region.next(&run->source);
    enum vault_status status = run->source.status;

    if (step != VAULT_STEP_DONE)
        return step;
    if (status == VAULT_OK) {
        status = vault_buffer_append(region, run->source.memory.data, run->source.memory.length);
        if (status == VAULT_OK)
            keep(region->data);
        return done(run, status);
    }
    if (status != VAULT_NO_MEMORY)
        vault_message_add(&run->why, ", instance metadata (%s)", run->source.why.text);
    return done(run, status == VAULT_NOT_CONFIGURED ? VAULT_NO_REGION : status);
}

enum vault_step vault_region_next(struct vault_region_run *run, int64_t now,
                                  struct vault_buffer *region)
{
    enum vault_status status;

    run->source.now = now;
    if (!run->asking) {
        status = look(run, region);
        if (status != VAULT_NOT_CONFIGURED)
            return done(run, status);
        run->asking = true;
    }
    return ask(run, region);
}
