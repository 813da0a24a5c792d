/* region - the region of a fetch for which nobody named one.
 *
 * For:   what region.h promises.
 * Never: the reference's, the vault's or the environment's region, sockets, the clock.
 */
#include "region.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "credentials_imds.h"
#include "credentials_profile.h"
#include "endpoint.h"
#include "fork_locks.h"

#define BUSY_PAUSE_MS 20

/* What is known of the instance's region, and who is asking for it. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    char region[VAULT_REGION_MAX + 1]; /* "": not known */
    const struct vault_region_run *asker;
    pid_t process;            /* the asker's: after a fork it is nobody */
    uint64_t asked, failed;   /* the last asking, and the last one that failed */
    enum vault_status status; /* what that one came to */
    struct vault_message why;
} instance;

__attribute__((constructor)) static void outlive_forks(void)
{
    vault_fork_locks_add(VAULT_FORK_REGION, &lock);
}

void vault_region_begin(struct vault_region_run *run, const struct vault_credential_query *query,
                        struct vault_exchange *exchange)
{
    *run = (struct vault_region_run){0};
    vault_credential_run_init(&run->source, query, exchange);
}

static enum vault_step done(struct vault_region_run *run, enum vault_status status)
{
    run->status = status;
    return VAULT_STEP_DONE;
}

/* Whoever waits is told how it failed; one that is given up midway is asked by the next. */
static void stop_asking(struct vault_region_run *run, bool failed)
{
    pthread_mutex_lock(&lock);
    if (instance.asker == run) {
        instance.asker = NULL;
        if (failed) {
            instance.failed = instance.asked;
            instance.status = run->status;
            instance.why = run->source.why;
        }
    }
    pthread_mutex_unlock(&lock);
    run->asking = false;
}

void vault_region_free(struct vault_region_run *run)
{
    stop_asking(run, false);
    vault_credential_run_free(&run->source);
}

static void keep(const char *region)
{
    pthread_mutex_lock(&lock);
    if (strlen(region) < sizeof instance.region)
        strcpy(instance.region, region);
    pthread_mutex_unlock(&lock);
}

void vault_region_forget(void)
{
    keep("");
}

/* What is to be done for the instance's region: VAULT_STEP_EXCHANGE stands for asking. */
static enum vault_step take_known(struct vault_region_run *run, struct vault_buffer *region)
{
    enum vault_step step = VAULT_STEP_DONE;

    pthread_mutex_lock(&lock);
    if (instance.region[0]) {
        run->status = vault_buffer_text(region, instance.region);
    } else if (instance.asker && instance.process == getpid()) {
        run->waited = instance.asked;
        run->pause_ms = BUSY_PAUSE_MS;
        step = VAULT_STEP_PAUSE;
    } else if (run->waited && instance.failed >= run->waited) {
        run->status = instance.status;
        run->source.why = instance.why;
    } else {
        run->asking = true;
        instance.asker = run;
        instance.process = getpid();
        instance.asked++;
        step = VAULT_STEP_EXCHANGE;
    }
    pthread_mutex_unlock(&lock);
    return step;
}

/* VAULT_NOT_CONFIGURED: the instance is to be asked. */
static enum vault_status look(struct vault_region_run *run, struct vault_buffer *region)
{
    struct vault_message why = {0};
    enum vault_status status = vault_profile_region(run->source.query, region, &why);

    if (status == VAULT_NOT_CONFIGURED)
        vault_message_add(&run->why,
                          "no AWS region: none in the reference, its ARN or the vault, in "
                          "KONG_VAULT_AWS_REGION, AWS_REGION or AWS_DEFAULT_REGION; profile (%s)",
                          why.text);
    else if (status != VAULT_OK)
        vault_message_add(&run->why, "%s", why.text);
    return status;
}

/* The instance's region is not to be had: `why` of the source says why. */
static enum vault_step lacks(struct vault_region_run *run, enum vault_status status)
{
    if (status != VAULT_NO_MEMORY)
        vault_message_add(&run->why, ", instance metadata (%s)", run->source.why.text);
    return done(run, status);
}

static enum vault_step ask(struct vault_region_run *run, struct vault_buffer *region)
{
    enum vault_step step = vault_source_imds_region.next(&run->source);
    enum vault_status status = run->source.status;

    run->pause_ms = run->source.pause_ms;
    if (step != VAULT_STEP_DONE)
        return step;
    if (status == VAULT_OK) {
        status = vault_buffer_append(region, run->source.memory.data, run->source.memory.length);
        if (status == VAULT_OK)
            keep(region->data);
        stop_asking(run, false);
        return done(run, status);
    }
    run->status = status == VAULT_NOT_CONFIGURED ? VAULT_NO_REGION : status;
    stop_asking(run, status != VAULT_NO_MEMORY);
    return lacks(run, run->status);
}

enum vault_step vault_region_next(struct vault_region_run *run, int64_t now,
                                  struct vault_buffer *region)
{
    enum vault_step step;
    enum vault_status status;

    run->source.now = now;
    if (!run->looked) {
        status = look(run, region);
        if (status != VAULT_NOT_CONFIGURED)
            return done(run, status);
        run->looked = true;
    }
    if (!run->asking) {
        step = take_known(run, region);
        if (step == VAULT_STEP_DONE && run->status != VAULT_OK && run->status != VAULT_NO_MEMORY)
            return lacks(run, run->status);
        if (step != VAULT_STEP_EXCHANGE)
            return step;
    }
    return ask(run, region);
}
