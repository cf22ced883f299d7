/*
 * kref/inline.h - the hot paths of kref.h, for the compiler to inline. Included by kref.h.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Each function here is the exported one once more: gnu_inline makes this body one for inlining
 * only, never emitted, so that the address of kref_get is the exported function's; always_inline
 * makes it hold at -O0, and lets ThreadSanitizer see the atomic operations. src/count.rs says why
 * each ordering is what it is; c-tests/run-differential.c holds the two to each other.
 */
#ifndef KREF_INLINE_H
#define KREF_INLINE_H

#include "../kref.h"

#if defined __SANITIZE_THREAD__
#define KREF_TSAN 1
#elif defined __has_feature
#if __has_feature(thread_sanitizer)
#define KREF_TSAN 1
#endif
#endif

#if defined __GNUC__

#ifdef __cplusplus
extern "C" {
#endif

#define KREF_INLINE extern __inline__ __attribute__((__gnu_inline__, __always_inline__))
#define KREF_LIKELY(condition) __builtin_expect(!!(condition), 1)

#ifndef KREF_NO_INLINE

/* Makes the call before it a call, not a jump, so that a violation is reported where it is. */
#define KREF_RETURNS_HERE __asm__ __volatile__("")

/* False for zero, for INT_MAX and for whatever is negative: saturated, or tracked. */
#define KREF_LIVE_FOR_GET(old) KREF_LIKELY((unsigned)(old) - 1u < (unsigned)INT_MAX - 1u)

KREF_INLINE unsigned int kref_read(const struct kref *kref)
{
    int found = __atomic_load_n(&kref->refcount.refs, __ATOMIC_RELAXED);

    /* A count that is tracked is negative, and so is a saturated one. */
    return KREF_LIKELY(found >= 0) ? (unsigned int)found : kref_read_slow(found);
}

KREF_INLINE void kref_get(struct kref *kref)
{
    /* Relaxed: the caller's own reference keeps the object and shows it. */
    int old = __atomic_fetch_add(&kref->refcount.refs, 1, __ATOMIC_RELAXED);

    if (!KREF_LIVE_FOR_GET(old)) {
        kref_get_slow(kref, old);
        KREF_RETURNS_HERE;
    }
}

KREF_INLINE int kref_get_unless_zero(struct kref *kref)
{
    int old = __atomic_load_n(&kref->refcount.refs, __ATOMIC_RELAXED);

    do {
        if (!KREF_LIVE_FOR_GET(old)) {
            if (old) {
                old = kref_get_unless_zero_slow(kref);
                KREF_RETURNS_HERE;
            }
            return old;
        }
        /* Relaxed: the lock, or what else protects the lookup, orders the object's contents. */
    } while (!__atomic_compare_exchange_n(&kref->refcount.refs, &old, old + 1, 1,
                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return 1;
}

KREF_INLINE int kref_put(struct kref *kref, void (*release)(struct kref *kref))
{
    /* Release: pairs with the acquire load below, of whoever puts last. */
    int old = __atomic_fetch_sub(&kref->refcount.refs, 1, __ATOMIC_RELEASE);

    if (KREF_LIKELY(old > 1))
        return 0;
    if (old != 1) {
        old = kref_put_slow(kref, release, old);
        KREF_RETURNS_HERE;
        return old;
    }
    /* Acquire: pairs with the release above, of everyone who put before. */
    (void)__atomic_load_n(&kref->refcount.refs, __ATOMIC_ACQUIRE);
    release(kref);
    return 1;
}

#endif /* KREF_NO_INLINE */

#ifdef __cplusplus
}
#endif

#include "percpu.h"
#include "track.h"

#ifdef KREF_TSAN
#include "tsan.h"
#endif

#endif /* __GNUC__ */

#endif /* KREF_INLINE_H */
