/*
 * The loops that the benchmarks time. c.rs compiles this file several times: with kref.h's inline
 * functions and without, for the shared library and for the static one.
 *
 * Every object here is held for good, so that a put is never the last.
 */
#include <kref.h>
#include <stdatomic.h>
#include <stdlib.h>

/* Where the compiler has to forget what it knows: it may neither drop an operation nor join it with
 * its neighbour. rust.rs has the same. */
#define FORGET(pointer) __asm__ volatile("" : "+r"(pointer) : : "memory")

/* The line that the cores share, and the one that the prefetcher brings along. */
#define ALONE _Alignas(128)

static void release(struct kref *kref)
{
    (void)kref;
    abort();
}

void get_put(unsigned long n)
{
    static ALONE struct kref held = KREF_INIT(1);
    struct kref *kref = &held;

    while (n--) {
        FORGET(kref);
        kref_get(kref);
        FORGET(kref);
        kref_put(kref, release);
    }
}

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

void get_put_by_hand(unsigned long n)
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

/* One object, published in both ways. */
static ALONE struct kref published = KREF_INIT(3);
static ALONE struct kref_slot slot = { &published };
static ALONE struct table {
    pthread_mutex_t mutex;
    struct kref *kref;
} table = { PTHREAD_MUTEX_INITIALIZER, &published };

void lookup_slot(unsigned long n)
{
    struct kref_slot *from = &slot;

    while (n--) {
        struct kref *kref;

        FORGET(from);
        kref = kref_slot_get(from);
        FORGET(kref);
        if (kref)
            kref_put(kref, release);
    }
}

static struct kref *find(void *key)
{
    return ((struct table *)key)->kref;
}

void lookup_mutex(unsigned long n)
{
    struct table *from = &table;

    while (n--) {
        struct kref *kref;

        FORGET(from);
        kref = kref_lookup_mutex(&from->mutex, find, from);
        FORGET(kref);
        if (kref)
            kref_put(kref, release);
    }
}

void lookup_by_hand(unsigned long n)
{
    struct table *from = &table;

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
