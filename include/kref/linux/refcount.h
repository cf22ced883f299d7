/*
 * <linux/refcount.h> for userspace: refcount_t, and its functions with the kernel's names.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * kref/count.h documents each function under the name kref_count_*. The locks are those of pthread: a
 * pthread_mutex_t instead of the kernel's struct mutex, and a pthread_spinlock_t instead of
 * spinlock_t. The functions are static, and the library does not export them. So another file of
 * the program may have its own refcount_inc().
 */
#ifndef KREF_LINUX_REFCOUNT_H
#define KREF_LINUX_REFCOUNT_H

#include <kref.h>

#ifndef __cplusplus
#include <stdbool.h>
#endif

typedef struct refcount_struct refcount_t;

#define REFCOUNT_INIT(n) { KREF_STORED(n) }
#define REFCOUNT_MAX KREF_MAX
#define REFCOUNT_SATURATED KREF_SATURATED

/* C90 has no bool. With __extension__ it may be used in C90 too, as kernel code does. */
#ifdef __GNUC__
#define KREF_LINUX __extension__ KREF_STATIC KREF_NONNULL
#else
#define KREF_LINUX KREF_STATIC
#endif

KREF_LINUX void refcount_set(refcount_t *r, int n)
{
    kref_count_set(r, n);
}

KREF_LINUX void refcount_set_release(refcount_t *r, int n)
{
    kref_count_set_release(r, n);
}

KREF_LINUX unsigned int refcount_read(const refcount_t *r)
{
    return kref_count_read(r);
}

KREF_LINUX void refcount_add(int i, refcount_t *r)
{
    kref_count_add(i, r);
}

KREF_LINUX void refcount_inc(refcount_t *r)
{
    kref_count_inc(r);
}

KREF_LINUX KREF_MUST_USE bool refcount_add_not_zero(int i, refcount_t *r)
{
    return kref_count_add_not_zero(i, r) != 0;
}

KREF_LINUX KREF_MUST_USE bool refcount_inc_not_zero(refcount_t *r)
{
    return kref_count_inc_not_zero(r) != 0;
}

KREF_LINUX KREF_MUST_USE bool refcount_add_not_zero_acquire(int i, refcount_t *r)
{
    return kref_count_add_not_zero_acquire(i, r) != 0;
}

KREF_LINUX KREF_MUST_USE bool refcount_inc_not_zero_acquire(refcount_t *r)
{
    return kref_count_inc_not_zero_acquire(r) != 0;
}

KREF_LINUX KREF_MUST_USE bool refcount_sub_and_test(int i, refcount_t *r)
{
    return kref_count_sub_and_test(i, r) != 0;
}

KREF_LINUX KREF_MUST_USE bool refcount_dec_and_test(refcount_t *r)
{
    return kref_count_dec_and_test(r) != 0;
}

KREF_LINUX void refcount_dec(refcount_t *r)
{
    kref_count_dec(r);
}

KREF_LINUX KREF_MUST_USE bool refcount_dec_if_one(refcount_t *r)
{
    return kref_count_dec_if_one(r) != 0;
}

KREF_LINUX KREF_MUST_USE bool refcount_dec_not_one(refcount_t *r)
{
    return kref_count_dec_not_one(r) != 0;
}

KREF_LINUX KREF_MUST_USE bool refcount_dec_and_mutex_lock(refcount_t *r, pthread_mutex_t *lock)
{
    return kref_count_dec_and_mutex_lock(r, lock) != 0;
}

/* As in kref.h: strict -std=c99 has no pthread_spinlock_t. */
#if !defined __GLIBC__ || defined __USE_XOPEN2K
KREF_LINUX KREF_MUST_USE bool refcount_dec_and_lock(refcount_t *r, pthread_spinlock_t *lock)
{
    return kref_count_dec_and_lock(r, lock) != 0;
}
#endif

#undef KREF_LINUX

#endif /* KREF_LINUX_REFCOUNT_H */
