/*
 * The creator writes to an object after the publish, while a lookup reads it.
 *
 * caught by: tsan: data race
 */
#include "../harness/check.h"

struct object {
    struct kref kref;
    long value; /* not in the eight bytes of the count, for which ThreadSanitizer remembers few accesses */
};

static void object_cleanup(struct object *object)
{
    (void)object;
}

KREF_POOL_DEFINE(object, struct object, kref, object_cleanup);

static uint64_t handle;

static void *look(void *unused)
{
    struct object *object = object_by_handle(handle);

    CHECK(object);
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
    object_publish(object);
    start(&thread, look, NULL);
    object->value = 1;
    join(thread);
    object_unref(object);
    return 0;
}
