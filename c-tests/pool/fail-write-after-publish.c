/*
 * The creator writes to an object after the publish, while a lookup reads it.
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
    CHECK(!pthread_create(&thread, NULL, look, NULL));
    object->value = 1;
    CHECK(!pthread_join(thread, NULL));
    object_unref(object);
    return 0;
}
