/*
 * kref/inline.h - the hot paths of kref.h and kref/count.h, for the compiler to inline.
 * Included by kref.h. Programs include kref.h, not this header.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Each function here has the name of an exported function and does the same. Because of gnu_inline
 * the compiler inlines the function but never emits it, so the address of kref_get is the address
 * of the exported function. Because of always_inline the compiler inlines it at -O0 too, and
 * sanitizers see its atomic operations.
 *
 * A count of v references is stored as s = INT_MIN + (v - 1):
 *
 *     INT_MIN .. -1    alive: 1 to 2^31 references
 *     0                zero-filled memory: nobody has initialised a count
 *     positive         tracked, or saturated, or no count at all
 *     INT_MAX          dead: the last put was made
 *
 * A tracked count is positive, so that each of its operations calls the _slow function, which calls the
 * tracker.
 */
#ifndef KREF_INLINE_H
#define KREF_INLINE_H

#include "../kref.h"

/* Whether the program is compiled with a sanitizer. Sanitizers do not see an operation in
 * assembly. */
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

/* Keeps the compiler from making the call before it a jump. After a jump, the return address would
 * be the wrong one, and a violation would be reported at the wrong place. */
#define KREF_RETURNS_HERE __asm__ __volatile__("")

/*
 * KREF_INCREMENT(refs, not_alive): adds 1 to a stored value. Jumps to not_alive if the count was
 * not alive, or was full.
 *
 * KREF_DECREMENT(refs, last, not_alive): subtracts 1 from a stored value. Jumps to last if there
 * was one reference, and to not_alive if the count was not alive.
 *
 * On x86 the flags of one locked instruction are enough for these tests. A builtin returns the old
 * value, which needs a slower instruction; and compilers do not use the flags correctly for all
 * values. In "{att|intel}" there is one text for each dialect of the assembler. The instructions
 * after label 1 are at the end of the section, away from the hot path. They stay in the function's
 * section, so that the linker keeps or drops both.
 */
#if (defined __x86_64__ || defined __i386__) && !defined KREF_SANITIZED &&                         \
    (!defined __clang_major__ || __clang_major__ >= 9)

#define KREF_INCREMENT(refs, not_alive)                                                            \
    __asm__ goto("lock {incl %0|inc dword ptr %0}\n"                                               \
                 "jge %l[" #not_alive "]"                                                          \
                 :                                                                                 \
                 : "m"(refs)                                                                       \
                 : "cc", "memory"                                                                  \
                 : not_alive)

#define KREF_DECREMENT(refs, last, not_alive)                                                      \
    __asm__ goto("lock {subl $1, %0|sub dword ptr %0, 1}\n"                                        \
                 "jns 1f\n"                                                                        \
                 "jc %l[" #not_alive "]\n"                                                         \
                 ".subsection 1\n"                                                                 \
                 "1: jo %l[" #last "]\n"                                                           \
                 "jmp %l[" #not_alive "]\n"                                                        \
                 ".previous"                                                                       \
                 :                                                                                 \
                 : "m"(refs)                                                                       \
                 : "cc", "memory"                                                                  \
                 : last, not_alive)

#else

/* Relaxed: the caller already holds a reference, so the caller already sees the object. */
#define KREF_INCREMENT(refs, not_alive)                                                            \
    do {                                                                                           \
        if (!KREF_LIKELY(__atomic_fetch_add(&(refs), 1, __ATOMIC_RELAXED) < -1))                   \
            goto not_alive;                                                                        \
    } while (0)

/* Release: pairs with the acquire of the last put. Acquire: pairs with the release of every earlier
 * put. The test: the old value is negative and not INT_MIN, the last reference. As unsigned numbers, such
 * values are the largest. */
#define KREF_DECREMENT(refs, last, not_alive)                                                      \
    do {                                                                                           \
        int kref_old = __atomic_fetch_sub(&(refs), 1, __ATOMIC_RELEASE);                           \
                                                                                                   \
        if (KREF_LIKELY(KREF_CAST(static_cast, unsigned int, kref_old) >                           \
                        KREF_CAST(static_cast, unsigned int, INT_MIN)))                            \
            break;                                                                                 \
        if (kref_old != INT_MIN)                                                                   \
            goto not_alive;                                                                        \
        (void)__atomic_load_n(&(refs), __ATOMIC_ACQUIRE);                                          \
        goto last;                                                                                 \
    } while (0)

#endif

/*
 * KREF_CHECK(refs): with -DKREF_CHECKED=N, saturates a count of more than N references. The get or put that
 * follows then reports the saturated count. The object cannot be freed meanwhile: the caller still holds
 * its reference, or the lock of a lookup. 0x60000000 is the stored value of a saturated count.
 */
#ifdef KREF_CHECKED
#define KREF_CHECK(refs)                                                                           \
    do {                                                                                           \
        int kref_stored = __atomic_load_n(&(refs), __ATOMIC_RELAXED);                              \
                                                                                                   \
        if (kref_stored < 0 && kref_stored >= INT_MIN + (KREF_CHECKED))                            \
            __atomic_store_n(&(refs), 0x60000000, __ATOMIC_RELAXED);                               \
    } while (0)
#else
#define KREF_CHECK(refs) ((void)0)
#endif

/*
 * kref_current_tracker is a variable of the library, and is null as long as no tracker is set. The
 * assembly reads the variable's address from the global offset table. If C code in an executable
 * named the variable, the linker would make a copy of it in the executable.
 */
#if defined __x86_64__ && defined __LP64__
#define KREF_TRACKER                                                                               \
    "mov{q} {kref_current_tracker@GOTPCREL(%%rip), %0|%0, kref_current_tracker@GOTPCREL[rip]}"
#elif defined __aarch64__ && defined __LP64__
#define KREF_TRACKER                                                                               \
    "adrp %0,:got:kref_current_tracker\n"                                                          \
    "ldr %0,[%0,:got_lo12:kref_current_tracker]"
#elif defined __riscv && defined __LP64__
/* Not lga, which binutils 2.40 does not know. */
#define KREF_TRACKER                                                                               \
    ".option push\n"                                                                               \
    ".option pic\n"                                                                                \
    "la %0,kref_current_tracker\n"                                                                 \
    ".option pop"
#endif

#ifdef KREF_TRACKER
KREF_INLINE void kref_init_as(struct kref *kref, const char *type)
{
    void *const *tracker;

    __asm__(KREF_TRACKER : "=r"(tracker));
    /* Relaxed: the slow path looks again, with acquire. */
    if (KREF_LIKELY(!__atomic_load_n(tracker, __ATOMIC_RELAXED)))
        __atomic_store_n(&kref->refcount.refs, INT_MIN, __ATOMIC_RELAXED);
    else
        kref_init_slow(kref, type);
}

KREF_INLINE void kref_init(struct kref *kref)
{
    kref_init_as(kref, NULL);
}
#endif

/* Acquire: the caller sees what earlier holders did to the object before their puts. */
KREF_INLINE int kref_is_unique(const struct kref *kref)
{
    int stored = __atomic_load_n(&kref->refcount.refs, __ATOMIC_ACQUIRE);

    /* INT_MIN stands for one reference. A tracked count is positive. */
    return stored < 0 ? stored == INT_MIN : kref_read_slow(stored) == 1;
}

KREF_INLINE unsigned int kref_read(const struct kref *kref)
{
    int stored = __atomic_load_n(&kref->refcount.refs, __ATOMIC_RELAXED);

    /* -1 stands for INT_MAX + 1 references; kref_read_slow() returns INT_MAX for it. */
    return KREF_LIKELY(stored < -1) ? KREF_CAST(static_cast, unsigned int, stored - INT_MIN + 1)
                                    : kref_read_slow(stored);
}

KREF_INLINE void kref_count_inc(struct refcount_struct *count)
{
    KREF_CHECK(count->refs);
    KREF_INCREMENT(count->refs, kref_not_alive);
    return;
kref_not_alive:
    kref_get_slow(KREF_CAST(reinterpret_cast, struct kref *, count), NULL);
    KREF_RETURNS_HERE;
}

KREF_INLINE int kref_count_inc_not_zero(struct refcount_struct *count)
{
    int stored;

    KREF_CHECK(count->refs);
    stored = __atomic_load_n(&count->refs, __ATOMIC_RELAXED);
    do {
        /* -2 stands for INT_MAX references. */
        if (!KREF_LIKELY(stored < -2)) {
            stored = kref_get_unless_zero_slow(KREF_CAST(reinterpret_cast, struct kref *, count));
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

    KREF_CHECK(count->refs);
    KREF_DECREMENT(count->refs, kref_last, kref_not_alive);
    return 0;
kref_last:
    return 1;
kref_not_alive:
    last = kref_put_slow(KREF_CAST(reinterpret_cast, struct kref *, count), NULL, NULL);
    KREF_RETURNS_HERE;
    return last;
}

/* Only the cold path uses the holder's name. Every get and put of a tracked object takes the cold path. */
KREF_INLINE void kref_get_as(struct kref *kref, const char *holder)
{
    KREF_CHECK(kref->refcount.refs);
    KREF_INCREMENT(kref->refcount.refs, kref_not_alive);
    return;
kref_not_alive:
    kref_get_slow(kref, holder);
    KREF_RETURNS_HERE;
}

KREF_INLINE void kref_get(struct kref *kref)
{
    kref_get_as(kref, NULL);
}

KREF_INLINE int kref_get_unless_zero(struct kref *kref)
{
    return kref_count_inc_not_zero(&kref->refcount);
}

/*
 * KREF_LOG2(log2, number): the number of the highest bit. x86's instruction keeps its destination if the source is
 * 0. So the processor waits for the destination's old value, and that may come from the locked instruction of the
 * lookup before. A zero in the destination lets many lookups wait for memory at the same time.
 */
#if defined __x86_64__ || defined __i386__
#define KREF_LOG2(log2, number)                                                                    \
    __asm__("bsr{l %1, %0| %0, %1}" : "=r"(log2) : "r"(number), "0"(0) : "cc")
#else
#define KREF_LOG2(log2, number) ((log2) = 31 - __builtin_clz(number))
#endif

/*
 * Compares the generation, takes a reference, and compares the generation again: if it differs, the reference
 * is on another object, which has moved in between. The second comparison finds the generation that the
 * object has: because of the acquire not an older one, and a younger one is written only after this
 * reference was given back.
 *
 * Not with KREF_CHECK: before it saturates the count, the object may be released and another one published.
 */
KREF_INLINE struct kref *kref_pool_get(struct kref_pool *pool, uint64_t handle)
{
    unsigned int position = KREF_CAST(static_cast, unsigned int, handle);
    unsigned int generation = KREF_CAST(static_cast, unsigned int, handle >> 32);
    const unsigned int *found;
    struct kref *kref, *taken = NULL;
    size_t entry;
    int stored, log2;

    if (!KREF_LIKELY(position >= KREF_POOL_FIRST))
        goto kref_slow;
    KREF_LOG2(log2, position);
    /* Acquire: pairs with the release of the thread that has added the chunk. */
    entry = __atomic_load_n(&pool->chunks[log2 - KREF_POOL_FIRST_LOG2], __ATOMIC_ACQUIRE);
    if (!KREF_LIKELY(entry))
        goto kref_slow;
    /* A chunk's address is stored one higher: 0 is no chunk. An entry begins with its generation. */
    entry += KREF_CAST(static_cast, size_t, position) * pool->stride - 1;
    found = KREF_CAST(reinterpret_cast, const unsigned int *, entry);
    if (!KREF_LIKELY(__atomic_load_n(found, __ATOMIC_RELAXED) == generation))
        goto kref_slow;
    kref = KREF_CAST(reinterpret_cast, struct kref *, entry + KREF_POOL_ENTRY + pool->kref_at);
    stored = __atomic_load_n(&kref->refcount.refs, __ATOMIC_RELAXED);
    do {
        /* -2 stands for INT_MAX references. */
        if (!KREF_LIKELY(stored < -2))
            goto kref_slow;
        /* Acquire: pairs with the release of the publish. */
    } while (!__atomic_compare_exchange_n(&kref->refcount.refs, &stored, stored + 1, 1,
                                          __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
    if (KREF_LIKELY(__atomic_load_n(found, __ATOMIC_RELAXED) == generation))
        return kref;
    taken = kref;
kref_slow:
    return kref_pool_get_slow(pool, handle, taken);
}

KREF_INLINE
int kref_put_as(struct kref *kref, void (*release)(struct kref *kref), const char *holder)
{
    int released;

    KREF_CHECK(kref->refcount.refs);
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

KREF_INLINE int kref_put(struct kref *kref, void (*release)(struct kref *kref))
{
    return kref_put_as(kref, release, NULL);
}

#elif defined KREF_CHECKED
#error "KREF_CHECKED is for the inline functions: compile without KREF_NO_INLINE"
#endif /* KREF_NO_INLINE */

#ifdef __cplusplus
}
#endif

#include "percpu_inline.h"

#ifdef KREF_TSAN
#include "tsan.h"
#endif

#endif /* __GNUC__ */

#endif /* KREF_INLINE_H */
