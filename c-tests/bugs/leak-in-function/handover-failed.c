/*
 * A reference is taken for the queue, as it must be. But the queue is full, and the reference is
 * not put. Seen with bounded queues, failing pthread_create(), and rejected work.
 *
 * found by: leak
 */
#include "check.h"

#define ROOM 2

struct message {
    char text[16];
    struct kref kref;
};

static struct message *queue[ROOM];
static int queued;

static void message_release(struct kref *kref)
{
    free(kref_entry(kref, struct message, kref));
}

/* Takes over a reference if it succeeds. */
static int push(struct message *message)
{
    if (queued == ROOM)
        return -1;
    queue[queued++] = message;
    return 0;
}

static int post(struct message *message)
{
    kref_get(&message->kref); /* BLAME */
    if (push(message) < 0) {
#ifdef RIGHT
        kref_put(&message->kref, message_release); /* FIX */
#endif
        return -1;
    }
    return 0;
}

int main(void)
{
    int i, refused = 0;

    for (i = 0; i < ROOM + 1; i++) {
        struct message *message = calloc(1, sizeof *message);

        CHECK(message);
        kref_init(&message->kref);
        refused += post(message) < 0;
        kref_put(&message->kref, message_release);
    }
    CHECK(refused == 1);
    while (queued)
        kref_put(&queue[--queued]->kref, message_release);
    return 0;
}
