/*
 * A disk's queue has a reference for each request, and a thread ends thousands of them in an order of its own: most
 * with a completion, the others with a timeout. One that fails is freed without the reference on the queue, so the queue
 * outlives the disk. One of three thousand gets is the culprit, and no order of gets and puts tells which.
 *
 * found by: leak
 */
#include "../requests.h"

enum { FAILS = 111 };

static struct request *submit(struct queue *queue)
{
    struct request *request = malloc(sizeof *request);

    CHECK(request);
    kref_get(&queue->kref); /* BLAME */
    request->queue = queue;
    return request;
}

static void complete(struct request *request, int error)
{
    if (error) {
#ifdef RIGHT
        kref_put(&request->queue->kref, queue_release); /* FIX */
#endif
        free(request);
        return;
    }
    kref_put(&request->queue->kref, queue_release);
    free(request);
}

static void end(struct request *request, int number)
{
    if (number % 7)
        complete(request, number == FAILS);
    else
        time_out(request);
}

int main(void)
{
    struct request *in_flight[DEPTH];
    struct queue *queue = malloc(sizeof *queue);

    CHECK(queue);
    kref_init(&queue->kref);
    for (int i = 0; i < ROUNDS; i++) {
        pthread_t thread;

        for (int j = 0; j < DEPTH; j++)
            in_flight[j] = submit(queue);
        CHECK(pthread_create(&thread, NULL, device, in_flight) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    }
    kref_put(&queue->kref, queue_release);
    return 0;
}
