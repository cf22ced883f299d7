/*
 * kref/track.h - kref_get_as() and kref_put_as(), for the compiler to inline. Included by inline.h.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The instructions are those of kref_get() and kref_put(). Only the cold path uses the holder's
 * name; every get and put of a tracked object takes the cold path.
 */
#ifndef KREF_H
#include "../kref.h" /* includes this header, in the right order */
#elif !defined KREF_TRACK_H
#define KREF_TRACK_H

#if defined __GNUC__ && !defined KREF_NO_INLINE

#ifdef __cplusplus
extern "C" {
#endif

KREF_INLINE void kref_get_as(struct kref *kref, const char *holder)
{
    KREF_INCREMENT(kref->refcount.refs, kref_not_alive);
    return;
kref_not_alive:
    kref_get_slow(kref, holder);
    KREF_RETURNS_HERE;
}

KREF_INLINE
int kref_put_as(struct kref *kref, void (*release)(struct kref *kref), const char *holder)
{
    int released;

    KREF_DECREMENT(kref->refcount.refs, kref_last, kref_not_alive);
    return 0;
kref_last:
    release(kref);
    return 1;
kref_not_alive:
    released = kref_put_slow(kref, release, holder);
    KREF_RETURNS_HERE;
    return released;
}

#ifdef __cplusplus
}
#endif

#endif /* __GNUC__ */

#endif /* KREF_TRACK_H */
