/*
 * kref/tsan.h - announces the orderings of exported functions to ThreadSanitizer. Included by
 * kref/inline.h when the program is compiled with -fsanitize=thread.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * An installed libkref is not instrumented, so ThreadSanitizer does not see its atomic operations,
 * and would report races that do not exist. Each function here calls an exported function, and
 * announces the ordering of its atomic operations: a release before a reference is given back, and
 * an acquire after the last put, before the release function runs. A put that is not the last has
 * no acquire. Relaxed functions need no announcement. Neither do mutexes and pthread_create(),
 * which ThreadSanitizer sees in any library.
 *
 * Macros at the end of each part redirect calls to these functions. (Functions with the exported
 * names would not work: clang does not inline a function that calls the exported function of the
 * same name.) The address of a function is still the exported function's, so a call through a
 * pointer is not announced.
 *
 * A release must be announced before the operation, when it is not yet known whether there will be
 * a release. There is none if a put fails, or if kref_count_dec_not_one() finds the last reference.
 * Then ThreadSanitizer assumes an ordering that does not exist, and may miss a race.
 */
#ifndef KREF_TSAN_H
#define KREF_TSAN_H

#include "../kref.h"

#ifdef KREF_TSAN

#ifdef __cplusplus
extern "C" {
#endif

void __tsan_acquire(void *address);
void __tsan_release(void *address);

/* Announces an acquire if the operation has returned true. Returns the result of the operation. */
KREF_STATIC KREF_NONNULL int kref_tsan_acquire_if(int verdict, struct refcount_struct *count)
{
    if (verdict)
        __tsan_acquire(count);
    return verdict;
}

KREF_STATIC KREF_NONNULL void kref_tsan_set_release(struct refcount_struct *count, int n)
{
    __tsan_release(count);
    kref_count_set_release(count, n);
}

KREF_STATIC KREF_MUST_USE KREF_NONNULL
int kref_tsan_add_not_zero_acquire(int i, struct refcount_struct *count)
{
    return kref_tsan_acquire_if(kref_count_add_not_zero_acquire(i, count), count);
}

KREF_STATIC KREF_MUST_USE KREF_NONNULL
int kref_tsan_sub_and_test(int i, struct refcount_struct *count)
{
    __tsan_release(count);
    return kref_tsan_acquire_if(kref_count_sub_and_test(i, count), count);
}

KREF_STATIC KREF_NONNULL void kref_tsan_dec(struct refcount_struct *count)
{
    __tsan_release(count);
    kref_count_dec(count);
}

KREF_STATIC KREF_MUST_USE KREF_NONNULL int kref_tsan_dec_if_one(struct refcount_struct *count)
{
    /* Announces the release only if the operation will probably succeed. If other threads change
     * the count meanwhile and no release is announced, no other holder is left that would need
     * it. */
    if (kref_count_read(count) == 1)
        __tsan_release(count);
    return kref_tsan_acquire_if(kref_count_dec_if_one(count), count);
}

KREF_STATIC KREF_MUST_USE KREF_NONNULL int kref_tsan_dec_not_one(struct refcount_struct *count)
{
    __tsan_release(count);
    return kref_count_dec_not_one(count);
}

KREF_STATIC KREF_MUST_USE KREF_NONNULL
int kref_tsan_dec_and_mutex_lock(struct refcount_struct *count, pthread_mutex_t *mutex)
{
    __tsan_release(count);
    return kref_tsan_acquire_if(kref_count_dec_and_mutex_lock(count, mutex), count);
}

/* Calls release after the last put. The acquire was announced before. */
KREF_STATIC KREF_NONNULL
int kref_tsan_finish(int last, struct kref *kref, void (*release)(struct kref *kref))
{
    if (last)
        release(kref);
    return last;
}

/* The object behind a lookup in a pool was published, with a release. */
KREF_STATIC KREF_MUST_USE KREF_NONNULL
struct kref *kref_tsan_pool_get(struct kref_pool *pool, uint64_t handle)
{
    struct kref *kref = kref_pool_get(pool, handle);

    if (kref)
        __tsan_acquire(kref);
    return kref;
}

KREF_STATIC KREF_MUST_USE KREF_NONNULL
struct kref *kref_tsan_pool_next(struct kref_pool *pool, unsigned int *cursor)
{
    struct kref *kref = kref_pool_next(pool, cursor);

    if (kref)
        __tsan_acquire(kref);
    return kref;
}

KREF_STATIC KREF_NONNULL void kref_tsan_pool_publish(struct kref_pool *pool, struct kref *kref)
{
    __tsan_release(kref);
    kref_pool_publish(pool, kref);
}

KREF_STATIC KREF_NONNULL void kref_tsan_pool_free(struct kref_pool *pool, struct kref *kref)
{
    __tsan_release(kref);
    kref_pool_free(pool, kref);
}

KREF_STATIC KREF_MUST_USE KREF_NONNULL void *kref_tsan_pool_alloc(struct kref_pool *pool)
{
    char *object = KREF_CAST(static_cast, char *, kref_pool_alloc(pool));

    if (object)
        __tsan_acquire(object + pool->kref_at);
    return object;
}

#define kref_pool_alloc(pool) kref_tsan_pool_alloc(pool)
#define kref_pool_publish(pool, kref) kref_tsan_pool_publish(pool, kref)
#define kref_pool_free(pool, kref) kref_tsan_pool_free(pool, kref)
#define kref_pool_next(pool, cursor) kref_tsan_pool_next(pool, cursor)
#define kref_count_set_release(count, n) kref_tsan_set_release(count, n)
#define kref_count_add_not_zero_acquire(i, count) kref_tsan_add_not_zero_acquire(i, count)
#define kref_count_inc_not_zero_acquire(count) kref_tsan_add_not_zero_acquire(1, count)
#define kref_count_sub_and_test(i, count) kref_tsan_sub_and_test(i, count)
#define kref_count_dec_and_test(count) kref_tsan_sub_and_test(1, count)
#define kref_count_dec(count) kref_tsan_dec(count)
#define kref_count_dec_if_one(count) kref_tsan_dec_if_one(count)
#define kref_count_dec_not_one(count) kref_tsan_dec_not_one(count)
#define kref_count_dec_and_mutex_lock(count, mutex) kref_tsan_dec_and_mutex_lock(count, mutex)

/* For a tracked object, these functions call the exported put, which passes release to the tracker
 * and announces both orderings itself. (kref_put) in brackets is the function and not the macro
 * below. */
KREF_STATIC KREF_NONNULL int kref_tsan_put(struct kref *kref, void (*release)(struct kref *kref))
{
    if (kref_is_tracked(kref))
        return (kref_put)(kref, release);
    return kref_tsan_finish(kref_count_dec_and_test(&kref->refcount), kref, release);
}

KREF_STATIC KREF_NONNULL
int kref_tsan_put_mutex(struct kref *kref,
                        void (*release)(struct kref *kref), pthread_mutex_t *mutex)
{
    if (kref_is_tracked(kref))
        return (kref_put_mutex)(kref, release, mutex);
    return kref_tsan_finish(kref_count_dec_and_mutex_lock(&kref->refcount, mutex), kref, release);
}

KREF_STATIC KREF_NONNULL
int kref_tsan_put_many(struct kref *kref, int n, void (*release)(struct kref *kref))
{
    if (kref_is_tracked(kref))
        return (kref_put_many)(kref, n, release);
    return kref_tsan_finish(kref_count_sub_and_test(n, &kref->refcount), kref, release);
}

#ifdef KREF_NO_INLINE

KREF_STATIC KREF_MUST_USE KREF_NONNULL int kref_tsan_is_unique(const struct kref *kref)
{
    int unique = kref_is_unique(kref);

    if (unique)
        __tsan_acquire(
            KREF_CAST(reinterpret_cast, void *, KREF_CAST(reinterpret_cast, size_t, kref)));
    return unique;
}

KREF_STATIC KREF_NONNULL_ARGS((1, 2))
int kref_tsan_put_as(struct kref *kref, void (*release)(struct kref *kref), const char *holder)
{
    if (kref_is_tracked(kref))
        return (kref_put_as)(kref, release, holder);
    return kref_tsan_put(kref, release);
}

#define kref_put(kref, release) kref_tsan_put(kref, release)
#define kref_put_as(kref, release, holder) kref_tsan_put_as(kref, release, holder)
#define kref_is_unique(kref) kref_tsan_is_unique(kref)
#define kref_pool_get(pool, handle) kref_tsan_pool_get(pool, handle)
#endif
#define kref_put_many(kref, n, release) kref_tsan_put_many(kref, n, release)
#define kref_put_mutex(kref, release, mutex) kref_tsan_put_mutex(kref, release, mutex)

#if !defined __GLIBC__ || defined __USE_XOPEN2K

KREF_STATIC KREF_MUST_USE KREF_NONNULL
int kref_tsan_dec_and_lock(struct refcount_struct *count, pthread_spinlock_t *lock)
{
    __tsan_release(count);
    return kref_tsan_acquire_if(kref_count_dec_and_lock(count, lock), count);
}

KREF_STATIC KREF_NONNULL
int kref_tsan_put_lock(struct kref *kref,
                       void (*release)(struct kref *kref), pthread_spinlock_t *lock)
{
    if (kref_is_tracked(kref))
        return (kref_put_lock)(kref, release, lock);
    return kref_tsan_finish(kref_tsan_dec_and_lock(&kref->refcount, lock), kref, release);
}

#define kref_count_dec_and_lock(count, lock) kref_tsan_dec_and_lock(count, lock)
#define kref_put_lock(kref, release, lock) kref_tsan_put_lock(kref, release, lock)

#endif

/* What was done before a replace happens before what is done after a get of the published object.
 * The old object of a replace needs no acquire: it was published under the lock, which
 * ThreadSanitizer sees. */
KREF_STATIC KREF_MUST_USE KREF_NONNULL struct kref *kref_tsan_slot_get(struct kref_slot *slot)
{
    struct kref *kref = kref_slot_get(slot);

    __tsan_acquire(slot);
    return kref;
}

KREF_STATIC KREF_MUST_USE KREF_NONNULL_ARGS((1))
struct kref *kref_tsan_slot_replace(struct kref_slot *slot, struct kref *next)
{
    __tsan_release(slot);
    return kref_slot_replace(slot, next);
}

KREF_STATIC KREF_MUST_USE KREF_NONNULL
struct percpu_ref *kref_tsan_percpu_slot_get(struct percpu_ref_slot *slot)
{
    struct percpu_ref *ref = percpu_ref_slot_get(slot);

    __tsan_acquire(slot);
    return ref;
}

KREF_STATIC KREF_MUST_USE KREF_NONNULL_ARGS((1))
struct percpu_ref *kref_tsan_percpu_slot_replace(struct percpu_ref_slot *slot,
                                                 struct percpu_ref *next)
{
    __tsan_release(slot);
    return percpu_ref_slot_replace(slot, next);
}

#define kref_slot_get(slot) kref_tsan_slot_get(slot)
#define kref_slot_replace(slot, next) kref_tsan_slot_replace(slot, next)
#define percpu_ref_slot_get(slot) kref_tsan_percpu_slot_get(slot)
#define percpu_ref_slot_replace(slot, next) kref_tsan_percpu_slot_replace(slot, next)

/* The library announces the acquire of the last put, because the library calls the release
 * function. */
KREF_STATIC KREF_NONNULL void kref_tsan_percpu_put(struct percpu_ref *ref, unsigned long nr)
{
    __tsan_release(ref);
    percpu_ref_put_many(ref, nr);
}

KREF_STATIC KREF_NONNULL_ARGS((1))
void kref_tsan_percpu_kill(struct percpu_ref *ref, void (*confirm)(struct percpu_ref *ref))
{
    __tsan_release(ref);
    percpu_ref_kill_and_confirm(ref, confirm);
}

KREF_STATIC KREF_NONNULL int kref_tsan_percpu_is_zero(struct percpu_ref *ref)
{
    int zero = percpu_ref_is_zero(ref);

    if (zero)
        __tsan_acquire(ref);
    return zero;
}

/* After one of the next two functions, the caller sees what other threads did before their puts. */
KREF_STATIC KREF_NONNULL void kref_tsan_percpu_reinit(struct percpu_ref *ref)
{
    percpu_ref_reinit(ref);
    __tsan_acquire(ref);
}

KREF_STATIC KREF_NONNULL void kref_tsan_percpu_exit(struct percpu_ref *ref)
{
    percpu_ref_exit(ref);
    __tsan_acquire(ref);
}

#define percpu_ref_reinit(ref) kref_tsan_percpu_reinit(ref)
#define percpu_ref_exit(ref) kref_tsan_percpu_exit(ref)
#define percpu_ref_put(ref) kref_tsan_percpu_put(ref, 1)
#define percpu_ref_put_many(ref, nr) kref_tsan_percpu_put(ref, nr)
#define percpu_ref_kill(ref) kref_tsan_percpu_kill(ref, NULL)
#define percpu_ref_kill_and_confirm(ref, confirm) kref_tsan_percpu_kill(ref, confirm)
#define percpu_ref_is_zero(ref) kref_tsan_percpu_is_zero(ref)

#ifdef __cplusplus
}
#endif

#endif /* KREF_TSAN */

#endif /* KREF_TSAN_H */
