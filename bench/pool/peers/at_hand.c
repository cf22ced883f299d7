/*
 * The floor: no table. An id is the object's address, and the memory is never freed. This is right only as long as
 * no object is replaced.
 */
#include "../walk.h"

struct object {
    struct kref kref;
    struct body body;
};

static uint64_t create(void)
{
    struct object *object = malloc(sizeof *object);

    if (!object)
        abort();
    kref_init(&object->kref);
    return (uintptr_t)object;
}

static inline void look_up(uint64_t id)
{
    struct kref *kref = &((struct object *)(uintptr_t)id)->kref;

    if (!kref_get_unless_zero(kref))
        return;
    FORGET(kref);
    kref_put(kref, release);
}

static inline void discard(uint64_t id)
{
    (void)id;
    abort();
}
