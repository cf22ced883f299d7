/*
 * Two types have their kref at the same place. The error path of a constructor puts the queue with
 * the buffers' release function: the queue is freed, and what hangs from it is lost. Seen where an
 * error path was copied from another constructor. Both types also have puts with a second release
 * function, which is right.
 *
 * found by: other-release
 */
#include "check.h"

struct buffer {
    struct kref kref;
    char *data;
};

struct queue {
    struct kref kref;
    char *name;
    struct buffer *first;
};

static void buffer_release(struct kref *kref)
{
    struct buffer *buffer = kref_entry(kref, struct buffer, kref);

    free(buffer->data);
    free(buffer);
}

static void buffer_release_quietly(struct kref *kref)
{
    buffer_release(kref);
}

static void queue_release(struct kref *kref)
{
    struct queue *queue = kref_entry(kref, struct queue, kref);

    if (queue->first)
        kref_put(&queue->first->kref, buffer_release);
    free(queue->name);
    free(queue);
}

static void queue_release_quietly(struct kref *kref)
{
    queue_release(kref);
}

static struct buffer *buffer_new(void)
{
    struct buffer *buffer = calloc(1, sizeof *buffer);

    CHECK(buffer);
    kref_init(&buffer->kref);
    return buffer;
}

static struct queue *queue_new(const char *name, int room)
{
    struct queue *queue = calloc(1, sizeof *queue);

    CHECK(queue);
    kref_init(&queue->kref);
    queue->name = strdup(name);
    if (room < 4) {
        queue->first = buffer_new();
        return queue;
    }
#ifdef RIGHT
    kref_put(&queue->kref, queue_release); /* FIX */
#else
    kref_put(&queue->kref, buffer_release); /* BLAME */
#endif
    return NULL;
}

int main(void)
{
    kref_put(&queue_new("one", 1)->kref, queue_release);
    kref_put(&queue_new("two", 1)->kref, queue_release_quietly);
    kref_put(&buffer_new()->kref, buffer_release_quietly);
    CHECK(!queue_new("three", 5));
    return 0;
}
