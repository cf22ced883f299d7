/*
 * A published object that writers replace, in three ways. A write publishes a new object and gives the
 * old one back; whoever puts the old object's last reference frees it. NAME_read(n) does n lookups,
 * NAME_mixed(n, lookups) does n writes and so many lookups before each.
 */
#include "loops.h"

/* So large that the counts of two objects are never on one cache line. */
#define OBJECT 256

static void *fresh(void)
{
    void *object = malloc(OBJECT);

    if (!object)
        abort();
    return object;
}

static struct kref *fresh_kref(void)
{
    struct kref *kref = fresh();

    kref_init(kref);
    return kref;
}

static void kref_free(struct kref *kref)
{
    free(kref);
}

/* A mutex around the pointer. */
static ALONE struct {
    pthread_mutex_t mutex;
    struct kref *kref;
} table = { PTHREAD_MUTEX_INITIALIZER, NULL };

static struct kref *table_replace(struct kref *next)
{
    struct kref *old;

    pthread_mutex_lock(&table.mutex);
    old = table.kref;
    table.kref = next;
    pthread_mutex_unlock(&table.mutex);
    return old;
}

void mutex_read(unsigned long n)
{
    for (; n; n--) {
        struct kref *kref;

        pthread_mutex_lock(&table.mutex);
        kref = table.kref;
        kref_get(kref);
        pthread_mutex_unlock(&table.mutex);
        FORGET(kref);
        kref_put(kref, kref_free);
    }
}

void mutex_mixed(unsigned long n, unsigned long lookups)
{
    for (; n; n--) {
        mutex_read(lookups);
        kref_put(table_replace(fresh_kref()), kref_free);
    }
}

/* kref_slot. */
static ALONE struct kref_slot slot = KREF_SLOT_INIT;

void slot_read(unsigned long n)
{
    for (; n; n--) {
        struct kref *kref = kref_slot_get(&slot);

        FORGET(kref);
        kref_put(kref, kref_free);
    }
}

void slot_mixed(unsigned long n, unsigned long lookups)
{
    for (; n; n--) {
        slot_read(lookups);
        kref_put(kref_slot_replace(&slot, fresh_kref()), kref_free);
    }
}

/* percpu_ref_slot. */
static ALONE struct percpu_ref_slot percpu_slot = PERCPU_REF_SLOT_INIT;

static void percpu_free(struct percpu_ref *ref)
{
    percpu_ref_exit(ref);
    free(ref);
}

static struct percpu_ref *fresh_percpu(void)
{
    struct percpu_ref *ref = fresh();

    if (percpu_ref_init(ref, percpu_free, 0))
        abort();
    return ref;
}

void percpu_slot_read(unsigned long n)
{
    for (; n; n--) {
        struct percpu_ref *ref = percpu_ref_slot_get(&percpu_slot);

        FORGET(ref);
        percpu_ref_put(ref);
    }
}

void percpu_slot_mixed(unsigned long n, unsigned long lookups)
{
    for (; n; n--) {
        percpu_slot_read(lookups);
        percpu_ref_kill(percpu_ref_slot_replace(&percpu_slot, fresh_percpu()));
    }
}

/* A percpu_ref that one thread kills and resurrects, while others take and give back references. */
static ALONE struct percpu_ref mortal;

void mortal_read(unsigned long n)
{
    for (; n; n--)
        if (percpu_ref_tryget_live(&mortal))
            percpu_ref_put(&mortal);
}

void mortal_mixed(unsigned long n, unsigned long lookups)
{
    for (; n; n--) {
        mortal_read(lookups);
        percpu_ref_kill(&mortal);
        percpu_ref_resurrect(&mortal);
    }
}

__attribute__((constructor)) static void publish(void)
{
    table.kref = fresh_kref();
    if (kref_slot_replace(&slot, fresh_kref()) ||
        percpu_ref_slot_replace(&percpu_slot, fresh_percpu()) ||
        percpu_ref_init(&mortal, percpu_free, PERCPU_REF_ALLOW_REINIT))
        abort();
    /* The kill drops the first reference; with the second one the count never reaches zero. */
    percpu_ref_get(&mortal);
}
