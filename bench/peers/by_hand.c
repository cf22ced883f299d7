/*
 * What people write by hand: atomics, and a published pointer under a lock.
 */
#include "../loops.h"

#include <stdatomic.h>

/* The usual home-made header, where it is right. It checks nothing. */
struct by_hand {
    atomic_int count;
};

static void by_hand_release(struct by_hand *object)
{
    (void)object;
    abort();
}

static inline void by_hand_get(struct by_hand *object)
{
    atomic_fetch_add_explicit(&object->count, 1, memory_order_relaxed);
}

static inline void by_hand_put(struct by_hand *object)
{
    if (atomic_fetch_sub_explicit(&object->count, 1, memory_order_release) == 1) {
        atomic_thread_fence(memory_order_acquire);
        by_hand_release(object);
    }
}

void get_put(unsigned long n)
{
    static ALONE struct by_hand held = { 1 };
    struct by_hand *object = &held;

    while (n--) {
        FORGET(object);
        by_hand_get(object);
        FORGET(object);
        by_hand_put(object);
    }
}

static ALONE struct kref published = KREF_INIT(2);

static ALONE struct with_mutex {
    pthread_mutex_t mutex;
    struct kref *kref;
} with_mutex = { PTHREAD_MUTEX_INITIALIZER, &published };

void lookup_mutex(unsigned long n)
{
    struct with_mutex *from = &with_mutex;

    while (n--) {
        struct kref *kref;

        FORGET(from);
        pthread_mutex_lock(&from->mutex);
        kref = from->kref;
        if (kref)
            kref_get(kref);
        pthread_mutex_unlock(&from->mutex);
        FORGET(kref);
        if (kref)
            kref_put(kref, release);
    }
}

static ALONE struct with_rwlock {
    pthread_rwlock_t rwlock;
    struct kref *kref;
} with_rwlock = { PTHREAD_RWLOCK_INITIALIZER, &published };

void lookup_rwlock(unsigned long n)
{
    struct with_rwlock *from = &with_rwlock;

    while (n--) {
        struct kref *kref;

        FORGET(from);
        pthread_rwlock_rdlock(&from->rwlock);
        kref = from->kref;
        if (kref)
            kref_get(kref);
        pthread_rwlock_unlock(&from->rwlock);
        FORGET(kref);
        if (kref)
            kref_put(kref, release);
    }
}
