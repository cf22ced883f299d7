/*
 * The creator calls kref_init() from habit. So a lookup finds the object before it is filled in.
 *
 * caught by: tsan: data race
 */
#include "../harness/check.h"

struct object {
    struct kref kref;
    long value; /* a long: ThreadSanitizer remembers few accesses to each 8 bytes, and the count has many */
};

static void object_cleanup(struct object *object)
{
    (void)object;
}

KREF_POOL_DEFINE(object, struct object, kref, object_cleanup);

static uint64_t handle;
static int found;

static void *look(void *unused)
{
    struct object *object = object_by_handle(handle);

    CHECK(object); /* in the right program: not yet */
    /* Relaxed: the flag makes the wrong order happen, but must not order memory by itself. */
    __atomic_store_n(&found, 1, __ATOMIC_RELAXED);
    if (object->value < 0)
        puts("negative");
    object_unref(object);
    return unused;
}

int main(void)
{
    struct object *object = object_alloc();
    pthread_t thread;

    CHECK(object);
    handle = object_handle(object);
    kref_init(&object->kref); /* the habit */
    start(&thread, look, NULL);
    while (!__atomic_load_n(&found, __ATOMIC_RELAXED))
        ;
    object->value = 1;
    object_publish(object);
    join(thread);
    return 0;
}
