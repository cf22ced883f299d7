/*
 * The reference count that a careful C programmer writes: C11 atomics with the weakest orderings that
 * are right, and no checks. A get does not use the old value, so that it is one `lock add`; a put
 * compares the old value with 1, which is `lock sub; je`.
 */
#ifndef BY_HAND_H
#define BY_HAND_H

#include <stdatomic.h>

struct by_hand {
    atomic_int count;
};

static inline void by_hand_init(struct by_hand *object)
{
    atomic_init(&object->count, 1);
}

#ifdef BY_HAND_CALLED

void by_hand_get(struct by_hand *object);
int by_hand_put(struct by_hand *object, void (*release)(struct by_hand *object));

#else

#ifndef BY_HAND_LINKAGE
#define BY_HAND_LINKAGE static inline
#endif

BY_HAND_LINKAGE void by_hand_get(struct by_hand *object)
{
    atomic_fetch_add_explicit(&object->count, 1, memory_order_relaxed);
}

BY_HAND_LINKAGE int by_hand_put(struct by_hand *object, void (*release)(struct by_hand *object))
{
    if (atomic_fetch_sub_explicit(&object->count, 1, memory_order_release) != 1)
        return 0;
    atomic_thread_fence(memory_order_acquire);
    release(object);
    return 1;
}

#endif

#endif
