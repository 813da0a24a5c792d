/* queue - jobs in a row, first in, first out.
 *
 * For:   what io_thread.c moves between threads.
 * Never: locks (the owner's), what a job is.
 */
#ifndef VAULT_QUEUE_H
#define VAULT_QUEUE_H

#include "loop.h"

struct vault_queue {
    struct vault_job *first, **end;
};

/* Also: forget what is in it, once its jobs have been taken over by way of `first`. */
static inline void vault_queue_init(struct vault_queue *queue)
{
    queue->first = NULL;
    queue->end = &queue->first;
}

static inline void vault_queue_put(struct vault_queue *queue, struct vault_job *job)
{
    job->next = NULL;
    *queue->end = job;
    queue->end = &job->next;
}

/* The first, or NULL. */
static inline struct vault_job *vault_queue_take(struct vault_queue *queue)
{
    struct vault_job *job = queue->first;

    if (job) {
        queue->first = job->next;
        if (!job->next)
            queue->end = &queue->first;
    }
    return job;
}

#endif
