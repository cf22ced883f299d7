/*
 * Kernel code with a bare counter: a queue is held while it is attached to its parent, and the early
 * return of an attach that is not offloaded forgets it. Seen in packet schedulers. The object has no
 * kref and no release function: kref_count_set() begins it.
 *
 * found by: leak
 */
#include "check.h"

struct queue {
    int handle;
    struct refcount_struct users;
};

static struct queue *queue_new(int handle, int users)
{
    struct queue *queue = calloc(1, sizeof *queue);

    CHECK(queue);
    kref_count_set(&queue->users, users);
    queue->handle = handle;
    return queue;
}

static void queue_put(struct queue *queue)
{
    if (kref_count_dec_and_test(&queue->users))
        free(queue);
}

static int attach(struct queue *queue, int offloaded)
{
    kref_count_inc(&queue->users); /* BLAME */
    if (!offloaded) {
#ifdef RIGHT
        queue_put(queue); /* FIX */
#endif
        return 0;
    }
    queue_put(queue);
    return 1;
}

/* Sets the count of an object that is referenced: its only holder may do that. */
static struct queue *recycle(struct queue *queue)
{
    kref_count_set(&queue->users, 1);
    return queue;
}

int main(void)
{
    for (int i = 0; i < 6; i++) {
        struct queue *queue = queue_new(i, 1 + i % 3);

        for (int others = i % 3; others > 0; others--)
            queue_put(queue);
        queue = recycle(recycle(queue));
        attach(queue, i % 2);
        queue_put(queue);
    }
    return 0;
}
