/* port - one Lua VM's mouth to the engine.
 *
 * For:   what port.h promises.
 * Never: lua_State, the engine's thread (io_thread), curl.
 *
 * The lock is held for moments, and for the never-blocking ring, so that the wake-up cannot be
 * closed under it.
 */
#include "port.h"

#include <pthread.h>

#include "process.h"

struct vault_port {
    pthread_mutex_t lock; /* finished, told, wake, held, closed */
    struct vault_queue finished;
    bool told; /* the VM knows that something is in there */
    struct vault_wake wake;
    unsigned held; /* the VM's hold and one for each job under way */
    bool closed;
    struct vault_queue taken; /* from here on the VM's thread's alone: out of `finished` */
    size_t pending;
    uint64_t last_number;
    pid_t process;
};

enum vault_status vault_port_make(struct vault_port **made)
{
    struct vault_port *port = vault_alloc(sizeof *port);

    if (!port)
        return VAULT_NO_MEMORY;
    vault_wake_init(&port->wake); /* the rest in vault_port_adopt */
    *made = port;
    return VAULT_OK;
}

/* In a child made by fork the lock may be held for ever by a thread that is not there, what it
 * guards half changed, and the jobs are the parent's. */
pid_t vault_port_adopt(struct vault_port *port)
{
    pid_t process = vault_process_id();

    if (port->process == process)
        return process;
    pthread_mutex_init(&port->lock, NULL);
    vault_queue_init(&port->finished);
    vault_queue_init(&port->taken);
    port->told = false;
    vault_wake_close(&port->wake);
    port->held = 1;
    port->pending = 0;
    port->process = process;
    return process;
}

static void enter(struct vault_port *port)
{
    vault_port_adopt(port);
    pthread_mutex_lock(&port->lock);
}

static void free_jobs(struct vault_queue *queue)
{
    struct vault_job *job;

    while ((job = vault_queue_take(queue))) {
        vault_fetch_free(job->fetch);
        vault_free(job);
    }
}

/* The last hold gone: no one else can see the port any more. */
static void free_port(struct vault_port *port)
{
    free_jobs(&port->finished);
    free_jobs(&port->taken);
    vault_wake_close(&port->wake);
    pthread_mutex_destroy(&port->lock);
    vault_free(port);
}

uint64_t vault_port_expect(struct vault_port *port)
{
    pthread_mutex_lock(&port->lock);
    port->held++;
    pthread_mutex_unlock(&port->lock);
    port->pending++;
    return ++port->last_number;
}

struct vault_job *vault_port_deliver(struct vault_job *jobs, size_t *count)
{
    struct vault_port *port = jobs->owner;
    struct vault_job *next;
    bool last;

    *count = 0;
    pthread_mutex_lock(&port->lock);
    for (; jobs && jobs->owner == port; jobs = next, ++*count) {
        next = jobs->next;
        vault_queue_put(&port->finished, jobs);
    }
    if (!port->told && !port->closed)
        vault_wake_ring(&port->wake);
    port->told = true;
    port->held -= (unsigned)*count;
    last = port->held == 0;
    pthread_mutex_unlock(&port->lock);
    if (last)
        free_port(port);
    return jobs;
}

void vault_port_end(struct vault_port *port)
{
    enter(port);
    port->closed = true;
    vault_wake_close(&port->wake);
    pthread_mutex_unlock(&port->lock);
}

void vault_port_let_go(struct vault_port *port)
{
    bool last;

    pthread_mutex_lock(&port->lock);
    last = --port->held == 0;
    pthread_mutex_unlock(&port->lock);
    if (last)
        free_port(port);
}

/* All that is finished at once, for one lock. */
static void take_over(struct vault_port *port)
{
    pthread_mutex_lock(&port->lock);
    port->told = port->finished.first != NULL;
    if (port->told)
        port->taken = port->finished;
    vault_queue_init(&port->finished);
    pthread_mutex_unlock(&port->lock);
}

struct vault_fetch *vault_port_take(struct vault_port *port, uint64_t *number)
{
    struct vault_fetch *fetch;
    struct vault_job *job;

    vault_port_adopt(port);
    if (!port->taken.first)
        take_over(port);
    job = vault_queue_take(&port->taken);
    if (!job)
        return NULL;
    if (!port->taken.first)
        take_over(port); /* or what comes from now on would come untold */
    port->pending--;
    *number = job->number;
    fetch = job->fetch;
    vault_free(job);
    return fetch;
}

size_t vault_port_pending(const struct vault_port *port)
{
    return port->process == vault_process_id() ? port->pending : 0;
}

enum vault_status vault_port_listen(struct vault_port *port, const char *const *folders, char *path)
{
    enum vault_status status;

    enter(port);
    status = vault_wake_listen(&port->wake, folders, path);
    pthread_mutex_unlock(&port->lock);
    return status;
}

enum vault_status vault_port_accept(struct vault_port *port)
{
    enum vault_status status;

    enter(port);
    status = vault_wake_accept(&port->wake);
    if (status == VAULT_OK && port->told)
        vault_wake_ring(&port->wake);
    pthread_mutex_unlock(&port->lock);
    return status;
}

void vault_port_hang_up(struct vault_port *port)
{
    enter(port);
    vault_wake_close(&port->wake);
    pthread_mutex_unlock(&port->lock);
}
