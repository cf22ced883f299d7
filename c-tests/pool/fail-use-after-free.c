/*
 * A pointer to an object of a pool is used after the last put. The memory is the pool's again, and no malloc() and no
 * free() is called.
 *
 * caught by: asan: use-after-poison
 * caught by: memcheck: Invalid read of size 4
 */
#include "../harness/check.h"

struct object {
    struct kref kref;
    int value;
    char name[20];
};

static void object_cleanup(struct object *object)
{
    (void)object;
}

KREF_POOL_DEFINE(object, struct object, kref, object_cleanup);

int main(void)
{
    struct object *object = object_alloc();

    CHECK(object);
    object->value = 1;
    object_publish(object);
    object_unref(object);
    return object->value; /* after the put */
}
