/*
 * kref_pool. With TYPED, by the functions of KREF_POOL_DEFINE.
 */
#include "../walk.h"

struct object {
    struct kref kref;
    struct body body;
};

static void cleanup(struct object *object)
{
    (void)object;
}

KREF_POOL_DEFINE(object, struct object, kref, cleanup);

static uint64_t create(void)
{
    struct object *object = object_alloc();

    if (!object)
        abort();
    object_publish(object);
    return object_handle(object);
}

static inline void look_up(uint64_t id)
{
#ifdef TYPED
    struct object *object = object_by_handle(id);

    FORGET(object);
    object_unref(object);
#else
    struct kref *kref = kref_pool_get(&object_pool, id);

    if (!kref)
        return;
    FORGET(kref);
    kref_put(kref, object_kref_release);
#endif
}

/* Only the thread that has the id gives the first reference back. So the lookup finds the object. */
static void discard(uint64_t id)
{
    struct object *object = object_by_handle(id);

    object_unref(object);
    object_unref(object);
}
