/* A disk's queue, with a reference for each request, for the programs about long-lived objects. */
#include <pthread.h>

#include "check.h"

enum { ROUNDS = 10, DEPTH = 300 };

struct queue {
    struct kref kref;
};

struct request {
    struct queue *queue;
};

static void queue_release(struct kref *kref)
{
    free(kref_entry(kref, struct queue, kref));
}

static void time_out(struct request *request)
{
    kref_put(&request->queue->kref, queue_release);
    free(request);
}

/* Ends one request. */
static void end(struct request *request, int number);

/* The device's thread ends a round of requests, in an order of its own. */
static void *device(void *requests)
{
    struct request **in_flight = requests;
    static int round;

    for (int i = 0; i < DEPTH; i++)
        end(in_flight[i * 37 % DEPTH], round + i);
    round += DEPTH;
    return NULL;
}
