/*
 * kref/tsan.h - what stays out of line, announced to ThreadSanitizer. Included by kref/inline.h
 * when the program is compiled with -fsanitize=thread.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * An installed libkref is not instrumented: ThreadSanitizer would take the order that its atomic
 * operations give for none, and report races that are not there. Each function here is the exported
 * one with that order announced: a release before a reference is given back, an acquire after the
 * last, before the release function runs. A put that was not the last acquires nothing, and what is
 * relaxed is not here. Mutexes and pthread_create() need no help: ThreadSanitizer sees them wherever
 * they are called.
 */
#ifndef KREF_TSAN_H
#define KREF_TSAN_H

void __tsan_acquire(void *address);
void __tsan_release(void *address);

/* The exported functions by names that are not inlined. */
int kref_tsan_add_not_zero_acquire(int i, struct refcount_struct *count)
    __asm__("kref_count_add_not_zero_acquire");
int kref_tsan_sub_and_test(int i, struct refcount_struct *count)
    __asm__("kref_count_sub_and_test");
void kref_tsan_dec(struct refcount_struct *count)
    __asm__("kref_count_dec");
int kref_tsan_dec_if_one(struct refcount_struct *count)
    __asm__("kref_count_dec_if_one");
int kref_tsan_dec_not_one(struct refcount_struct *count)
    __asm__("kref_count_dec_not_one");
int kref_tsan_dec_and_mutex_lock(struct refcount_struct *count, pthread_mutex_t *mutex)
    __asm__("kref_count_dec_and_mutex_lock");

/* Announces what came of an operation that acquires if it is true. */
KREF_INLINE int kref_tsan_acquire_if(int verdict, struct refcount_struct *count)
{
    if (verdict)
        __tsan_acquire(count);
    return verdict;
}

KREF_INLINE int kref_count_add_not_zero_acquire(int i, struct refcount_struct *count)
{
    return kref_tsan_acquire_if(kref_tsan_add_not_zero_acquire(i, count), count);
}

KREF_INLINE int kref_count_inc_not_zero_acquire(struct refcount_struct *count)
{
    return kref_count_add_not_zero_acquire(1, count);
}

KREF_INLINE int kref_count_sub_and_test(int i, struct refcount_struct *count)
{
    __tsan_release(count);
    return kref_tsan_acquire_if(kref_tsan_sub_and_test(i, count), count);
}

KREF_INLINE int kref_count_dec_and_test(struct refcount_struct *count)
{
    return kref_count_sub_and_test(1, count);
}

KREF_INLINE void kref_count_dec(struct refcount_struct *count)
{
    __tsan_release(count);
    kref_tsan_dec(count);
}

KREF_INLINE int kref_count_dec_if_one(struct refcount_struct *count)
{
    __tsan_release(count);
    return kref_tsan_acquire_if(kref_tsan_dec_if_one(count), count);
}

KREF_INLINE int kref_count_dec_not_one(struct refcount_struct *count)
{
    __tsan_release(count);
    return kref_tsan_dec_not_one(count);
}

KREF_INLINE int kref_count_dec_and_mutex_lock(struct refcount_struct *count, pthread_mutex_t *mutex)
{
    __tsan_release(count);
    return kref_tsan_acquire_if(kref_tsan_dec_and_mutex_lock(count, mutex), count);
}

KREF_INLINE int kref_put_mutex(struct kref *kref, void (*release)(struct kref *kref),
                               pthread_mutex_t *mutex)
{
    if (!kref_count_dec_and_mutex_lock(&kref->refcount, mutex))
        return 0;
    release(kref);
    return 1;
}

#if !defined __GLIBC__ || defined __USE_XOPEN2K

int kref_tsan_dec_and_lock(struct refcount_struct *count, pthread_spinlock_t *lock)
    __asm__("kref_count_dec_and_lock");

KREF_INLINE int kref_count_dec_and_lock(struct refcount_struct *count, pthread_spinlock_t *lock)
{
    __tsan_release(count);
    return kref_tsan_acquire_if(kref_tsan_dec_and_lock(count, lock), count);
}

KREF_INLINE int kref_put_lock(struct kref *kref, void (*release)(struct kref *kref),
                              pthread_spinlock_t *lock)
{
    if (!kref_count_dec_and_lock(&kref->refcount, lock))
        return 0;
    release(kref);
    return 1;
}

#endif

#ifdef KREF_NO_INLINE

KREF_INLINE int kref_put(struct kref *kref, void (*release)(struct kref *kref))
{
    if (!kref_count_dec_and_test(&kref->refcount))
        return 0;
    release(kref);
    return 1;
}

#endif /* KREF_NO_INLINE */

#endif /* KREF_TSAN_H */
