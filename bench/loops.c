/*
 * The loops that costs.rs measures. Compiled once as a program has it, inlined, and again with
 * -DKREF_NO_INLINE. Every loop takes and gives back a reference on an object that is held anyway.
 */
#include <kref.h>
#include <stdatomic.h>

/* The compiler may neither drop an operation nor join it with the next. */
#define OPAQUE(pointer) __asm__ volatile("" : "+r"(pointer) : : "memory")

static volatile int released;

static void release(struct kref *kref)
{
    (void)kref;
    released++;
}

void get_put(struct kref *kref, unsigned long n)
{
    while (n--) {
        OPAQUE(kref);
        kref_get(kref);
        OPAQUE(kref);
        kref_put(kref, release);
    }
}

/* What a home-made header has when it is right: no check of anything. */
struct by_hand {
    atomic_int count;
};

static void by_hand_release(struct by_hand *object)
{
    (void)object;
    released++;
}

void by_hand(struct by_hand *object, unsigned long n)
{
    while (n--) {
        OPAQUE(object);
        atomic_fetch_add_explicit(&object->count, 1, memory_order_relaxed);
        OPAQUE(object);
        if (atomic_fetch_sub_explicit(&object->count, 1, memory_order_release) == 1) {
            (void)atomic_load_explicit(&object->count, memory_order_acquire);
            by_hand_release(object);
        }
    }
}

/* One published object, to be looked up in three ways; each kind of loop has a line of its own. */
static struct {
    _Alignas(128) struct kref_slot slot;
    _Alignas(128) pthread_mutex_t mutex;
    struct kref *table;
} published = { KREF_SLOT_INIT, PTHREAD_MUTEX_INITIALIZER, NULL };

void publish(struct kref *in_slot, struct kref *in_table)
{
    if (kref_slot_replace(&published.slot, in_slot))
        released++;
    published.table = in_table;
}

void slot_lookup(struct kref *unused, unsigned long n)
{
    (void)unused;
    while (n--)
        kref_put(kref_slot_get(&published.slot), release);
}

static struct kref *find(void *key)
{
    (void)key;
    return published.table;
}

void mutex_lookup(struct kref *unused, unsigned long n)
{
    (void)unused;
    while (n--)
        kref_put(kref_lookup_mutex(&published.mutex, find, NULL), release);
}

void mutex_lookup_by_hand(struct kref *unused, unsigned long n)
{
    (void)unused;
    while (n--) {
        struct kref *kref;

        pthread_mutex_lock(&published.mutex);
        kref = published.table;
        kref_get(kref);
        pthread_mutex_unlock(&published.mutex);
        kref_put(kref, release);
    }
}
