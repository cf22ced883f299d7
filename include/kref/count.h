/*
 * kref/count.h - the counter alone: the kernel's refcount_t. Included by kref.h.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 * Made from the source of libkref by `make header`.
 *
 * For code that is written with refcount_t. <linux/refcount.h> of this package gives these
 * functions the kernel's names. In new code, use a struct kref.
 *
 *     kref_count_set(&users, 1);             // one reference: ours
 *
 *     kref_count_inc(&users);
 *     if (kref_count_dec_and_test(&users))
 *         ...                                // the last reference: free the object
 *
 * The first page of kref.h says what holds for every function. A counter has no release function:
 * instead, a function returns 1 for the last reference.
 */
#ifndef KREF_H
#include "../kref.h" /* includes this header, in the right order */
#elif !defined KREF_COUNT_H
#define KREF_COUNT_H

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Set the count to n.
 *
 * Range:    n from 1 to INT_MAX.
 * Misuse:   n = 0 makes a released counter, a negative n a saturated one.
 * Defined:  Linux, refcount_set().
 */
void kref_count_set(struct refcount_struct *count, int n) KREF_NONNULL;

/**
 * kref_count_set() for memory that is reused while other threads may still try to take a reference.
 * A thread that takes one with an _acquire function sees what was written to the object before this
 * call.
 *
 * Range:    n from 1 to INT_MAX; the count was zero.
 * Misuse:   as for kref_count_set().
 * Ordering: release; pairs with the _acquire functions.
 * Threads:  one, the thread that reuses the memory.
 * Defined:  Linux, refcount_set_release().
 */
void kref_count_set_release(struct refcount_struct *count, int n) KREF_NONNULL;

/**
 * Read the count, as kref_read() does.
 *
 * Returns:  the count, at most INT_MAX; 0 if the counter was released or never initialised;
 *           (unsigned int)KREF_SATURATED if it is saturated.
 * Defined:  Linux, refcount_read().
 */
unsigned int kref_count_read(const struct refcount_struct *count) KREF_NONNULL;

/**
 * Take i more references.
 *
 * Range:    i from 0.
 * Misuse:   a negative i is a misuse, too.
 * Defined:  Linux, refcount_add(), which does not catch a negative i.
 */
void kref_count_add(int i, struct refcount_struct *count) KREF_NONNULL;

/**
 * Take one more reference.
 *
 * Misuse:   as for kref_get(): the second reference above INT_MAX is caught.
 * Defined:  Linux, refcount_inc().
 */
void kref_count_inc(struct refcount_struct *count) KREF_NONNULL;

/**
 * Take i references unless the count is zero.
 *
 * Range:    i from 0.
 * Misuse:   as for kref_get_unless_zero(); a negative i is a misuse, too.
 * Returns:  1 if the references were taken; 0 if the count was zero, or never initialised.
 * Defined:  Linux, refcount_add_not_zero(), which does not catch a negative i.
 */
KREF_MUST_USE int kref_count_add_not_zero(int i, struct refcount_struct *count) KREF_NONNULL;

/**
 * Take one reference unless the count is zero.
 *
 * Misuse:   as for kref_get_unless_zero().
 * Returns:  1 if the reference was taken; 0 if the count was zero, or never initialised.
 * Defined:  Linux, refcount_inc_not_zero().
 */
KREF_MUST_USE int kref_count_inc_not_zero(struct refcount_struct *count) KREF_NONNULL;

/**
 * kref_count_add_not_zero() for memory that is reused. If it returns 1, the caller sees what was
 * written to the object before kref_count_set_release().
 *
 * Range:    i from 0.
 * Misuse:   as for kref_count_add_not_zero().
 * Ordering: acquire if it returns 1; pairs with kref_count_set_release() and with a put.
 * Returns:  1 if the references were taken; 0 if the count was zero, or never initialised.
 * Defined:  Linux, refcount_add_not_zero_acquire(), which does not report a saturated count.
 */
KREF_MUST_USE
int kref_count_add_not_zero_acquire(int i,
                                    struct refcount_struct *count) KREF_NONNULL;

/**
 * kref_count_inc_not_zero() for memory that is reused. If it returns 1, the caller sees what was
 * written to the object before kref_count_set_release().
 *
 * Misuse:   as for kref_count_inc_not_zero().
 * Ordering: acquire if it returns 1; pairs with kref_count_set_release() and with a put.
 * Returns:  1 if the reference was taken; 0 if the count was zero, or never initialised.
 * Defined:  Linux, refcount_inc_not_zero_acquire(), which does not report a saturated count.
 */
KREF_MUST_USE int kref_count_inc_not_zero_acquire(struct refcount_struct *count) KREF_NONNULL;

/**
 * Give i references back.
 *
 * Range:    i from 0 to the number of references that the caller holds.
 * Misuse:   i above the count, or a negative i, is a misuse, too. 0 is returned.
 * Returns:  1 if these were the last references, otherwise 0.
 * Defined:  Linux, refcount_sub_and_test(), which does not catch a negative i.
 */
KREF_MUST_USE int kref_count_sub_and_test(int i, struct refcount_struct *count) KREF_NONNULL;

/**
 * Give one reference back.
 *
 * Misuse:   0 is returned.
 * Returns:  1 if this was the last reference, otherwise 0.
 * Defined:  Linux, refcount_dec_and_test().
 */
KREF_MUST_USE int kref_count_dec_and_test(struct refcount_struct *count) KREF_NONNULL;

/**
 * Give one reference back. The caller knows that it is not the last.
 *
 * Range:    a count of 2 or more.
 * Misuse:   at 1, too: nobody would release the object.
 * Defined:  Linux, refcount_dec().
 */
void kref_count_dec(struct refcount_struct *count) KREF_NONNULL;

/**
 * Give the reference back if it is the only one; otherwise change nothing.
 *
 * Misuse:   none is reported: if the count is not 1, nothing changes.
 * Ordering: release and acquire if it returns 1.
 * Returns:  1 if the count went from 1 to 0, otherwise 0.
 * Defined:  Linux, refcount_dec_if_one().
 */
KREF_MUST_USE int kref_count_dec_if_one(struct refcount_struct *count) KREF_NONNULL;

/**
 * Give one reference back unless it is the last.
 *
 * Misuse:   1 is returned.
 * Ordering: release if it returns 1.
 * Returns:  1 if the reference was given back; 0 if it is the last, and the caller still holds it.
 * Defined:  Linux, refcount_dec_not_one(), which does not report a saturated count.
 */
KREF_MUST_USE int kref_count_dec_not_one(struct refcount_struct *count) KREF_NONNULL;

/**
 * Give one reference back. If it is the last, take the mutex first, and return with the mutex held.
 *
 * Range:    the caller does not hold the mutex.
 * Misuse:   0 is returned, without the mutex. If the mutex cannot be taken, a violation is reported,
 *           and the reference is not given back.
 * Threads:  not in a signal handler. If the owner of a robust mutex has died, the mutex is made
 *           consistent.
 * Returns:  1 with the mutex held if the count reached zero, otherwise 0 without the mutex.
 * Defined:  Linux, refcount_dec_and_mutex_lock(), which does not report a saturated count; POSIX,
 *           pthread_mutex_lock().
 */
KREF_MUST_USE
int kref_count_dec_and_mutex_lock(struct refcount_struct *count,
                                  pthread_mutex_t *mutex) KREF_NONNULL;

/* As in kref.h: strict -std=c99 has no pthread_spinlock_t. */
#if !defined __GLIBC__ || defined __USE_XOPEN2K

/**
 * Give one reference back. If it is the last, take the spin lock first, and return with the lock
 * held.
 *
 * Range:    the caller does not hold the lock.
 * Misuse:   0 is returned, without the lock. If the lock cannot be taken, a violation is reported,
 *           and the reference is not given back.
 * Threads:  not in a signal handler.
 * Returns:  1 with the lock held if the count reached zero, otherwise 0 without the lock.
 * Defined:  Linux, refcount_dec_and_lock(), which does not report a saturated count; POSIX,
 *           pthread_spin_lock().
 */
KREF_MUST_USE
int kref_count_dec_and_lock(struct refcount_struct *count,
                            pthread_spinlock_t *lock) KREF_NONNULL;

#endif

#ifdef __cplusplus
}
#endif

#endif /* KREF_COUNT_H */
