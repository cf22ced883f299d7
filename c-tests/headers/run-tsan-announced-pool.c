/*
 * What kref/tsan.h announces to ThreadSanitizer about pools: in each pair one thread writes and publishes or frees
 * an object. The other thread finds the object, or gets its memory, and writes. See announced.h.
 *
 * tools: tsan
 */
#include "announced.h"

struct object {
    struct kref kref;
    int data; /* written by one thread before give, by the other after take; no lock */
};

static void cleanup(struct object *object)
{
    (void)object;
}

/* At most one object, so that the second thread gets the first one's memory. */
KREF_POOL_DEFINE_WITH(object, struct object, kref, cleanup, 0, 1);

static uint64_t handle;
static unsigned int cursor;

static void create(void)
{
    struct object *object = object_alloc();

    CHECK(object);
    object_publish(object);
    /* Relaxed: the handle alone orders nothing. */
    __atomic_store_n(&handle, object_handle(object), __ATOMIC_RELAXED);
}

static struct object *find(void)
{
    return object_by_handle(__atomic_load_n(&handle, __ATOMIC_RELAXED));
}

/* The first object of a pool: its memory is new, which ThreadSanitizer takes for a write. */
PAIR(first, (void)object; create(), (void)object; CHECK(find()))
PAIR(get, object_publish(object), CHECK(find() == object))
PAIR(next, object_publish(object), CHECK(object_next(&cursor) == object))
PAIR(alloc, object_discard(object), CHECK(object_alloc() == object); object_publish(object))

static const struct pair {
    int count;
    void (*give)(struct object *object), (*take)(struct object *object);
} pairs[] = {
    { 2, give_get, take_get },
    { 2, give_next, take_next },
    { 1, give_alloc, take_alloc },
};

int main(void)
{
    struct object *first;
    int data;
    size_t i;

    run_pair(give_first, take_first, NULL, &data);
    CHECK((first = find()));
    kref_put_many(&first->kref, 3, object_kref_release);
    for (i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct object *object = object_alloc();

        CHECK(object);
        handle = object_handle(object);
        run_pair(pairs[i].give, pairs[i].take, object, &object->data);
        kref_put_many(&object->kref, pairs[i].count, object_kref_release);
    }
    CHECK(!kref_pool_destroy(&object_pool));
    return 0;
}
