/*
 * kref/rseq/x86_64.h - the restartable sequences of percpu_ref for x86-64. Included by
 * kref/percpu_inline.h.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * On this processor every load is an acquire and every store is a release.
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
 * returns 0. */
KREF_INLINE int kref_percpu_add(struct percpu_ref *ref, unsigned long nr)
{
    /* The comparison with cpus is unsigned. It fails in atomic mode, when cpus is 0; on a CPU
     * without a counter; and in a thread that is not registered, whose CPU number is negative.
     * The assembly, not C code, reads the members of ref. Reason: a put is announced to
     * ThreadSanitizer before it is made, and ThreadSanitizer would report a read of the object
     * after the announcement. */
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

/* Subtracts nr from this CPU's counter. A release. */
KREF_INLINE int kref_percpu_sub(struct percpu_ref *ref, unsigned long nr)
{
    return kref_percpu_add(ref, 0 - nr);
}

/* Reads the pointer of a slot, adds 1 to this CPU's counter of the published percpu_ref, and returns
 * 1; also if nothing is published. If the sequence cannot do that, changes nothing and returns 0.
 * area is the offset of the thread's rseq area. */
KREF_INLINE
int kref_percpu_take(struct percpu_ref_slot *slot, ptrdiff_t area, struct percpu_ref **taken)
{
    size_t found, scratch;

    /* The sequence tests the CPU number first, because a thread that is not registered must not
     * read the object. The value 1 in found means that the sequence was aborted, or cannot use a
     * counter. */
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
    *taken = KREF_CAST(reinterpret_cast, struct percpu_ref *, found);
    return found != 1;
}

#endif /* KREF_WANTS_SEQUENCES */
