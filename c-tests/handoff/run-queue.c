/*
 * Rule 1 with a queue: two producers hand objects to two consumers, and keep a reference of their
 * own. Producer and consumer each write a field of the object until they put their references.
 *
 * tools: tsan
 */
#include "check.h"

#define EACH 500

struct object {
    struct kref kref;
    int by_producer, by_consumer;
    struct object *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static struct object *first;
static int expected = 2 * EACH;
static int released;

static void release(struct kref *kref)
{
    struct object *object = kref_entry(kref, struct object, kref);

    CHECK(object->by_producer == 2 && object->by_consumer == 1);
    __atomic_fetch_add(&released, 1, __ATOMIC_RELAXED);
    free(object);
}

static void *produce(void *unused)
{
    int i;

    (void)unused;
    for (i = 0; i < EACH; i++) {
        struct object *object = calloc(1, sizeof *object);

        CHECK(object);
        kref_init(&object->kref);
        object->by_producer = 1;
        kref_get(&object->kref); /* for the queue, before the hand-over */
        pthread_mutex_lock(&lock);
        object->next = first;
        first = object;
        pthread_cond_signal(&filled);
        pthread_mutex_unlock(&lock);
        object->by_producer = 2; /* the producer still has its reference */
        kref_put(&object->kref, release);
    }
    return NULL;
}

static void *consume(void *unused)
{
    (void)unused;
    for (;;) {
        struct object *object;

        pthread_mutex_lock(&lock);
        while (!first && expected)
            pthread_cond_wait(&filled, &lock);
        object = first;
        if (object) {
            first = object->next;
            if (!--expected)
                pthread_cond_broadcast(&filled);
        }
        pthread_mutex_unlock(&lock);
        if (!object)
            return NULL;
        object->by_consumer = 1;
        kref_put(&object->kref, release); /* the queue's reference */
    }
}

int main(void)
{
    pthread_t threads[4];
    int i;

    for (i = 0; i < 4; i++)
        start(&threads[i], i % 2 ? produce : consume, NULL);
    for (i = 0; i < 4; i++)
        join(threads[i]);
    CHECK(released == 2 * EACH);
    return 0;
}
