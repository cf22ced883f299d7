/*
 * kref/track.h - kref_get_as() and kref_put_as(), for the compiler to inline. Included by inline.h.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Each is kref_get() or kref_put() of kref/inline.h, instruction for instruction; the holder's name
 * is looked at on the cold path alone, where an object that is tracked comes by. c-tests/codegen.rs
 * holds the instructions to that.
 */
#ifndef KREF_H
#include "../kref.h" /* where this comes in its place */
#elif !defined KREF_TRACK_H
#define KREF_TRACK_H

#if defined __GNUC__ && !defined KREF_NO_INLINE

#ifdef __cplusplus
extern "C" {
#endif

KREF_INLINE void kref_get_as(struct kref *kref, const char *holder)
{
    /* Relaxed: as in kref_get(). */
    int old = __atomic_fetch_add(&kref->refcount.refs, 1, __ATOMIC_RELAXED);

    if (!KREF_LIVE_FOR_GET(old)) {
        kref_get_as_slow(kref, holder, old);
        KREF_RETURNS_HERE;
    }
}

KREF_INLINE
int kref_put_as(struct kref *kref, void (*release)(struct kref *kref), const char *holder)
{
    /* Release: pairs with the acquire load below, and in kref_put(), of whoever puts last. */
    int old = __atomic_fetch_sub(&kref->refcount.refs, 1, __ATOMIC_RELEASE);

    if (KREF_LIKELY(old > 1))
        return 0;
    if (old != 1) {
        old = kref_put_as_slow(kref, release, holder, old);
        KREF_RETURNS_HERE;
        return old;
    }
    /* Acquire: pairs with the release above, and in kref_put(), of everyone who put before. */
    (void)__atomic_load_n(&kref->refcount.refs, __ATOMIC_ACQUIRE);
    release(kref);
    return 1;
}

#ifdef __cplusplus
}
#endif

#endif /* __GNUC__ */

#endif /* KREF_TRACK_H */
