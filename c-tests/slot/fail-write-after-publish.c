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
static int published, written;

static void release(struct kref *kref)
{
    free(kref_entry(kref, struct object, kref));
}

/* Relaxed: the flags make the wrong order happen, but must not order memory by themselves. */
static void wait_for(const int *flag)
{
    while (!__atomic_load_n(flag, __ATOMIC_RELAXED))
        ;
}

static void raise_flag(int *flag)
{
    __atomic_store_n(flag, 1, __ATOMIC_RELAXED);
}

static void *read_it(void *unused)
{
    struct kref *kref;
    int seen;

    (void)unused;
    wait_for(&published); /* after some thousand gets from the empty slot, clang's ThreadSanitizer misses the race */
    kref = kref_slot_get(&slot);
    CHECK(kref);
    wait_for(&written);
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
    raise_flag(&published);
    object->number = 1; /* too late */
    raise_flag(&written);
    join(thread);
    old = kref_slot_replace(&slot, NULL);
    CHECK(old == &object->kref);
    kref_put(old, release);
    kref_put(&object->kref, release);
    return 0;
}
