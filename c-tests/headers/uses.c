/* Compiled, and not run: every warning of the compilers, on what the headers inline and expand. */
#include <kref.h>
#include <linux/kref.h>
#include <linux/percpu-refcount.h>
#include <linux/refcount.h>
#include <linux/refcount_types.h>

struct object {
    int number;
    struct kref kref;
};

struct kref *use_count(refcount_t *count);
int use_oldp(refcount_t *count);
int use_mutex(refcount_t *count, kref_linux_mutex *lock, struct kref *kref,
              void (*release)(struct kref *kref));
struct object *use_kref(struct kref *kref, void (*release)(struct kref *kref));
struct object *use_typed(struct object *object, struct kref_slot *slot, pthread_mutex_t *mutex);
uint64_t use_pool(struct kref_pool *pool, unsigned int *cursor);
void use_percpu(struct percpu_ref *ref, unsigned long n);
struct percpu_ref *use_slots(struct percpu_ref_slot *slot, struct kref_slot *kref_slot);

struct kref *use_count(refcount_t *count)
{
    static struct kref two = KREF_INIT(2);
    static refcount_t one = REFCOUNT_INIT(1);

    refcount_set(count, 1);
    refcount_set_release(count, 1);
    refcount_add(2, count);
    refcount_inc(&one);
    refcount_dec(count);
    if (refcount_inc_not_zero(count) || refcount_add_not_zero(1, count))
        return &two;
    if (refcount_inc_not_zero_acquire(count) || refcount_add_not_zero_acquire(1, count))
        return &two;
    if (refcount_dec_and_test(count) || refcount_sub_and_test(1, count))
        return &two;
    if (refcount_dec_if_one(count) || refcount_dec_not_one(count))
        return &two;
    return refcount_read(count) == REFCOUNT_MAX ? &two : NULL;
}

int use_oldp(refcount_t *count)
{
    int old;

    __refcount_add(2, count, &old);
    __refcount_inc(count, &old);
    __refcount_dec(count, NULL);
    if (__refcount_inc_not_zero(count, NULL) || __refcount_add_not_zero(1, count, &old))
        return old;
    if (__refcount_inc_not_zero_acquire(count, &old) || __refcount_add_not_zero_acquire(1, count, NULL))
        return old;
    if (__refcount_inc_not_zero_limited_acquire(count, &old, 9) ||
        __refcount_add_not_zero_limited_acquire(1, count, &old, 9))
        return old;
    if (__refcount_dec_and_test(count, &old) || __refcount_sub_and_test(1, count, &old))
        refcount_warn_saturate(count, REFCOUNT_SUB_UAF);
    return old;
}

int use_mutex(refcount_t *count, kref_linux_mutex *lock, struct kref *kref,
              void (*release)(struct kref *kref))
{
    return refcount_dec_and_mutex_lock(count, lock) && kref_put_mutex(kref, release, lock);
}

#ifdef KREF_LINUX_HAS_SPINLOCK
int use_spin(refcount_t *count, kref_linux_spinlock *lock, struct kref *kref,
             void (*release)(struct kref *kref));

int use_spin(refcount_t *count, kref_linux_spinlock *lock, struct kref *kref,
             void (*release)(struct kref *kref))
{
    unsigned long flags;

    if (refcount_dec_and_lock_irqsave(count, lock, &flags) && flags)
        return 1;
    return refcount_dec_and_lock(count, lock) && kref_put_lock(kref, release, lock);
}
#endif

struct object *use_kref(struct kref *kref, void (*release)(struct kref *kref))
{
    kref_init(kref);
    kref_init_as(kref, "object");
    kref_get(kref);
    kref_get_as(kref, "holder");
    if (kref_get_unless_zero(kref) && kref_read(kref) == KREF_CAST(static_cast, unsigned int, KREF_SATURATED))
        return kref_entry(kref, struct object, kref);
    if (kref_put_as(kref, release, "holder"))
        return container_of(kref, struct object, kref);
    return kref_put(kref, release) ? kref_entry(kref, struct object, kref) : NULL;
}

static void object_free(struct object *object)
{
    object->number = 0;
}

static struct object *object_find(void *key)
{
    return KREF_CAST(static_cast, struct object *, key);
}

KREF_DEFINE(object, struct object, kref, object_free);
KREF_DECLARE(other, struct object);
KREF_DEFINE_EXTERN(other, struct object, kref, object_free);

struct object *use_typed(struct object *object, struct kref_slot *slot, pthread_mutex_t *mutex)
{
    KREF_AUTO(object) held = object_ref(object);

    object_ref_init(object);
    object_ref_init_n(object, 2);
    kref_init_n(&object->kref, 2);
    object_unref(object_slot_replace(slot, object_ref_unless_zero(held)));
    object_unref(object_slot_get(slot));
    object_unref(object_lookup(mutex, object_find, object));
    if (object_is_unique(object))
        return kref_move(&held);
#if defined __cplusplus || defined __STDC_VERSION__ && __STDC_VERSION__ >= 199901L
    KREF_GUARD(object, object)
        object->number = kref_put_many(&object->kref, 2, object_kref_release);
#endif
    return NULL;
}

KREF_POOL_DEFINE(pooled, struct object, kref, object_free);
KREF_POOL_DECLARE(shared, struct object);
KREF_POOL_DEFINE_EXTERN(shared, struct object, kref, object_free);

uint64_t use_pool(struct kref_pool *pool, unsigned int *cursor)
{
    struct object *object = pooled_alloc();

    if (!object)
        return kref_pool_count(pool) ? kref_pool_destroy(pool) : 0;
    if (pooled_by_handle(pooled_handle(object)) || pooled_next(cursor))
        pooled_discard(object);
    pooled_publish(object);
    pooled_unref(object);
    kref_pool_drain(pool);
    object = KREF_CAST(static_cast, struct object *, kref_pool_alloc(pool));
    kref_pool_publish(pool, &object->kref);
    if (kref_pool_get(pool, kref_pool_handle(pool, &object->kref)) || kref_pool_next(pool, cursor))
        kref_pool_free(pool, &object->kref);
    return shared_handle(shared_alloc());
}

void use_percpu(struct percpu_ref *ref, unsigned long n)
{
    percpu_ref_get(ref);
    percpu_ref_get_many(ref, n);
    if (percpu_ref_tryget(ref) && percpu_ref_tryget_many(ref, n) && percpu_ref_tryget_live_rcu(ref))
        percpu_ref_put_many(ref, n);
    percpu_ref_put(ref);
    percpu_ref_kill(ref);
}

struct percpu_ref *use_slots(struct percpu_ref_slot *slot, struct kref_slot *kref_slot)
{
    static struct percpu_ref_slot percpu_slot = PERCPU_REF_SLOT_INIT;
    static struct kref_slot empty = KREF_SLOT_INIT;

    if (kref_slot_get(kref_slot) != kref_slot_get(&empty))
        return percpu_ref_slot_get(&percpu_slot);
    return percpu_ref_slot_get(slot);
}
