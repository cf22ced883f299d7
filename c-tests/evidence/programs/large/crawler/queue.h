/* A queue between threads. What is in it has been handed over with a reference. */
#ifndef QUEUE_H
#define QUEUE_H

#include <pthread.h>

struct entry {
    struct entry *next;
    void *what;
};

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct entry *first, **last;
    int closed, length, longest;
};

void queue_init(struct queue *queue);
void queue_destroy(struct queue *queue);
void queue_push(struct queue *queue, void *what);

/* Waits. Returns NULL when the queue is closed and empty. */
void *queue_pop(struct queue *queue);
void queue_close(struct queue *queue);

#endif
