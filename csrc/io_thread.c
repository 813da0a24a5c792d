/* io_thread - fetches performed: on one thread per process, or on the calling thread.
 *
 * For:   what io_thread.h promises.
 * Never: lua_State, curl, AWS words, what a fetch does next.
 *
 * Who owns what: a job belongs to the Lua thread until it is in engine->incoming, then to the
 * engine's thread until it is in port->finished, then to the Lua thread again. Each queue has one
 * lock, held only to move pointers (and for the one-byte, never-blocking ring, so that the wake-up
 * cannot be closed under it). A port outlives its VM for as long as jobs of its are under way.
 */
#include "io_thread.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "http.h"
#include "loop.h"

#define STACK_BYTES (512 * 1024)
#define IDLE_MS     (3600 * 1000)

struct vault_port {
    pthread_mutex_t lock; /* finished, wake, held */
    struct vault_job *finished, **finished_end;
    struct vault_wake wake;
    unsigned held; /* the VM's hold and one for each job under way */
    bool closed;

    size_t pending; /* the Lua thread's alone */
    uint64_t last_number;
};

struct engine {
    pthread_mutex_t lock; /* incoming, stop */
    struct vault_job *incoming, **incoming_end;
    bool stop;
    struct vault_loop *loop;
    pthread_t thread;
    atomic_size_t under_way;
};

/* What the fetches of a process have in common, with a thread or without. */
static struct vault_retry_budget budget = {VAULT_RETRY_BUDGET_FULL};
static _Atomic int64_t skew_ms;

static struct engine
    *engine; /* of process engine_in; another's, inherited by fork, is not touched */
static pid_t engine_in;
static unsigned ports; /* open in this process; a child inherits count and ports alike */

/* The last hold gone: no one else can see the port any more. */
static void free_port(struct vault_port *port)
{
    struct vault_job *job;

    while ((job = port->finished)) {
        port->finished = job->next;
        vault_fetch_free(job->fetch);
        vault_free(job);
    }
    vault_wake_close(&port->wake);
    pthread_mutex_destroy(&port->lock);
    vault_free(port);
}

static void deliver(struct vault_job *job)
{
    struct vault_port *port = job->owner;
    bool last;

    pthread_mutex_lock(&port->lock);
    job->next = NULL;
    if (!port->finished && !port->closed)
        vault_wake_ring(&port->wake);
    *port->finished_end = job;
    port->finished_end = &job->next;
    last = --port->held == 0;
    pthread_mutex_unlock(&port->lock);
    atomic_fetch_sub(&engine->under_way, 1);
    if (last)
        free_port(port);
}

/* The thread inherits the worker's pin to one processor; it must not compete with the worker there.
 */
static void use_every_processor(void)
{
    cpu_set_t every;

    memset(&every, 0xff, sizeof every);
    (void)!sched_setaffinity(0, sizeof every, &every);
}

static void *run(void *at)
{
    struct engine *self = at;
    bool stop = false;

    use_every_processor();
    while (!stop) {
        struct vault_job *job, *next;

        pthread_mutex_lock(&self->lock);
        job = self->incoming;
        self->incoming = NULL;
        self->incoming_end = &self->incoming;
        stop = self->stop;
        pthread_mutex_unlock(&self->lock);
        for (; job; job = next) {
            next = job->next;
            vault_loop_add(self->loop, job);
        }
        if (!stop)
            vault_loop_turn(self->loop, IDLE_MS);
    }
    return NULL;
}

static int start_thread(struct engine *made)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);

    if (error)
        return error;
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    /* nginx's signals are for nginx's own thread. */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    error = pthread_create(&made->thread, &attributes, run, made);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}

static enum vault_status new_loop(const struct vault_engine_settings *settings,
                                  void (*on_done)(struct vault_job *), struct vault_loop **made,
                                  struct vault_message *why)
{
    const struct vault_loop_settings wanted = {
        .environment = vault_environment_process(),
        .ca_file = settings->ca_file,
        .budget = &budget,
        .skew_ms = &skew_ms,
        .on_done = on_done,
    };
    enum vault_status status = vault_http_start(why);

    return status == VAULT_OK ? vault_loop_new(&wanted, made) : status;
}

static enum vault_status start_engine(const struct vault_engine_settings *settings,
                                      struct vault_message *why)
{
    struct engine *made = vault_alloc(sizeof *made);
    enum vault_status status = VAULT_NO_MEMORY;
    int error;

    if (!made)
        return VAULT_NO_MEMORY;
    made->incoming_end = &made->incoming;
    pthread_mutex_init(&made->lock, NULL);
    status = new_loop(settings, deliver, &made->loop, why);
    if (status != VAULT_OK)
        goto out;
    engine = made;
    error = start_thread(made);
    if (error) {
        engine = NULL;
        vault_message_add(why, "the engine's thread could not be started: %s", strerror(error));
        status = VAULT_INTERNAL;
        goto out;
    }
    engine_in = getpid();
    return VAULT_OK;
out:
    vault_loop_free(made->loop);
    pthread_mutex_destroy(&made->lock);
    vault_free(made);
    return status;
}

static bool engine_is_ours(void)
{
    return engine && engine_in == getpid();
}

static void stop_engine(void)
{
    struct engine *self = engine;

    pthread_mutex_lock(&self->lock);
    self->stop = true;
    pthread_mutex_unlock(&self->lock);
    vault_loop_wake(self->loop);
    pthread_join(self->thread, NULL);
    vault_loop_free(self->loop);
    engine = NULL;
    pthread_mutex_destroy(&self->lock);
    vault_free(self);
}

enum vault_status vault_port_new(struct vault_port **made)
{
    struct vault_port *port = vault_alloc(sizeof *port);

    if (!port)
        return VAULT_NO_MEMORY;
    pthread_mutex_init(&port->lock, NULL);
    port->finished_end = &port->finished;
    port->held = 1;
    vault_wake_init(&port->wake);
    ports++;
    *made = port;
    return VAULT_OK;
}

void vault_port_close(struct vault_port *port)
{
    bool last;

    pthread_mutex_lock(&port->lock);
    port->closed = true;
    vault_wake_close(&port->wake);
    pthread_mutex_unlock(&port->lock);
    ports--;
    if (ports == 0 && engine_is_ours())
        stop_engine();
    pthread_mutex_lock(&port->lock);
    last = --port->held == 0;
    pthread_mutex_unlock(&port->lock);
    if (last)
        free_port(port);
}

static void send_in(struct vault_job *job)
{
    pthread_mutex_lock(&engine->lock);
    *engine->incoming_end = job;
    engine->incoming_end = &job->next;
    pthread_mutex_unlock(&engine->lock);
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
    enum vault_status status = VAULT_OK;
    struct vault_job *job;

    if (!engine_is_ours())
        status = start_engine(settings, why);
    if (status != VAULT_OK)
        return status;
    if (atomic_load(&engine->under_way) >= VAULT_JOBS_MAX) {
        vault_message_add(why, "%d fetches are under way already", VAULT_JOBS_MAX);
        return VAULT_TOO_LARGE;
    }
    status = new_job(request, engine->loop, port, &job);
    if (status != VAULT_OK)
        return status;
    *number = job->number = ++port->last_number;
    port->pending++;
    pthread_mutex_lock(&port->lock);
    port->held++;
    pthread_mutex_unlock(&port->lock);
    atomic_fetch_add(&engine->under_way, 1);
    send_in(job);
    return VAULT_OK;
}

struct vault_fetch *vault_port_take(struct vault_port *port, uint64_t *number)
{
    struct vault_fetch *fetch;
    struct vault_job *job;

    pthread_mutex_lock(&port->lock);
    job = port->finished;
    if (job) {
        port->finished = job->next;
        if (!port->finished)
            port->finished_end = &port->finished;
    }
    pthread_mutex_unlock(&port->lock);
    if (!job)
        return NULL;
    port->pending--;
    *number = job->number;
    fetch = job->fetch;
    vault_free(job);
    return fetch;
}

size_t vault_port_pending(const struct vault_port *port)
{
    return port->pending;
}

enum vault_status vault_port_listen(struct vault_port *port, const char *const *folders, char *path)
{
    enum vault_status status;

    pthread_mutex_lock(&port->lock);
    status = vault_wake_listen(&port->wake, folders, path);
    pthread_mutex_unlock(&port->lock);
    return status;
}

enum vault_status vault_port_accept(struct vault_port *port)
{
    enum vault_status status;

    pthread_mutex_lock(&port->lock);
    status = vault_wake_accept(&port->wake);
    if (status == VAULT_OK && port->finished)
        vault_wake_ring(&port->wake);
    pthread_mutex_unlock(&port->lock);
    return status;
}

void vault_port_hang_up(struct vault_port *port)
{
    pthread_mutex_lock(&port->lock);
    vault_wake_close(&port->wake);
    pthread_mutex_unlock(&port->lock);
}

static void keep_for_caller(struct vault_job *job)
{
    (void)job;
}

enum vault_status vault_engine_run(const struct vault_fetch_request *request,
                                   const struct vault_engine_settings *settings,
                                   struct vault_fetch **made, struct vault_message *why)
{
    struct vault_loop *loop = NULL;
    struct vault_job *job = NULL;
    enum vault_status status = new_loop(settings, keep_for_caller, &loop, why);

    if (status != VAULT_OK)
        return status;
    status = new_job(request, loop, NULL, &job);
    if (status == VAULT_OK) {
        vault_loop_add(loop, job);
        while (vault_loop_busy(loop))
            vault_loop_turn(loop, IDLE_MS);
        *made = job->fetch;
        vault_free(job);
    }
    vault_loop_free(loop);
    return status;
}
