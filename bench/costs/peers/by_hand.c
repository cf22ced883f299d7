/*
 * Reference counts and lookups as people write them by hand: atomics, and a published pointer under a
 * lock. With BY_HAND_CALLED, the loops call the functions of by_hand_library.c through the PLT.
 */
#include "by_hand.h"
#include "../loops.h"

static void held_for_good(struct by_hand *object)
{
    (void)object;
    abort();
}

void get_put(unsigned long n)
{
    static ALONE struct by_hand held = { 1 };
    struct by_hand *object = &held;

    for (; n; n--) {
        FORGET(object);
        by_hand_get(object);
        FORGET(object);
        by_hand_put(object, held_for_good);
    }
}

static void reuse(struct by_hand *object)
{
    (void)object; /* the next turn of the loop begins the same object anew */
}

void init_put(unsigned long n)
{
    ALONE struct by_hand own;
    struct by_hand *object = &own;

    for (; n; n--) {
        FORGET(object);
        by_hand_init(object);
        FORGET(object);
        by_hand_put(object, reuse);
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

    for (; n; n--) {
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

    for (; n; n--) {
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
