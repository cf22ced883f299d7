/*
 * libkref's loops. rows.rs compiles this file with kref.h's inline functions, and with calls of the
 * shared and of the static library.
 */
#include "loops.h"

void get_put(unsigned long n)
{
    static ALONE struct kref held = KREF_INIT(1);
    struct kref *kref = &held;

    for (; n; n--) {
        FORGET(kref);
        kref_get(kref);
        FORGET(kref);
        kref_put(kref, release);
    }
}

/* The same on an object of each thread's own: the threads share the machine and nothing else. */
void get_put_of_own(unsigned long n)
{
    ALONE struct kref own = KREF_INIT(1);
    struct kref *kref = &own;

    for (; n; n--) {
        FORGET(kref);
        kref_get(kref);
        FORGET(kref);
        kref_put(kref, release);
    }
}

static void reuse(struct kref *kref)
{
    (void)kref; /* the next turn of the loop begins the same object anew */
}

void init_put(unsigned long n)
{
    ALONE struct kref own;
    struct kref *kref = &own;

    for (; n; n--) {
        FORGET(kref);
        kref_init(kref);
        FORGET(kref);
        kref_put(kref, reuse);
    }
}

/* One object, published in a slot and in a table under a mutex. */
static ALONE struct kref published = KREF_INIT(3);
static ALONE struct kref_slot slot = KREF_SLOT_INIT;
static ALONE struct table {
    pthread_mutex_t mutex;
    struct kref *kref;
} table = { PTHREAD_MUTEX_INITIALIZER, &published };

/* Another object, which each CPU counts for itself. */
static ALONE struct percpu_ref percpu;
static ALONE struct percpu_ref_slot percpu_slot = PERCPU_REF_SLOT_INIT;

static void percpu_release(struct percpu_ref *ref)
{
    (void)ref;
    abort();
}

/* Slots have no static initialiser for a full slot. */
__attribute__((constructor)) static void publish(void)
{
    if (percpu_ref_init(&percpu, percpu_release, 0))
        abort();
    percpu_ref_get(&percpu);
    if (kref_slot_replace(&slot, &published) || percpu_ref_slot_replace(&percpu_slot, &percpu))
        abort();
}

void lookup_slot(unsigned long n)
{
    struct kref_slot *from = &slot;

    for (; n; n--) {
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

    for (; n; n--) {
        struct kref *kref;

        FORGET(from);
        kref = kref_lookup_mutex(&from->mutex, find, from);
        FORGET(kref);
        if (kref)
            kref_put(kref, release);
    }
}

void percpu_get_put(unsigned long n)
{
    struct percpu_ref *ref = &percpu;

    for (; n; n--) {
        FORGET(ref);
        percpu_ref_get(ref);
        FORGET(ref);
        percpu_ref_put(ref);
    }
}

void lookup_percpu_slot(unsigned long n)
{
    struct percpu_ref_slot *from = &percpu_slot;

    for (; n; n--) {
        struct percpu_ref *ref;

        FORGET(from);
        ref = percpu_ref_slot_get(from);
        FORGET(ref);
        if (ref)
            percpu_ref_put(ref);
    }
}
