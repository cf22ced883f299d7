/*
 * kref/inline.h - the hot paths of kref.h, for the compiler to inline. Included by kref.h.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Each function here has the name of an exported function, and does the same. gnu_inline: the compiler
 * only inlines this body and never emits it, so that the address of kref_get is the exported function's.
 * always_inline: the body holds at -O0 too, and sanitizers see its atomic operations.
 *
 * A count of v references is stored as s = INT_MIN + (v - 1); zero-filled memory is "never initialised",
 * and INT_MAX is "released". src/count/mod.rs of libkref's source has the whole number line, and the
 * reason for each ordering.
 */
#ifndef KREF_INLINE_H
#define KREF_INLINE_H

#include "../kref.h"

/* Which sanitizer watches the program, if any: none of them sees an operation in assembly. */
#if defined __SANITIZE_THREAD__
#define KREF_TSAN 1
#endif
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_HWADDRESS__
#define KREF_SANITIZED 1
#endif
#if defined __has_feature
#if __has_feature(thread_sanitizer)
#define KREF_TSAN 1
#endif
#if __has_feature(address_sanitizer) || __has_feature(hwaddress_sanitizer) ||                      \
    __has_feature(memory_sanitizer)
#define KREF_SANITIZED 1
#endif
#endif
#if defined KREF_TSAN
#define KREF_SANITIZED 1
#endif

#if defined __GNUC__

#ifdef __cplusplus
extern "C" {
#endif

#define KREF_INLINE extern __inline__ __attribute__((__gnu_inline__, __always_inline__))
#define KREF_LIKELY(condition) __builtin_expect(!!(condition), 1)

#ifndef KREF_NO_INLINE

/* Makes the call before it a call and not a jump, so that a violation is reported at its place. */
#define KREF_RETURNS_HERE __asm__ __volatile__("")

/*
 * KREF_INCREMENT(refs, not_alive): adds 1 to a stored value; jumps to the label if the value was not
 * alive, or was full.
 *
 * KREF_DECREMENT(refs, last, not_alive): subtracts 1; jumps to the labels if the value was the last
 * reference, or was not alive.
 *
 * On x86 the flags of one locked instruction tell all of this. The builtins' returned value would make
 * the instruction a slower one, and compilers get the flags of the edge values wrong. "{att|intel}" is
 * for both dialects of the assembler. The second half of a decrement is out of line.
 */
#if (defined __x86_64__ || defined __i386__) && !defined KREF_SANITIZED &&                         \
    (!defined __clang_major__ || __clang_major__ >= 9)

#define KREF_INCREMENT(refs, not_alive)                                                            \
    __asm__ goto("lock inc{l} %0\n"                                                                \
                 "jge %l[" #not_alive "]"                                                          \
                 :                                                                                 \
                 : "m"(refs)                                                                       \
                 : "cc", "memory"                                                                  \
                 : not_alive)

#define KREF_DECREMENT(refs, last, not_alive)                                                      \
    __asm__ goto("lock sub{l} {$1, %0|%0, 1}\n"                                                    \
                 "jns 1f\n"                                                                        \
                 "jc %l[" #not_alive "]\n"                                                         \
                 ".pushsection .text.unlikely.kref,\"ax?\"\n"                                      \
                 "1: jo %l[" #last "]\n"                                                           \
                 "jmp %l[" #not_alive "]\n"                                                        \
                 ".popsection"                                                                     \
                 :                                                                                 \
                 : "m"(refs)                                                                       \
                 : "cc", "memory"                                                                  \
                 : last, not_alive)

#else

/* Relaxed: the caller's own reference keeps the object, and shows the object to the caller. */
#define KREF_INCREMENT(refs, not_alive)                                                            \
    do {                                                                                           \
        if (!KREF_LIKELY(__atomic_fetch_add(&(refs), 1, __ATOMIC_RELAXED) < -1))                   \
            goto not_alive;                                                                        \
    } while (0)

/* Release: pairs with the acquire of the last put. Acquire: pairs with the release of all earlier puts. */
#define KREF_DECREMENT(refs, last, not_alive)                                                      \
    do {                                                                                           \
        int kref_old = __atomic_fetch_sub(&(refs), 1, __ATOMIC_RELEASE);                           \
                                                                                                   \
        if (KREF_LIKELY(kref_old < 0 && kref_old != INT_MIN))                                      \
            break;                                                                                 \
        if (kref_old != INT_MIN)                                                                   \
            goto not_alive;                                                                        \
        (void)__atomic_load_n(&(refs), __ATOMIC_ACQUIRE);                                          \
        goto last;                                                                                 \
    } while (0)

#endif

KREF_INLINE unsigned int kref_read(const struct kref *kref)
{
    int stored = __atomic_load_n(&kref->refcount.refs, __ATOMIC_RELAXED);

    /* -1 stands for more references than INT_MAX, and reads as INT_MAX. */
    return KREF_LIKELY(stored < -1) ? (unsigned int)stored - (unsigned int)INT_MAX
                                    : kref_read_slow(stored);
}

KREF_INLINE void kref_count_inc(struct refcount_struct *count)
{
    KREF_INCREMENT(count->refs, kref_not_alive);
    return;
kref_not_alive:
    kref_get_slow((struct kref *)count, NULL);
    KREF_RETURNS_HERE;
}

KREF_INLINE int kref_count_inc_not_zero(struct refcount_struct *count)
{
    int stored = __atomic_load_n(&count->refs, __ATOMIC_RELAXED);

    do {
        /* -2 stands for INT_MAX references. */
        if (!KREF_LIKELY(stored < -2)) {
            stored = kref_get_unless_zero_slow((struct kref *)count);
            KREF_RETURNS_HERE;
            return stored;
        }
        /* Relaxed: the lock, or what else protects the lookup, orders the object's contents. */
    } while (!__atomic_compare_exchange_n(&count->refs, &stored, stored + 1, 1, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    return 1;
}

KREF_INLINE int kref_count_dec_and_test(struct refcount_struct *count)
{
    int last;

    KREF_DECREMENT(count->refs, kref_last, kref_not_alive);
    return 0;
kref_last:
    return 1;
kref_not_alive:
    last = kref_put_slow((struct kref *)count, NULL, NULL);
    KREF_RETURNS_HERE;
    return last;
}

KREF_INLINE void kref_get(struct kref *kref)
{
    kref_count_inc(&kref->refcount);
}

KREF_INLINE int kref_get_unless_zero(struct kref *kref)
{
    return kref_count_inc_not_zero(&kref->refcount);
}

KREF_INLINE int kref_put(struct kref *kref, void (*release)(struct kref *kref))
{
    int released;

    KREF_DECREMENT(kref->refcount.refs, kref_last, kref_not_alive);
    return 0;
kref_last:
    release(kref);
    return 1;
kref_not_alive:
    released = kref_put_slow(kref, release, NULL);
    KREF_RETURNS_HERE;
    return released;
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
