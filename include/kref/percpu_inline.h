/*
 * kref/percpu_inline.h - the hot paths of kref/percpu.h, for the compiler to inline.
 * Included by kref/inline.h. Programs include kref.h, not this header.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * For Linux on x86-64, and on 64-bit Arm and RISC-V. As in kref/inline.h, each function here has the name
 * of an exported function and does the same. It adds to the counter of the CPU on which the thread runs, in a
 * restartable sequence. If the kernel interrupts a sequence, the kernel aborts it; and
 * percpu_ref_kill() makes the kernel abort all sequences of the process. A sequence reads memory,
 * computes in registers, and writes once, with its last instruction. So if that instruction runs, nothing
 * else has run on this CPU since the sequence began.
 *
 * A sequence cannot add to the counter if the thread has no rseq, if the percpu_ref is in atomic
 * mode, or if the kernel aborts the sequence. Then the function calls the _slow function. It also
 * does so if nr is larger than KREF_PERCPU_MOST.
 */
#ifndef KREF_H
#include "../kref.h" /* includes this header, in the right order */
#elif !defined KREF_PERCPU_INLINE_H
#define KREF_PERCPU_INLINE_H

#if defined __GNUC__ && defined __linux__ && defined __LP64__ && !defined KREF_NO_INLINE
#if defined __x86_64__
#define KREF_SEQUENCES "rseq/x86_64.h"
#elif defined __aarch64__ && defined __GCC_ASM_FLAG_OUTPUTS__
#define KREF_SEQUENCES "rseq/aarch64.h"
#elif defined __riscv
#define KREF_SEQUENCES "rseq/riscv64.h"
#endif
#endif

#ifdef KREF_SEQUENCES

#ifdef __cplusplus
extern "C" {
#endif

/* kref/rseq/ has the sequences of each processor: kref_percpu_add(), kref_percpu_sub() and
 * kref_percpu_take(). They are for this header only. */

/* The binary logarithm of the distance between the counters of two CPUs. */
#define KREF_PERCPU_SHIFT "9"

/* The most that one operation may add to a counter or take from it. So a counter of 64 bits takes
 * two years to wrap, and the sequence need not test for an overflow. */
#define KREF_PERCPU_MOST 127

#define KREF_WANTS_SEQUENCES
#include KREF_SEQUENCES
#undef KREF_WANTS_SEQUENCES

KREF_INLINE void percpu_ref_get_many(struct percpu_ref *ref, unsigned long nr)
{
    if (KREF_LIKELY(nr <= KREF_PERCPU_MOST && kref_percpu_add(ref, nr)))
        return;
    percpu_ref_get_slow(ref, nr);
    KREF_RETURNS_HERE;
}

KREF_INLINE void percpu_ref_get(struct percpu_ref *ref)
{
    percpu_ref_get_many(ref, 1);
}

KREF_INLINE int percpu_ref_tryget_many(struct percpu_ref *ref, unsigned long nr)
{
    int got = 1;

    if (!KREF_LIKELY(nr <= KREF_PERCPU_MOST && kref_percpu_add(ref, nr))) {
        got = percpu_ref_tryget_slow(ref, nr);
        KREF_RETURNS_HERE;
    }
    return got;
}

KREF_INLINE int percpu_ref_tryget(struct percpu_ref *ref)
{
    return percpu_ref_tryget_many(ref, 1);
}

KREF_INLINE int percpu_ref_tryget_live(struct percpu_ref *ref)
{
    int got = 1;

    if (!KREF_LIKELY(kref_percpu_add(ref, 1))) {
        got = percpu_ref_tryget_live_slow(ref);
        KREF_RETURNS_HERE;
    }
    return got;
}

KREF_INLINE void percpu_ref_put_many(struct percpu_ref *ref, unsigned long nr)
{
    if (KREF_LIKELY(nr <= KREF_PERCPU_MOST && kref_percpu_sub(ref, nr)))
        return;
    percpu_ref_put_slow(ref, nr);
    KREF_RETURNS_HERE;
}

KREF_INLINE void percpu_ref_put(struct percpu_ref *ref)
{
    percpu_ref_put_many(ref, 1);
}

KREF_INLINE struct percpu_ref *percpu_ref_slot_get(struct percpu_ref_slot *slot)
{
    ptrdiff_t area = __atomic_load_n(&slot->rseq, __ATOMIC_RELAXED);
    struct percpu_ref *ref;

    if (KREF_LIKELY(area != 0) && KREF_LIKELY(kref_percpu_take(slot, area, &ref)))
        return ref;
    ref = percpu_ref_slot_get_slow(slot);
    KREF_RETURNS_HERE;
    return ref;
}

#ifdef __cplusplus
}
#endif

#endif /* KREF_SEQUENCES */

#endif /* KREF_PERCPU_INLINE_H */
