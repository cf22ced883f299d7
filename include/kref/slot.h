/*
 * kref/slot.h - a slot: one published pointer. Included by kref.h.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 * Made from the source of libkref by `make header`.
 *
 * For one object that all threads look up, and that is replaced rarely: the current configuration,
 * the current connection. A restartable sequence is a few instructions that the kernel aborts if it
 * interrupts the thread inside them. The thread then starts them again, so they need no lock. The
 * kernel knows the sequences of a thread after rseq(2) has registered the thread; glibc does this. On
 * such a thread (kref_rseq_available()) a get makes one atomic operation and takes no lock. A replace
 * calls membarrier(2), which aborts the sequences of all threads, and takes some microseconds.
 *
 *     static struct kref_slot current = KREF_SLOT_INIT;
 *
 *     // A reader. Any number of readers may run at the same time.
 *     struct kref *kref = kref_slot_get(&current);
 *     if (kref) { ...; kref_put(kref, release); }
 *
 *     // A writer. The slot takes over the writer's reference on next.
 *     struct kref *old = kref_slot_replace(&current, &next->kref);
 *     if (old) kref_put(old, release);
 *
 * The first page of kref.h says what holds for every function.
 *
 * The locks of slots are in the library. So all users of one slot must use the same copy of
 * libkref. Wrong: the program contains libkref.a, and its plugin loads libkref.so. In the
 * child of a fork of a multithreaded program, such a lock may be held for ever by a thread that
 * does not exist there: make no get or replace in the child.
 *
 * Keep the memory of an object mapped after its release, if the object was in a slot. A thread may
 * have a page fault in the middle of a get: the page was swapped out, or a fork() has made it
 * copy-on-write. Before the kernel has served the fault, another thread may replace and release the
 * object. The get then starts again, and finds the next object. But if the page is no longer mapped,
 * the kernel ends the process by SIGSEGV. munmap() has this effect, and so has free(): for large blocks
 * always (glibc: 128 KiB or more), for smaller ones rarely. The memory of a kref_pool stays mapped. If
 * the program has a handler of SIGSEGV, and the handler returns, the get starts again even then.
 *
 * Use slots, and the percpu_ref of kref/percpu.h, only on the main thread and on threads that
 * pthread_create() or thrd_create() made. After fork(), the child may use them only if the parent had
 * one thread. Do not use them on a thread that clone() made
 * without the C library, if its thread-local storage is the parent's or is zero-filled. Such a thread
 * looks registered, but the kernel does not restart its sequences, and a sequence cannot detect this.
 * A get from a slot may then return a freed object, and a percpu_ref may lose counts. Nothing is
 * reported. kref_rseq_available() returns 0 on such a thread (with musl the call may crash there). If
 * such threads must use slots or a percpu_ref, run the program with
 * GLIBC_TUNABLES=glibc.pthread.rseq=0. With musl there is no way.
 */
#ifndef KREF_H
#include "../kref.h" /* includes this header, in the right order */
#elif !defined KREF_SLOT_H
#define KREF_SLOT_H

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A slot: one published pointer, from which any thread may take a reference. The slot holds a
 * reference on the published object. An empty slot need not be destroyed. Use its functions, never
 * the member.
 */
struct kref_slot {
    struct kref *kref;
};

/* The initialiser of an empty slot. A slot whose memory is all zero is empty, too. */
#define KREF_SLOT_INIT { NULL }

/**
 * Make a new slot empty, as KREF_SLOT_INIT does.
 *
 * Range:    a new slot, or one that is empty.
 * Misuse:   on a slot that publishes an object: the object leaks, because the slot forgets its
 *           reference.
 */
void kref_slot_init(struct kref_slot *slot) KREF_NONNULL;

/**
 * Take a reference on the published object, in one step: rule 3.
 *
 * Misuse:   if the published object was put once too often, its count may be zero, or it may be
 *           freed memory that is all zero: then NULL is returned. If the count has too many
 *           references or is saturated, the kref is returned.
 * Ordering: acquire: the caller sees what was done to the object before kref_slot_replace()
 *           published it.
 * Threads:  not in a signal handler, because the function may take a lock for a short time.
 * Returns:  the kref, with a reference that the caller holds now and must give back; NULL if the
 *           slot is empty.
 */
KREF_MUST_USE struct kref *kref_slot_get(struct kref_slot *slot) KREF_NONNULL;

/**
 * Publish next, or nothing, and return the old object. The slot takes over the caller's reference
 * on next. The caller takes over the slot's reference on the old object, and gives it back.
 *
 * Range:    next may be NULL; then the slot becomes empty.
 * Misuse:   if the result is ignored, the old object leaks; compilers warn. If the kernel refuses
 *           the membarrier, a violation is reported, and the old object leaks.
 * Ordering: release for next, acquire for the old object.
 * Threads:  not in a signal handler, because the function takes a lock for a short time. Unless the
 *           slot was empty, the function makes a membarrier, which takes some microseconds.
 * Returns:  the old kref, with a reference that the caller holds now and must give back; NULL if
 *           the slot was empty.
 */
KREF_MUST_USE
struct kref *kref_slot_replace(struct kref_slot *slot,
                               struct kref *next) KREF_NONNULL_ARGS((1));

/**
 * Whether this thread has restartable sequences. If it has, its gets from a slot take no lock, and
 * its gets and puts of a percpu_ref make no atomic operation. If not, these functions give the same
 * results, but are slower; but see above for a thread that clone() made. Asks the kernel: one system
 * call, rseq().
 *
 * Threads:  not in a signal handler. The answer is for the calling thread.
 * Returns:  1 or 0. 1 needs x86-64, aarch64 or riscv64; glibc 2.35 or later (riscv64: 2.41), or musl
 *           on x86-64; and Linux 5.10 or later (riscv64: 6.9 or 6.6.51; aarch64: not 6.19 to
 *           7.0.13). 0 also under valgrind; with GLIBC_TUNABLES=glibc.pthread.rseq=0; if a seccomp
 *           filter refuses membarrier(); if kref-track tracks the program without sample=1/N; and on
 *           a thread that clone() made.
 */
int kref_rseq_available(void);

#ifdef __cplusplus
}
#endif

#endif /* KREF_SLOT_H */
