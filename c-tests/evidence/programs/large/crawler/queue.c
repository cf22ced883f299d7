#include "queue.h"

#include <stdlib.h>

void queue_init(struct queue *queue)
{
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->changed, NULL);
    queue->first = NULL;
    queue->last = &queue->first;
    queue->closed = queue->length = queue->longest = 0;
}

void queue_destroy(struct queue *queue)
{
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->lock);
}

void queue_push(struct queue *queue, void *what)
{
    struct entry *entry = malloc(sizeof *entry);

    if (!entry)
        abort();
    entry->what = what;
    entry->next = NULL;
    pthread_mutex_lock(&queue->lock);
    *queue->last = entry;
    queue->last = &entry->next;
    if (++queue->length > queue->longest)
        queue->longest = queue->length;
    pthread_cond_signal(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

void *queue_pop(struct queue *queue)
{
    struct entry *entry;
    void *what = NULL;

    pthread_mutex_lock(&queue->lock);
    while (!queue->first && !queue->closed)
        pthread_cond_wait(&queue->changed, &queue->lock);
    entry = queue->first;
    if (entry) {
        if (!(queue->first = entry->next))
            queue->last = &queue->first;
        queue->length--;
    }
    pthread_mutex_unlock(&queue->lock);
    if (entry) {
        what = entry->what;
        free(entry);
    }
    return what;
}

void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = 1;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}
