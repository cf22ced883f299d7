/*
 * kref/percpu.h - the hot paths of percpu_ref, for the compiler to inline. Included by inline.h.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * For x86-64 Linux only. As in kref/inline.h, each function here has the name of an exported
 * function and does the same. It adds to the counter of the CPU on which the thread runs, in a
 * restartable sequence. If the kernel interrupts a sequence, the kernel aborts it; and
 * percpu_ref_kill() makes the kernel abort all sequences of the process. src/rseq/mod.rs of
 * libkref's source explains what a sequence may do, and why.
 *
 * A sequence cannot add to the counter if the thread has no rseq, if the percpu_ref is in atomic
 * mode, or if the kernel aborts the sequence. Then the function calls the _slow function. It also
 * does so if nr is larger than KREF_PERCPU_MOST.
 */
#ifndef KREF_H
#include "../kref.h" /* includes this header, in the right order */
#elif !defined KREF_PERCPU_H
#define KREF_PERCPU_H

#if defined __GNUC__ && defined __x86_64__ && !defined __ILP32__ && defined __linux__ &&            \
    !defined KREF_NO_INLINE

#ifdef __cplusplus
extern "C" {
#endif

/* The binary logarithm of the distance between the counters of two CPUs. */
#define KREF_PERCPU_SHIFT "9"

/* The most that one operation may add to a counter or take from it. So a counter of 64 bits takes
 * two years to wrap, and the sequence need not test for an overflow. */
#define KREF_PERCPU_MOST 127

/* The beginning of a sequence. Emits the descriptor, for a sequence from label 2 to label 3 with
 * its abort handler at label 4, and stores the descriptor's address in the thread's rseq area. The
 * "?" puts the descriptor into the section group of the function that contains the sequence. If C++
 * has several copies of this function, the linker then removes a copy together with its descriptor.
 * (There are several macros because C90 limits the length of a string.) */
#define KREF_SEQUENCE_ENTER(scratch, area)                                                         \
    ".pushsection .data.rel.ro.kref%=,\"aw?\"\n"                                                   \
    ".balign 32\n"                                                                                 \
    "7: .long 0,0\n"                                                                               \
    ".quad 2f,3f-2f,4f\n"                                                                          \
    ".popsection\n"                                                                                \
    "leaq 7b(%%rip)," scratch "\n"                                                                 \
    "movq " scratch ",%%fs:8(" area ")\n"                                                          \
    "2: "

/* The exit of a sequence: clears the pointer. The descriptor may be in a library that is unloaded
 * later, and a thread that still had the pointer would then be killed. */
#define KREF_SEQUENCE_LEAVE(area) "movq $0,%%fs:8(" area ")\n"

/* The beginning of the abort handler, after the signature that the kernel checks. Subsection 1
 * follows the functions of the section that contains the sequence, and is not in the middle of one.
 * So the linker keeps or removes the function and the handler together. */
#define KREF_SEQUENCE_ABORT(area)                                                                  \
    ".subsection 1\n"                                                                              \
    ".byte 0x0f,0xb9,0x3d\n"                                                                       \
    ".long 0x53053053\n"                                                                           \
    "4: " KREF_SEQUENCE_LEAVE(area)

/* Adds nr to this CPU's counter and returns 1. If the sequence cannot do that, changes nothing and
 * returns 0. For the functions below only. */
KREF_INLINE int kref_percpu_add(struct percpu_ref *ref, unsigned long nr)
{
    /* The comparison with cpus is unsigned. It fails in atomic mode, when cpus is 0; on a CPU
     * without a counter; and in a thread that is not registered, whose CPU number is negative.
     * Release: on x86-64 every store is a release. The assembly, not C code, reads the members of
     * ref. Reason: a put is announced to ThreadSanitizer before it is made, and ThreadSanitizer
     * would report a read of the object after the announcement. */
    __asm__ goto(
        "movq %c[rseq](%[ref]),%%rcx\n"
        "testq %%rcx,%%rcx\n"
        "jz %l[kref_no]\n"
        KREF_SEQUENCE_ENTER("%%rax", "%%rcx")
        "movl %%fs:4(%%rcx),%%eax\n"
        "cmpl %c[cpus](%[ref]),%%eax\n"
        "jae 4f\n"
        "shlq $" KREF_PERCPU_SHIFT ",%%rax\n"
        "addq %c[counters](%[ref]),%%rax\n"
        "addq %[nr],(%%rax)\n"
        "3: " KREF_SEQUENCE_LEAVE("%%rcx")
        KREF_SEQUENCE_ABORT("%%rcx")
        "jmp %l[kref_no]\n"
        ".previous"
        :
        : [ref] "r"(ref), [nr] "er"(nr), [rseq] "i"(offsetof(struct percpu_ref, rseq)),
          [cpus] "i"(offsetof(struct percpu_ref, cpus)),
          [counters] "i"(offsetof(struct percpu_ref, counters))
        : "rax", "rcx", "cc", "memory"
        : kref_no);
    return 1;
kref_no:
    return 0;
}

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
    if (KREF_LIKELY(nr <= KREF_PERCPU_MOST && kref_percpu_add(ref, 0 - nr)))
        return;
    percpu_ref_put_slow(ref, nr);
    KREF_RETURNS_HERE;
}

KREF_INLINE void percpu_ref_put(struct percpu_ref *ref)
{
    percpu_ref_put_many(ref, 1);
}

/* percpu_ref_slot_get() under a second name, by which the inline one calls it. */
struct percpu_ref *percpu_ref_slot_get_slow(struct percpu_ref_slot *slot) KREF_COLD;

KREF_INLINE struct percpu_ref *percpu_ref_slot_get(struct percpu_ref_slot *slot)
{
    ptrdiff_t area = __atomic_load_n(&slot->rseq, __ATOMIC_RELAXED);
    struct percpu_ref *slow;
    size_t found = 1, scratch;

    /* The sequence tests the CPU number first, because a thread that is not registered must not
     * read the object. Acquire: on x86-64 every load is an acquire. The value 1 in found means
     * that the sequence was aborted, or cannot use a counter. */
    if (KREF_LIKELY(area != 0))
        __asm__ __volatile__(
            KREF_SEQUENCE_ENTER("%[at]", "%[area]")
            "movl %%fs:4(%[area]),%k[at]\n"
            "testl %k[at],%k[at]\n"
            "js 4f\n"
            "movq %[slot],%[ref]\n"
            "testq %[ref],%[ref]\n"
            "jz 3f\n"
            "cmpl %c[cpus](%[ref]),%k[at]\n"
            "jae 4f\n"
            "shlq $" KREF_PERCPU_SHIFT ",%[at]\n"
            "addq %c[counters](%[ref]),%[at]\n"
            "incq (%[at])\n"
            "3: " KREF_SEQUENCE_LEAVE("%[area]")
            KREF_SEQUENCE_ABORT("%[area]")
            "movl $1,%k[ref]\n"
            "jmp 8f\n"
            ".previous\n"
            "8:"
            : [ref] "=&r"(found), [at] "=&r"(scratch)
            : [area] "r"(area), [slot] "m"(slot->percpu),
              [cpus] "i"(offsetof(struct percpu_ref, cpus)),
              [counters] "i"(offsetof(struct percpu_ref, counters))
            : "cc", "memory");
    if (KREF_LIKELY(found != 1))
        return KREF_CAST(reinterpret_cast, struct percpu_ref *, found);
    slow = percpu_ref_slot_get_slow(slot);
    KREF_RETURNS_HERE;
    return slow;
}

#ifdef __cplusplus
}
#endif

#endif /* __x86_64__ */

#endif /* KREF_PERCPU_H */
