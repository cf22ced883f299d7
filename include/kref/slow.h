/*
 * kref/slow.h - the exported functions that the inline functions call. Included by kref.h.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 * Made from the source of libkref by `make header`.
 *
 * Programs do not call these functions. kref/inline.h, kref/percpu_inline.h and kref/tsan.h do. An
 * inline function calls the _slow function of its name in all cases that its few instructions do not
 * handle. Then its caller gets what the entry of the inlined function says.
 */
#ifndef KREF_H
#include "../kref.h" /* includes this header, in the right order */
#elif !defined KREF_SLOW_H
#define KREF_SLOW_H

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The rest of kref_read(), for a stored value that is not a count from 1 to INT_MAX.
 *
 * Returns:  what kref_read() returns.
 */
unsigned int kref_read_slow(int stored) KREF_COLD;

/**
 * kref_init() and kref_init_as() while a tracker is set.
 *
 * Range:    type may be NULL.
 */
void kref_init_slow(struct kref *kref, const char *type) KREF_NONNULL_ARGS((1)) KREF_COLD;

/**
 * The rest of kref_pool_get(), which has found no live count under the handle. Or it has, and has taken a
 * reference, but the handle does not name this object: taken.
 *
 * Range:    taken may be NULL.
 * Returns:  what kref_pool_get() returns.
 */
KREF_MUST_USE
struct kref *kref_pool_get_slow(struct kref_pool *pool,
                                uint64_t handle,
                                struct kref *taken) KREF_NONNULL_ARGS((1)) KREF_COLD;

/**
 * Whether the object is tracked: kref/tsan.h asks.
 *
 * Returns:  1 or 0. The answer does not change as long as a reference is held.
 */
int kref_is_tracked(const struct kref *kref) KREF_NONNULL;

/**
 * The rest of kref_get(), kref_get_as() and kref_count_inc(), after the increment of a count that was not
 * alive, or was full.
 *
 * Range:    holder may be NULL.
 */
void kref_get_slow(struct kref *kref,
                   const char *holder) KREF_NONNULL_ARGS((1)) KREF_COLD;

/**
 * The rest of kref_put() and kref_put_as(), after the decrement of a count that was not alive. If release is
 * NULL, the rest of kref_count_dec_and_test().
 *
 * Range:    release and holder may be NULL.
 * Returns:  1 if this was the last reference on a tracked object and release() has run, otherwise
 *           0.
 */
int kref_put_slow(struct kref *kref,
                  void (*release)(struct kref *kref),
                  const char *holder) KREF_NONNULL_ARGS((1)) KREF_COLD;

/** kref_get_unless_zero() under a second name, by which the inline function calls it. */
int kref_get_unless_zero_slow(struct kref *kref) KREF_NONNULL KREF_COLD;

/** percpu_ref_get_many() without this CPU's counter, in both modes. */
void percpu_ref_get_slow(struct percpu_ref *ref, unsigned long nr) KREF_NONNULL KREF_COLD;

/** percpu_ref_tryget_many() without this CPU's counter. */
int percpu_ref_tryget_slow(struct percpu_ref *ref, unsigned long nr) KREF_NONNULL KREF_COLD;

/** percpu_ref_tryget_live() without this CPU's counter. */
int percpu_ref_tryget_live_slow(struct percpu_ref *ref) KREF_NONNULL KREF_COLD;

/** percpu_ref_put_many() without this CPU's counter. */
void percpu_ref_put_slow(struct percpu_ref *ref, unsigned long nr) KREF_NONNULL KREF_COLD;

/** percpu_ref_slot_get() under a second name, by which the inline function calls it. */
struct percpu_ref *percpu_ref_slot_get_slow(struct percpu_ref_slot *slot) KREF_NONNULL KREF_COLD;

#ifdef __cplusplus
}
#endif

#endif /* KREF_SLOW_H */
