/*
 * A disk's queue has a reference for each request, and a thread ends thousands of them in an order of its own: most
 * with a completion, the others with a timeout. The disk's own reference on the queue is forgotten
 * when the disk is removed. Modelled on block devices that cannot be removed: the queue is "still in use" though no
 * request is left.
 *
 * found by: leak
 */
#include "../requests.h"

static struct request *submit(struct queue *queue)
{
    struct request *request = malloc(sizeof *request);

    CHECK(request);
    kref_get(&queue->kref);
    request->queue = queue;
    return request;
}

static void complete(struct request *request)
{
    kref_put(&request->queue->kref, queue_release);
    free(request);
}

static void end(struct request *request, int number)
{
    if (number % 7)
        complete(request);
    else
        time_out(request);
}

int main(void)
{
    struct request *in_flight[DEPTH];
    struct queue *queue = malloc(sizeof *queue);

    CHECK(queue);
    kref_init(&queue->kref); /* BLAME */
    for (int i = 0; i < ROUNDS; i++) {
        pthread_t thread;

        for (int j = 0; j < DEPTH; j++)
            in_flight[j] = submit(queue);
        CHECK(pthread_create(&thread, NULL, device, in_flight) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
#ifdef RIGHT
    kref_put(&queue->kref, queue_release); /* FIX */
#endif
    return 0;
}
