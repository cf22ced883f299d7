/*
 * kref/rseq/aarch64.h - the restartable sequences of percpu_ref for 64-bit Arm. Included by
 * kref/percpu_inline.h.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * This processor orders few accesses by itself. So each acquire and each release is an instruction, and its
 * reason stands beside it.
 *
 * A conditional branch reaches 1 MiB here, which is less than the code of a big source file. So
 * it goes to a label nearby or to a label of the same C function. From subsection 1 a `b` leads
 * back, which reaches 128 MiB.
 */
#ifndef KREF_WANTS_SEQUENCES
#include "../../kref.h" /* includes the header of the processor, in the right order */
#else

/* Puts the address of the thread's rseq area into a register. area is its offset from the thread
 * pointer. */
#define KREF_SEQUENCE_AREA(at, area)                                                               \
    "mrs " at ",tpidr_el0\n"                                                                       \
    "add " at "," at "," area "\n"

/* The beginning of a sequence. Emits the descriptor, for a sequence from label 2 to label 3 with
 * its abort handler at label 4, and stores the descriptor's address in the thread's rseq area. The
 * "?" puts the descriptor into the section group of the function that contains the sequence. If C++
 * has several copies of this function, the linker then removes a copy together with its descriptor.
 * (There are several macros because C90 limits the length of a string.) */
#define KREF_SEQUENCE_ENTER(scratch, area)                                                         \
    ".pushsection .data.rel.ro.kref%=,\"aw?\"\n"                                                   \
    ".balign 32\n"                                                                                 \
    "7: .word 0,0\n"                                                                               \
    ".quad 2f,3f-2f,4f\n"                                                                          \
    ".popsection\n"                                                                                \
    "adrp " scratch ",7b\n"                                                                        \
    "add " scratch "," scratch ",:lo12:7b\n"                                                       \
    "str " scratch ",[" area ",#8]\n"                                                              \
    "2: "

/* The exit of a sequence: clears the pointer. The descriptor may be in a library that is unloaded
 * later, and a thread that still had the pointer would then be killed. */
#define KREF_SEQUENCE_LEAVE(area) "str xzr,[" area ",#8]\n"

/* The beginning of the abort handler, after the signature that the kernel checks: a brk. Subsection 1
 * follows the functions of the section that contains the sequence, and is not in the middle of one.
 * So the linker keeps or removes the function and the handler together. The signature is a .inst
 * and not a .word, because code is little-endian on a big-endian machine, too. */
#define KREF_SEQUENCE_ABORT                                                                        \
    ".subsection 1\n"                                                                              \
    ".inst 0xd428bc00\n"                                                                           \
    "4: "

/* The offset of the thread's rseq area; 0 if ref has no counters. The assembly, not C code, reads the
 * members of ref. Reason: a put is announced to ThreadSanitizer before it is made, and
 * ThreadSanitizer would report a read of the object after the announcement. */
KREF_INLINE ptrdiff_t kref_percpu_area(struct percpu_ref *ref)
{
    ptrdiff_t area;

    __asm__ __volatile__("ldr %0,[%1,#%c2]"
                         : "=r"(area)
                         : "r"(ref), "i"(offsetof(struct percpu_ref, rseq))
                         : "memory");
    return area;
}

KREF_INLINE void kref_percpu_leave(ptrdiff_t area)
{
    size_t at;

    __asm__ __volatile__(KREF_SEQUENCE_AREA("%0", "%1")
                         KREF_SEQUENCE_LEAVE("%0") : "=&r"(at) : "r"(area) : "memory");
}

/* Changes this CPU's counter of ref: `operation` changes x11, and `store` stores it in [x10]. Jumps
 * to kref_left if the sequence cannot use a counter.
 *
 * The comparison with cpus is unsigned. It fails in atomic mode, when cpus is 0; on a CPU without a
 * counter; and in a thread that is not registered, whose CPU number is negative. Acquire: a thread
 * that has changed a counter, and then reads the word, sees that the word is not the whole count. */
#define KREF_SEQUENCE_CHANGE(ref, nr, area, operation, store, kref_left)                           \
    __asm__ goto(                                                                                  \
        KREF_SEQUENCE_AREA("x9", "%[offset]")                                                      \
        KREF_SEQUENCE_ENTER("x10", "x9")                                                           \
        "ldr w10,[x9,#4]\n"                                                                        \
        "add x11,%[head],#%c[cpus]\n"                                                              \
        "ldar w11,[x11]\n"                                                                         \
        "cmp w10,w11\n"                                                                            \
        "b.hs %l[" #kref_left "]\n"                                                                \
        "ldr x11,[%[head],#%c[counters]]\n"                                                        \
        "add x10,x11,x10,lsl #" KREF_PERCPU_SHIFT "\n"                                             \
        "ldr x11,[x10]\n"                                                                          \
        operation " x11,x11,%[n]\n"                                                                \
        store " x11,[x10]\n"                                                                       \
        "3: " KREF_SEQUENCE_LEAVE("x9")                                                            \
        KREF_SEQUENCE_ABORT                                                                        \
        "b %l[" #kref_left "]\n"                                                                   \
        ".previous"                                                                                \
        :                                                                                          \
        : [head] "r"(ref), [n] "rI"(nr), [offset] "r"(area),                                       \
          [cpus] "i"(offsetof(struct percpu_ref, cpus)),                                           \
          [counters] "i"(offsetof(struct percpu_ref, counters))                                    \
        : "x9", "x10", "x11", "cc", "memory"                                                       \
        : kref_left)

/* Adds nr to this CPU's counter and returns 1. If the sequence cannot do that, changes nothing and
 * returns 0. Relaxed. */
KREF_INLINE int kref_percpu_add(struct percpu_ref *ref, unsigned long nr)
{
    ptrdiff_t area = kref_percpu_area(ref);

    if (!KREF_LIKELY(area))
        return 0;
    KREF_SEQUENCE_CHANGE(ref, nr, area, "add", "str", kref_left);
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
    KREF_SEQUENCE_CHANGE(ref, nr, area, "sub", "stlr", kref_left);
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
    size_t own, at, cpu;
    int failed;

    /* Each comparison says "higher or same" if the sequence cannot use a counter, and so does the
     * one of the abort handler. The first one tests the CPU number, because a thread that is not
     * registered must not read the object; its number is negative. No counter has a number of 65536
     * or more. The load of cpus is an acquire; it is after the load of the pointer, because that is
     * its address. */
    __asm__ __volatile__(
        KREF_SEQUENCE_AREA("%[own]", "%[area]")
        KREF_SEQUENCE_ENTER("%[at]", "%[own]")
        "ldr %w[cpu],[%[own],#4]\n"
        "cmp %w[cpu],#16,lsl #12\n"
        "b.hs 3f\n"
        "ldr %[ref],%[slot]\n"
        "cbz %[ref],3f\n"
        "add %[at],%[ref],#%c[cpus]\n"
        "ldar %w[at],[%[at]]\n"
        "cmp %w[cpu],%w[at]\n"
        "b.hs 3f\n"
        "ldr %[at],[%[ref],#%c[counters]]\n"
        "add %[cpu],%[at],%[cpu],lsl #" KREF_PERCPU_SHIFT "\n"
        "ldr %[at],[%[cpu]]\n"
        "add %[at],%[at],#1\n"
        "str %[at],[%[cpu]]\n"
        "3: " KREF_SEQUENCE_LEAVE("%[own]")
        KREF_SEQUENCE_ABORT
        "cmp xzr,xzr\n"
        "b 3b\n"
        ".previous"
        : [ref] "=&r"(found), [at] "=&r"(at), [cpu] "=&r"(cpu), [own] "=&r"(own),
          "=@cchs"(failed)
        : [area] "r"(area), [slot] "m"(slot->percpu), [cpus] "i"(offsetof(struct percpu_ref, cpus)),
          [counters] "i"(offsetof(struct percpu_ref, counters))
        : "memory");
    *taken = found;
    return !failed;
}

#endif /* KREF_WANTS_SEQUENCES */
