/*
 * Writes to an object after publishing it. A slot orders only the writes before the publication.
 *
 * caught by: tsan: ThreadSanitizer: data race
 */
#include "check.h"

struct object {
    struct kref kref;
    int number;
};

static struct kref_slot slot = KREF_SLOT_INIT;
static int written;

static void release(struct kref *kref)
{
    free(kref_entry(kref, struct object, kref));
}

static void *read_it(void *unused)
{
    struct kref *kref;
    int seen;

    (void)unused;
    while (!(kref = kref_slot_get(&slot)))
        ;
    /* Relaxed: the flag makes the wrong order happen, but must not order memory by itself. */
    while (!__atomic_load_n(&written, __ATOMIC_RELAXED))
        ;
    seen = kref_entry(kref, struct object, kref)->number;
    kref_put(kref, release);
    return seen ? &slot : NULL;
}

int main(void)
{
    struct object *object = malloc(sizeof *object);
    struct kref *old;
    pthread_t thread;

    CHECK(object);
    kref_init(&object->kref);
    kref_get(&object->kref);
    object->number = 0;
    start(&thread, read_it, NULL);
    if (kref_slot_replace(&slot, &object->kref))
        return 1;
    object->number = 1; /* too late */
    __atomic_store_n(&written, 1, __ATOMIC_RELAXED);
    join(thread);
    old = kref_slot_replace(&slot, NULL);
    CHECK(old == &object->kref);
    kref_put(old, release);
    kref_put(&object->kref, release);
    return 0;
}
