/*
 * <linux/refcount.h> for userspace: refcount_t, and its functions with the kernel's names.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * kref/count.h documents each function under the name kref_count_*. The functions are static, and the library
 * does not export them. So another file of the program may have its own refcount_inc(). kref_locks.h has
 * refcount_dec_and_mutex_lock() and the others with a lock, and says how they take the program's own locks.
 */
#ifndef KREF_LINUX_REFCOUNT_H
#define KREF_LINUX_REFCOUNT_H

#include "refcount_types.h"

#ifndef __cplusplus
#include <stdbool.h>
#endif

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

/* The misuse that refcount_warn_saturate() reports. */
enum refcount_saturation_type {
    REFCOUNT_ADD_NOT_ZERO_OVF,
    REFCOUNT_ADD_OVF,
    REFCOUNT_ADD_UAF,
    REFCOUNT_SUB_UAF,
    REFCOUNT_DEC_LEAK
};

/*
 * Saturates the count, and reports a violation: KREF_OVERFLOW for the two _OVF, KREF_GET_ON_ZERO for _ADD_UAF, and
 * KREF_PUT_ON_ZERO for the last two. For code that finds a misuse itself; the other functions report the misuse
 * that they find.
 */
KREF_LINUX void refcount_warn_saturate(refcount_t *r, enum refcount_saturation_type t)
{
    int is_put = t == REFCOUNT_SUB_UAF || t == REFCOUNT_DEC_LEAK;

    /* The library reports what it finds, so this makes one misuse of the right kind. Meanwhile the count is KREF_MAX: no
     * put by another thread can be the last one. Only a count of zero gives KREF_GET_ON_ZERO. */
    kref_count_set(r, t == REFCOUNT_ADD_UAF ? 0 : KREF_MAX);
    if (is_put)
        is_put = kref_count_sub_and_test(-1, r);
    else
        kref_count_add(-1, r);
}

#ifdef __GNUC__

#define KREF_LINUX_OLDP __extension__ KREF_STATIC KREF_NONNULL_ARGS((1))
#define KREF_LINUX_I_OLDP __extension__ KREF_STATIC KREF_NONNULL_ARGS((2))

#ifndef KREF_CHECK
#define KREF_CHECK(refs) ((void)0) /* with KREF_NO_INLINE, inline.h has none */
#endif

/* What refcount_read() returns for a stored value. kref/inline.h explains stored values. */
KREF_STATIC int kref_linux_shown(int stored)
{
    return stored < -1 ? stored - INT_MIN + 1 : KREF_CAST(static_cast, int, kref_read_slow(stored));
}

/* Whether a + b is greater than limit. No argument is negative; the sum may be greater than INT_MAX. */
KREF_STATIC int kref_linux_above(int a, int b, int limit)
{
    return KREF_CAST(static_cast, unsigned int, a) + KREF_CAST(static_cast, unsigned int, b) >
           KREF_CAST(static_cast, unsigned int, limit);
}

/*
 * Takes i references if the count is alive, and if the sum is at most limit, which is not negative. Returns
 * whether it did; if not, nothing has changed. The exchange succeeds only if the count is still *old.
 */
KREF_STATIC int kref_linux_take(int i, refcount_t *r, int limit, int *old)
{
    int stored;

    KREF_CHECK(r->refs);
    stored = __atomic_load_n(&r->refs, __ATOMIC_RELAXED);
    do {
        *old = kref_linux_shown(stored);
        if (stored >= -1 || i < 0 || kref_linux_above(i, *old, limit))
            return 0;
        /* Acquire: for the _acquire forms. It pairs with the release of refcount_set_release() and of a put. */
    } while (!__atomic_compare_exchange_n(&r->refs, &stored, stored + i, 1, __ATOMIC_ACQUIRE,
                                          __ATOMIC_RELAXED));
    return 1;
}

/*
 * Gives i references back if the count is alive, and if at least `keep` references are left. Returns whether it
 * did; if not, nothing has changed. INT_MAX is the stored value of a count of zero.
 */
KREF_STATIC int kref_linux_give(int i, refcount_t *r, int keep, int *old)
{
    int stored, next;

    KREF_CHECK(r->refs);
    stored = __atomic_load_n(&r->refs, __ATOMIC_RELAXED);
    do {
        *old = kref_linux_shown(stored);
        if (stored >= -1 || i < 0 || kref_linux_above(i, keep, *old))
            return 0;
        next = i == *old ? INT_MAX : stored - i;
        /* Release: pairs with the acquire of the last put. */
    } while (!__atomic_compare_exchange_n(&r->refs, &stored, next, 1, __ATOMIC_RELEASE,
                                          __ATOMIC_RELAXED));
    /* Acquire: pairs with the release of every earlier put. */
    if (i == *old)
        (void)__atomic_load_n(&r->refs, __ATOMIC_ACQUIRE);
    return 1;
}

/*
 * The functions with two underscores do the same as those without, and write the old count to *oldp: the count just
 * before their own change, as refcount_read() shows it. So the program may make a decision by it. Exception:
 * a count that a tracker counts, where another thread may change the count after it was read. Then *oldp
 * still agrees with the result: a function that has given back the last reference says so in both.
 *
 * The _limited_acquire functions take i references only if the sum is at most limit. They return false without a
 * violation in two cases: the count is zero (*oldp is 0), or the sum would be above limit (*oldp is the count). On a
 * saturated count they report a violation and return true.
 *
 * These functions need gcc or clang; oldp may be NULL.
 */
KREF_LINUX_I_OLDP void __refcount_add(int i, refcount_t *r, int *oldp)
{
    int old, taken = kref_linux_take(i, r, KREF_MAX, &old);

    if (oldp)
        *oldp = old;
    if (!taken)
        kref_count_add(i, r);
}

KREF_LINUX_OLDP void __refcount_inc(refcount_t *r, int *oldp)
{
    int old, taken = kref_linux_take(1, r, KREF_MAX, &old);

    if (oldp)
        *oldp = old;
    if (!taken)
        kref_count_inc(r);
}

KREF_LINUX_I_OLDP KREF_MUST_USE
bool __refcount_add_not_zero_acquire(int i, refcount_t *r, int *oldp)
{
    int old, taken = kref_linux_take(i, r, KREF_MAX, &old);

    if (!taken && old) {
        taken = kref_count_add_not_zero_acquire(i, r);
        if (!taken)
            old = 0;
    }
    if (oldp)
        *oldp = old;
    return taken != 0;
}

KREF_LINUX_OLDP KREF_MUST_USE bool __refcount_inc_not_zero_acquire(refcount_t *r, int *oldp)
{
    return __refcount_add_not_zero_acquire(1, r, oldp);
}

KREF_LINUX_I_OLDP KREF_MUST_USE bool __refcount_add_not_zero(int i, refcount_t *r, int *oldp)
{
    return __refcount_add_not_zero_acquire(i, r, oldp);
}

KREF_LINUX_OLDP KREF_MUST_USE bool __refcount_inc_not_zero(refcount_t *r, int *oldp)
{
    return __refcount_add_not_zero_acquire(1, r, oldp);
}

KREF_LINUX_I_OLDP KREF_MUST_USE
bool __refcount_add_not_zero_limited_acquire(int i, refcount_t *r, int *oldp, int limit)
{
    int most = limit < 0 ? 0 : limit;
    int old, taken = kref_linux_take(i, r, most, &old);

    if (!taken && old && (old < 0 || i < 0 || !kref_linux_above(i, old, most))) {
        taken = kref_count_add_not_zero_acquire(i, r);
        if (!taken)
            old = 0;
    }
    if (oldp)
        *oldp = old;
    return taken != 0;
}

KREF_LINUX_OLDP KREF_MUST_USE
bool __refcount_inc_not_zero_limited_acquire(refcount_t *r, int *oldp, int limit)
{
    return __refcount_add_not_zero_limited_acquire(1, r, oldp, limit);
}

KREF_LINUX_I_OLDP KREF_MUST_USE bool __refcount_sub_and_test(int i, refcount_t *r, int *oldp)
{
    int old, is_last, given = kref_linux_give(i, r, 0, &old);

    is_last = given ? i == old : kref_count_sub_and_test(i, r) != 0;
    if (is_last)
        old = i;
    else if (i > 0 && old == i)
        old = i + 1;
    if (oldp)
        *oldp = old;
    return is_last != 0;
}

KREF_LINUX_OLDP KREF_MUST_USE bool __refcount_dec_and_test(refcount_t *r, int *oldp)
{
    return __refcount_sub_and_test(1, r, oldp);
}

KREF_LINUX_OLDP void __refcount_dec(refcount_t *r, int *oldp)
{
    int old, given = kref_linux_give(1, r, 1, &old);

    if (oldp)
        *oldp = old;
    if (!given)
        kref_count_dec(r);
}

#undef KREF_LINUX_OLDP
#undef KREF_LINUX_I_OLDP

#endif /* __GNUC__ */

#include "kref_locks.h"

#undef KREF_LINUX

#endif /* KREF_LINUX_REFCOUNT_H */
