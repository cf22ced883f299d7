/*
 * A program counted with ++ and --, and was converted by search and replace: ++ became kref_get().
 * Its objects begin with calloc() and a first ++, so that nothing became kref_init(). Seen in
 * conversions of whole libraries.
 *
 * found by: never-initialised
 */
#include "check.h"

struct queue {
    int length;
    struct kref kref;
};

static void queue_release(struct kref *kref)
{
    free(kref_entry(kref, struct queue, kref));
}

static struct queue *queue_ref(struct queue *queue)
{
    kref_get(&queue->kref); /* BLAME */
    queue->length++;
    return queue;
}

static struct queue *queue_new(void)
{
    struct queue *queue = calloc(1, sizeof *queue);

    CHECK(queue);
#ifdef RIGHT
    kref_init(&queue->kref); /* FIX */
    return queue;
#else
    return queue_ref(queue);
#endif
}

int main(void)
{
    for (int i = 0; i < 3; i++) {
        struct queue *queue = queue_new(), *shared = queue_ref(queue);

        kref_put(&queue->kref, queue_release);
        kref_put(&shared->kref, queue_release);
    }
    return 0;
}
