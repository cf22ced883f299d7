/*
 * kref/rseq/riscv64.h - the restartable sequences of percpu_ref for 64-bit RISC-V. Included by
 * kref/percpu_inline.h.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * This processor orders few accesses by itself. So each acquire and each release is a fence, and its
 * reason stands beside it.
 *
 * A conditional branch reaches 1 MiB here (the assembler makes two instructions of it, if it must),
 * which is less than the code of a big source file. So it goes to a label nearby or to a label of
 * the same C function. From subsection 1 a `jump` leads back, which reaches everything.
 */
#ifndef KREF_WANTS_SEQUENCES
#include "../../kref.h" /* includes the header of the processor, in the right order */
#else

/* The beginning of a sequence. Emits the descriptor, for a sequence from label 2 to label 3 with
 * its abort handler at label 4, and stores the descriptor's address in the thread's rseq area. The
 * "?" puts the descriptor into the section group of the function that contains the sequence. If C++
 * has several copies of this function, the linker then removes a copy together with its descriptor.
 * (There are several macros because C90 limits the length of a string.) */
#define KREF_SEQUENCE_ENTER(scratch, area)                                                         \
    ".pushsection .data.rel.ro.kref%=,\"aw?\"\n"                                                   \
    ".balign 32\n"                                                                                 \
    "7: .4byte 0,0\n"                                                                              \
    ".8byte 2f,3f-2f,4f\n"                                                                         \
    ".popsection\n"                                                                                \
    "lla " scratch ",7b\n"                                                                         \
    "sd " scratch ",8(" area ")\n"                                                                 \
    "2: "

/* The exit of a sequence: clears the pointer. The descriptor may be in a library that is unloaded
 * later, and a thread that still had the pointer would then be killed. */
#define KREF_SEQUENCE_LEAVE(area) "sd zero,8(" area ")\n"

/* The beginning of the abort handler, after the signature that the kernel checks. Subsection 1
 * follows the functions of the section that contains the sequence, and is not in the middle of one.
 * So the linker keeps or removes the function and the handler together. */
#define KREF_SEQUENCE_ABORT                                                                        \
    ".subsection 1\n"                                                                              \
    ".balign 4\n"                                                                                  \
    ".4byte 0xf1401073\n"                                                                          \
    "4: "

/* The offset of the thread's rseq area; 0 if ref has no counters. The assembly, not C code, reads the
 * members of ref. Reason: a put is announced to ThreadSanitizer before it is made, and
 * ThreadSanitizer would report a read of the object after the announcement. */
KREF_INLINE ptrdiff_t kref_percpu_area(struct percpu_ref *ref)
{
    ptrdiff_t area;

    __asm__ __volatile__("ld %0,%2(%1)"
                         : "=r"(area)
                         : "r"(ref), "i"(offsetof(struct percpu_ref, rseq))
                         : "memory");
    return area;
}

KREF_INLINE void kref_percpu_leave(ptrdiff_t area)
{
    size_t at;

    __asm__ __volatile__("add %0,%1,tp\n" KREF_SEQUENCE_LEAVE("%0") : "=&r"(at) : "r"(area) : "memory");
}

/* Adds nr to this CPU's counter of ref; `release` is before the commit. Jumps to kref_left if the
 * sequence cannot use a counter.
 *
 * The comparison with cpus is unsigned. It fails in atomic mode, when cpus is 0; on a CPU without a
 * counter; and in a thread that is not registered, whose CPU number is negative. The first fence is
 * an acquire: a thread that has changed a counter, and then reads the word, sees that the word is
 * not the whole count. */
#define KREF_SEQUENCE_CHANGE(ref, nr, area, release, kref_left)                                    \
    __asm__ goto(                                                                                  \
        "add t0,%[offset],tp\n"                                                                    \
        KREF_SEQUENCE_ENTER("t1", "t0")                                                            \
        "lw t1,4(t0)\n"                                                                            \
        "lw t2,%[cpus](%[head])\n"                                                                 \
        "bgeu t1,t2,%l[" #kref_left "]\n"                                                          \
        "fence r,rw\n"                                                                             \
        "ld t2,%[counters](%[head])\n"                                                             \
        "slli t1,t1," KREF_PERCPU_SHIFT "\n"                                                       \
        "add t1,t1,t2\n"                                                                           \
        "ld t2,0(t1)\n"                                                                            \
        "add t2,t2,%[n]\n"                                                                         \
        release                                                                                    \
        "sd t2,0(t1)\n"                                                                            \
        "3: " KREF_SEQUENCE_LEAVE("t0")                                                            \
        KREF_SEQUENCE_ABORT                                                                        \
        "jump %l[" #kref_left "],t1\n"                                                             \
        ".previous"                                                                                \
        :                                                                                          \
        : [head] "r"(ref), [n] "rI"(nr), [offset] "r"(area),                                       \
          [cpus] "i"(offsetof(struct percpu_ref, cpus)),                                           \
          [counters] "i"(offsetof(struct percpu_ref, counters))                                    \
        : "t0", "t1", "t2", "memory"                                                               \
        : kref_left)

/* Adds nr to this CPU's counter and returns 1. If the sequence cannot do that, changes nothing and
 * returns 0. Relaxed. */
KREF_INLINE int kref_percpu_add(struct percpu_ref *ref, unsigned long nr)
{
    ptrdiff_t area = kref_percpu_area(ref);

    if (!KREF_LIKELY(area))
        return 0;
    KREF_SEQUENCE_CHANGE(ref, nr, area, "", kref_left);
    return 1;
kref_left:
    kref_percpu_leave(area);
    return 0;
}

/* Subtracts nr from this CPU's counter. Release: the thread that kills the percpu_ref sees this
 * subtraction after its fence, and with it all that the caller did to the object before. */
KREF_INLINE int kref_percpu_sub(struct percpu_ref *ref, unsigned long nr)
{
    ptrdiff_t area = kref_percpu_area(ref);

    if (!KREF_LIKELY(area))
        return 0;
    KREF_SEQUENCE_CHANGE(ref, 0 - nr, area, "fence rw,w\n", kref_left);
    return 1;
kref_left:
    kref_percpu_leave(area);
    return 0;
}

/* Reads the pointer of a slot, adds 1 to this CPU's counter of the published percpu_ref, and returns
 * 1; also if nothing is published. If the sequence cannot do that, changes nothing and returns 0.
 * area is the offset of the thread's rseq area. */
KREF_INLINE
int kref_percpu_take(struct percpu_ref_slot *slot, ptrdiff_t area, struct percpu_ref **taken)
{
    struct percpu_ref *found;
    size_t own, at, sum, cpu, cpus = 1 << 16;

    /* In the end cpu is less than cpus, unless the sequence cannot use a counter, or was aborted.
     * The first comparison tests whether the CPU's number is less than 65536, because no counter has a
     * larger number, and because a thread that is not registered must not read the object; its
     * number is negative. The load of cpus is after the load of the pointer, because that is its
     * address; so one fence is the acquire of both. */
    __asm__ __volatile__(
        "add %[own],%[area],tp\n"
        KREF_SEQUENCE_ENTER("%[at]", "%[own]")
        "lw %[cpu],4(%[own])\n"
        "bgeu %[cpu],%[cpus],3f\n"
        "ld %[ref],%[slot]\n"
        "beqz %[ref],3f\n"
        "lw %[cpus],%[member](%[ref])\n"
        "bgeu %[cpu],%[cpus],3f\n"
        "fence r,rw\n"
        "ld %[at],%[counters](%[ref])\n"
        "slli %[sum],%[cpu]," KREF_PERCPU_SHIFT "\n"
        "add %[at],%[at],%[sum]\n"
        "ld %[sum],0(%[at])\n"
        "addi %[sum],%[sum],1\n"
        "sd %[sum],0(%[at])\n"
        "3: " KREF_SEQUENCE_LEAVE("%[own]")
        KREF_SEQUENCE_ABORT
        "li %[cpu],-1\n"
        "jump 3b,%[at]\n"
        ".previous"
        : [ref] "=&r"(found), [own] "=&r"(own), [at] "=&r"(at), [sum] "=&r"(sum),
          [cpu] "=&r"(cpu), [cpus] "+&r"(cpus)
        : [area] "r"(area), [slot] "m"(slot->percpu), [member] "i"(offsetof(struct percpu_ref, cpus)),
          [counters] "i"(offsetof(struct percpu_ref, counters))
        : "memory");
    *taken = found;
    return cpu < cpus;
}

#endif /* KREF_WANTS_SEQUENCES */
