/* io_thread - fetches performed: on one thread per process, or on the calling thread.
 *
 * For:   what io_thread.h promises.
 * Never: lua_State, curl, AWS words, what a fetch does next.
 *
 * Who owns what: a job belongs to the Lua thread until it is in engine->incoming, then to the
 * engine's thread until it is delivered to its port, then to the Lua thread again. Each queue has a
 * lock, held for moments.
 */
#include "io_thread.h"

#include <pthread.h>
#include <string.h>

#include "http_settings.h"
#include "process.h"
#include "thread.h"

#define IDLE_MS (3600 * 1000)

struct engine {
    pthread_mutex_t lock; /* incoming, stop, waits */
    struct vault_queue incoming;
    bool stop;
    bool waits;              /* the thread sees none of this before it is woken */
    struct vault_queue done; /* the thread's alone, until it delivers them */
    struct vault_loop *loop;
    pthread_t thread;
    atomic_size_t under_way;
};

/* What the fetches of a process have in common, with a thread or without. */
static struct vault_retry_budgets budgets;
static _Atomic int64_t skew_ms;

static struct engine *engine; /* of process engine_in; what fork brought is not touched */
static pid_t engine_in;
static unsigned ports; /* open in this process; a child inherits count and ports alike */

static void keep_for_delivery(struct vault_job *job)
{
    vault_queue_put(&engine->done, job);
}

static void deliver(struct engine *self)
{
    struct vault_job *jobs = self->done.first;
    size_t count;

    vault_queue_init(&self->done);
    while (jobs) {
        jobs = vault_port_deliver(jobs, &count);
        atomic_fetch_sub(&self->under_way, count);
    }
}

/* False where the thread is to end. */
static bool take_up(struct engine *self)
{
    struct vault_job *job, *next;
    bool stop;

    pthread_mutex_lock(&self->lock);
    job = self->incoming.first;
    vault_queue_init(&self->incoming);
    self->waits = false;
    stop = self->stop;
    pthread_mutex_unlock(&self->lock);
    for (; job; job = next) {
        next = job->next;
        vault_loop_add(self->loop, job);
    }
    return !stop;
}

static bool may_wait(struct engine *self)
{
    bool waits;

    pthread_mutex_lock(&self->lock);
    waits = self->waits = !self->incoming.first && !self->stop;
    pthread_mutex_unlock(&self->lock);
    return waits;
}

static void *run(void *at)
{
    struct engine *self = at;

    vault_thread_enter();
    while (take_up(self)) {
        int wait_ms = vault_loop_work(self->loop, IDLE_MS);

        deliver(self);
        if (may_wait(self))
            vault_loop_wait(self->loop, wait_ms);
    }
    vault_thread_leave();
    return NULL;
}

/* A loop that goes on (`lives`), or one for a single fetch. */
static enum vault_status new_loop(const struct vault_engine_settings *settings, bool lives,
                                  struct vault_loop **made, struct vault_message *why)
{
    const struct vault_loop_settings wanted = {
        .environment = vault_environment_process(),
        .ca_file = settings->ca_file,
        .budgets = &budgets,
        .skew_ms = &skew_ms,
        .errands = lives,
        .on_done = lives ? keep_for_delivery : NULL,
    };
    /* Never an engine that finds no credentials all its life. */
    enum vault_status status = wanted.environment ? vault_http_start(why) : VAULT_NO_MEMORY;

    if (status == VAULT_OK)
        status = vault_loop_new(&wanted, made);
    if (status == VAULT_INTERNAL && why->length == 0)
        vault_message_add(why, "libcurl or OpenSSL could not be set up; are descriptors left?");
    return status;
}

static enum vault_status start_engine(const struct vault_engine_settings *settings,
                                      struct vault_message *why)
{
    struct engine *made = vault_alloc(sizeof *made);
    enum vault_status status;
    int error;

    if (!made)
        return VAULT_NO_MEMORY;
    vault_queue_init(&made->incoming);
    vault_queue_init(&made->done);
    pthread_mutex_init(&made->lock, NULL);
    status = new_loop(settings, true, &made->loop, why);
    if (status == VAULT_OK) {
        engine = made;
        engine_in = vault_process_id();
        error = vault_thread_start(&made->thread, run, made);
        if (!error)
            return VAULT_OK;
        engine = NULL;
        vault_message_add(why, "the engine's thread could not be started: %s", strerror(error));
        status = VAULT_INTERNAL;
    }
    vault_loop_free(made->loop);
    pthread_mutex_destroy(&made->lock);
    vault_free(made);
    return status;
}

static void stop_engine(void)
{
    struct engine *self = engine;
    struct vault_thread_deaf deaf;

    pthread_mutex_lock(&self->lock);
    self->stop = true;
    pthread_mutex_unlock(&self->lock);
    vault_loop_wake(self->loop);
    pthread_join(self->thread, NULL);
    vault_thread_deafen(&deaf);
    vault_loop_free(self->loop);
    vault_thread_hear(&deaf);
    deliver(self);
    engine = NULL;
    pthread_mutex_destroy(&self->lock);
    vault_free(self);
}

enum vault_status vault_port_new(struct vault_port **made)
{
    enum vault_status status = vault_port_make(made);

    if (status == VAULT_OK)
        ports++;
    return status;
}

void vault_port_close(struct vault_port *port)
{
    vault_port_end(port);
    if (--ports == 0 && engine && engine_in == vault_process_id())
        stop_engine();
    vault_port_let_go(port);
}

static void send_in(struct vault_job *job)
{
    bool wake;

    pthread_mutex_lock(&engine->lock);
    vault_queue_put(&engine->incoming, job);
    wake = engine->waits;
    engine->waits = false;
    pthread_mutex_unlock(&engine->lock);
    if (wake)
        vault_loop_wake(engine->loop);
}

static enum vault_status new_job(const struct vault_fetch_request *request, struct vault_loop *loop,
                                 void *owner, struct vault_job **made)
{
    struct vault_job *job = vault_alloc(sizeof *job);
    enum vault_status status;

    if (!job)
        return VAULT_NO_MEMORY;
    job->owner = owner;
    status = vault_fetch_new(request, vault_loop_world(loop), vault_moment_now(), &job->fetch);
    if (status == VAULT_OK)
        *made = job;
    else
        vault_free(job);
    return status;
}

enum vault_status vault_port_submit(struct vault_port *port,
                                    const struct vault_fetch_request *request,
                                    const struct vault_engine_settings *settings, uint64_t *number,
                                    struct vault_message *why)
{
    pid_t process = vault_port_adopt(port);
    enum vault_status status;
    struct vault_job *job;

    status = engine && engine_in == process ? VAULT_OK : start_engine(settings, why);
    if (status != VAULT_OK)
        return status;
    if (atomic_load(&engine->under_way) >= VAULT_JOBS_MAX) {
        vault_message_add(why, "%d fetches are under way already", VAULT_JOBS_MAX);
        return VAULT_TOO_LARGE;
    }
    status = new_job(request, engine->loop, port, &job);
    if (status != VAULT_OK)
        return status;
    *number = job->number = vault_port_expect(port);
    atomic_fetch_add(&engine->under_way, 1);
    send_in(job);
    return VAULT_OK;
}

enum vault_status vault_engine_run(const struct vault_fetch_request *request,
                                   const struct vault_engine_settings *settings,
                                   struct vault_fetch **made, struct vault_message *why)
{
    struct vault_loop *loop = NULL;
    struct vault_job *job = NULL;
    struct vault_thread_deaf deaf;
    enum vault_status status;

    vault_thread_deafen(&deaf);
    status = new_loop(settings, false, &loop, why);
    if (status == VAULT_OK)
        status = new_job(request, loop, NULL, &job);
    if (status == VAULT_OK) {
        vault_loop_add(loop, job);
        while (vault_loop_busy(loop))
            vault_loop_turn(loop, IDLE_MS);
        *made = job->fetch;
        vault_free(job);
    }
    vault_loop_free(loop);
    vault_thread_hear(&deaf);
    return status;
}
