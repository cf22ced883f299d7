/*
 * kref/percpu.h - percpu_ref: a reference count on each CPU. Included by kref.h.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 * Made from the source of libkref by `make header`.
 *
 * For the few objects that all threads get and put all the time. Each CPU has a counter of its own,
 * so a get or a put is a plain addition, and a CPU never waits for a cache line of another CPU.
 * This is the kernel's percpu_ref, with one difference: percpu_ref_kill() does all its work before
 * it returns.
 *
 *     percpu_ref_init(&server->ref, server_release, 0);   // one reference, the initial one
 *
 *     percpu_ref_get(&server->ref);
 *     ...
 *     percpu_ref_put(&server->ref);
 *
 *     percpu_ref_kill(&server->ref);                      // gives the initial reference back
 *
 *     static void server_release(struct percpu_ref *ref)  // the last put calls this
 *     {
 *         percpu_ref_exit(ref);                           // frees the counters
 *         ...                                             // free the object
 *     }
 *
 * A percpu_ref has two modes. In percpu mode the count is spread over the CPUs' counters, and
 * nobody can know whether a put is the last. Therefore the initial reference keeps the object alive
 * until percpu_ref_kill(). percpu_ref_kill() changes to atomic mode. There the count is one
 * number, so the last put can be recognised. From then on percpu_ref_tryget_live() fails, so no new
 * user gets a reference. A thread without restartable sequences makes atomic operations in both
 * modes; the results are the same. (Not so on a thread that clone() made: see kref/slot.h.)
 *
 * The first page of kref.h says what holds for every function, with two differences. The sum of the
 * references is at most LONG_MAX / 32. And misuse is noticed in atomic mode only: in percpu mode
 * nobody can know the count, so percpu_ref_kill() notices a misuse later, and reports it.
 *
 * Beside the struct itself, a percpu_ref takes a block of 64 bytes. Its counters take 8 bytes for
 * each CPU. 64 percpu_refs share the pages of their counters: one page on 2 CPUs, 17 pages on 128.
 * For an object that is not hot, use a kref.
 *
 * percpu_ref_kill() and some other functions take a lock. In the child of a fork of a multithreaded
 * program, such a lock may be held for ever; a get or a put takes none, but percpu_ref_slot_get() may
 * take one. All users of one percpu_ref
 * must use the same copy of libkref, as for slots.
 */
#ifndef KREF_H
#include "../kref.h" /* includes this header, in the right order */
#elif !defined KREF_PERCPU_H
#define KREF_PERCPU_H

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A reference count for the hottest objects, with a counter for each CPU. Embed it in your object.
 * Use its functions, never the members.
 */
struct percpu_ref {
    void *counters;
    ptrdiff_t rseq;
    unsigned int cpus;
    void *data;
};

/**
 * A slot for a percpu_ref. The slot holds a reference on the published percpu_ref. An empty slot
 * need not be destroyed. Use its functions, never the members.
 */
struct percpu_ref_slot {
    struct percpu_ref *percpu;
    ptrdiff_t rseq;
};

/* Flags for percpu_ref_init(). INIT_ATOMIC: start in atomic mode, until
 * percpu_ref_switch_to_percpu(). INIT_DEAD: start without a reference, until percpu_ref_reinit().
 * ALLOW_REINIT: keep the CPUs' counters after percpu_ref_kill(), so that percpu_ref_resurrect() can
 * use them again.
 */
#define PERCPU_REF_INIT_ATOMIC 1u
#define PERCPU_REF_INIT_DEAD 2u
#define PERCPU_REF_ALLOW_REINIT 4u

/**
 * Initialise a percpu_ref with one reference, the initial reference, which percpu_ref_kill() gives
 * back.
 *
 * Range:    flags: any of PERCPU_REF_INIT_ATOMIC, PERCPU_REF_INIT_DEAD, PERCPU_REF_ALLOW_REINIT, or
 *           0. The last put calls release.
 * Misuse:   on a percpu_ref that is in use: the old references are forgotten, and the memory of the
 *           old counters leaks.
 * Threads:  not in a signal handler, because the function allocates.
 * Returns:  0; -ENOMEM; or -EINVAL for an unknown flag. After an error, nothing is allocated.
 * Defined:  Linux, percpu_ref_init(), which has one parameter more and ignores unknown flags.
 */
int percpu_ref_init(struct percpu_ref *ref,
                    void (*release)(struct percpu_ref *ref),
                    unsigned int flags) KREF_MUST_USE KREF_NONNULL;

/**
 * Free what percpu_ref_init() has allocated. Call this in the release function. For an object that
 * is freed before any other thread could reach it, call this without percpu_ref_kill().
 *
 * Range:    a percpu_ref that was released; or one that was never killed and has only its initial
 *           reference; or one after percpu_ref_exit(), and then nothing happens. No other thread
 *           may still be in a percpu_ref_tryget(). The lock that protects such a thread from a freed
 *           object must also delay this call.
 * Misuse:   if somebody may hold a reference, nothing is freed, and a violation is reported.
 * Ordering: that of percpu_ref_kill() if the percpu_ref was never killed, otherwise none.
 * Threads:  one, the last that can reach the object; not in a signal handler.
 * Defined:  Linux, percpu_ref_exit().
 */
void percpu_ref_exit(struct percpu_ref *ref) KREF_NONNULL;

/**
 * Take one more reference.
 *
 * Defined:  Linux, percpu_ref_get(), which does not saturate.
 */
void percpu_ref_get(struct percpu_ref *ref) KREF_NONNULL;

/**
 * Take nr more references.
 *
 * Range:    nr up to INT_MAX (2^15 - 1 if a long has 32 bits); a larger nr is an overflow. If nr is
 *           above 127, the function makes an atomic operation in both modes.
 * Defined:  Linux, percpu_ref_get_many(), which does not saturate.
 */
void percpu_ref_get_many(struct percpu_ref *ref, unsigned long nr) KREF_NONNULL;

/**
 * Take a reference unless no reference is left. The caller holds none, but a lock, or something
 * else that keeps the object's memory from being freed.
 *
 * Misuse:   a count of zero is no misuse here. Saturated, in atomic mode: 1 is returned.
 * Returns:  1 if the reference was taken, 0 if no reference was left.
 * Defined:  Linux, percpu_ref_tryget(), which does not saturate.
 */
KREF_MUST_USE int percpu_ref_tryget(struct percpu_ref *ref) KREF_NONNULL;

/**
 * Take nr references unless no reference is left.
 *
 * Range:    as for percpu_ref_get_many().
 * Misuse:   as for percpu_ref_tryget().
 * Returns:  1 if the references were taken, 0 if no reference was left.
 * Defined:  Linux, percpu_ref_tryget_many(), which does not saturate.
 */
KREF_MUST_USE int percpu_ref_tryget_many(struct percpu_ref *ref, unsigned long nr) KREF_NONNULL;

/**
 * Take a reference unless the percpu_ref was killed. When percpu_ref_kill() has called confirm or
 * has returned, no call of this function succeeds any more.
 *
 * Misuse:   as for percpu_ref_tryget().
 * Returns:  1 if the reference was taken, 0 if the percpu_ref was killed.
 * Defined:  Linux, percpu_ref_tryget_live(), which does not saturate.
 */
KREF_MUST_USE int percpu_ref_tryget_live(struct percpu_ref *ref) KREF_NONNULL;

/**
 * Give one reference back. After percpu_ref_kill(), the last put calls the release function.
 *
 * Range:    not the initial reference, which percpu_ref_kill() gives back.
 * Defined:  Linux, percpu_ref_put(), which does not saturate.
 */
void percpu_ref_put(struct percpu_ref *ref) KREF_NONNULL;

/**
 * Give nr references back. After percpu_ref_kill(), the last put calls the release function.
 *
 * Range:    nr up to INT_MAX (2^15 - 1 if a long has 32 bits): a larger nr is more than the caller
 *           can have taken, so the count saturates.
 * Defined:  Linux, percpu_ref_put_many(), which does not saturate.
 */
void percpu_ref_put_many(struct percpu_ref *ref, unsigned long nr) KREF_NONNULL;

/* ---------------------------------------------------------------------------------------------
 * Kill, switch, resurrect
 * ------------------------------------------------------------------------------------------- */

/**
 * Give the initial reference back, and change to atomic mode, in which the last put is recognised and
 * calls the release function. That may happen before this function returns. From now on
 * percpu_ref_tryget_live() fails.
 *
 * Range:    once, by the holder of the initial reference.
 * Misuse:   the second time, nothing happens, and a violation is reported. If more references were
 *           given back than taken, or if the kernel refuses the membarrier, a violation is
 *           reported, and the object leaks.
 * Threads:  not in a signal handler, because the function takes a lock for a short time. The
 *           function makes a membarrier, which takes some microseconds; no other thread waits for it.
 * Defined:  Linux, percpu_ref_kill(), which does all this some time later.
 */
void percpu_ref_kill(struct percpu_ref *ref) KREF_NONNULL;

/**
 * percpu_ref_kill() that calls confirm(ref): after percpu_ref_tryget_live() has begun to fail in
 * all threads, and before the initial reference is given back.
 *
 * Range:    as for percpu_ref_kill(); confirm may be NULL.
 * Misuse:   as for percpu_ref_kill(). The second time, and if the membarrier is refused, confirm is
 *           not called.
 * Threads:  as for percpu_ref_kill(). confirm runs in the calling thread, before this function
 *           returns.
 * Defined:  Linux, percpu_ref_kill_and_confirm(), which calls confirm some time later.
 */
void percpu_ref_kill_and_confirm(struct percpu_ref *ref,
                                 void (*confirm)(struct percpu_ref *ref)) KREF_NONNULL_ARGS((1));

/**
 * Change to atomic mode, until percpu_ref_switch_to_percpu(). Then call confirm(ref). In atomic
 * mode the count is known, so misuse is reported.
 *
 * Range:    confirm may be NULL.
 * Misuse:   as for percpu_ref_kill(); but a second call is allowed.
 * Ordering: release: the thread that makes the last put sees what other threads did before their
 *           earlier puts.
 * Threads:  as for percpu_ref_kill().
 * Defined:  Linux, percpu_ref_switch_to_atomic(), which calls confirm some time later. There, a
 *           percpu_ref without PERCPU_REF_ALLOW_REINIT is dying from then on.
 */
void percpu_ref_switch_to_atomic(struct percpu_ref *ref,
                                 void (*confirm)(struct percpu_ref *ref)) KREF_NONNULL_ARGS((1));

/**
 * percpu_ref_switch_to_atomic() without confirm. (Here both functions change the mode before they
 * return.)
 *
 * Misuse:   as for percpu_ref_kill(); but a second call is allowed.
 * Ordering: release: the thread that makes the last put sees what other threads did before their
 *           earlier puts.
 * Threads:  as for percpu_ref_kill().
 * Defined:  Linux, percpu_ref_switch_to_atomic_sync().
 */
void percpu_ref_switch_to_atomic_sync(struct percpu_ref *ref) KREF_NONNULL;

/**
 * Change to percpu mode: at once, or, if the percpu_ref was killed, when it is resurrected.
 *
 * Range:    a percpu_ref that was initialised with PERCPU_REF_ALLOW_REINIT, _INIT_ATOMIC or
 *           _INIT_DEAD. The caller holds a reference, or no other thread can reach the object.
 * Misuse:   initialised without these flags and switched to atomic mode: the mode does not change,
 *           and a violation is reported.
 * Threads:  not in a signal handler, because the function takes a lock for a short time.
 * Defined:  Linux, percpu_ref_switch_to_percpu().
 */
void percpu_ref_switch_to_percpu(struct percpu_ref *ref) KREF_NONNULL;

/**
 * Make a killed percpu_ref alive again, with a new initial reference, which the caller holds.
 * References that are still held stay valid.
 *
 * Range:    a percpu_ref that was killed and not freed, and that was initialised with
 *           PERCPU_REF_ALLOW_REINIT, _INIT_ATOMIC or _INIT_DEAD.
 * Misuse:   not killed: nothing happens, and a violation is reported. Initialised without these
 *           flags: it is alive again, but in atomic mode, and a violation is reported.
 * Threads:  not at the same time as percpu_ref_kill(), and not in a signal handler.
 * Defined:  Linux, percpu_ref_resurrect().
 */
void percpu_ref_resurrect(struct percpu_ref *ref) KREF_NONNULL;

/**
 * percpu_ref_resurrect() for a percpu_ref on which no reference is left, or that was initialised
 * with PERCPU_REF_INIT_DEAD.
 *
 * Range:    as for percpu_ref_resurrect(); and percpu_ref_is_zero() is true.
 * Misuse:   as for percpu_ref_resurrect(). If a reference is left, the percpu_ref is resurrected
 *           nevertheless, and a
 *           violation is reported.
 * Ordering: acquire.
 * Threads:  as for percpu_ref_resurrect().
 * Defined:  Linux, percpu_ref_reinit().
 */
void percpu_ref_reinit(struct percpu_ref *ref) KREF_NONNULL;

/**
 * Whether a percpu_ref was killed and not resurrected. Also true after percpu_ref_exit().
 *
 * Returns:  1 or 0.
 * Defined:  Linux, percpu_ref_is_dying().
 */
int percpu_ref_is_dying(struct percpu_ref *ref) KREF_NONNULL;

/**
 * Whether no reference is left. Never true in percpu mode.
 *
 * Ordering: acquire if it returns 1.
 * Returns:  1 or 0. 1 after percpu_ref_exit().
 * Defined:  Linux, percpu_ref_is_zero(), which after percpu_ref_exit() answers as before it.
 */
int percpu_ref_is_zero(struct percpu_ref *ref) KREF_NONNULL;

/* ---------------------------------------------------------------------------------------------
 * A slot for a percpu_ref
 *
 * The fastest lookup: on a thread with restartable sequences a get accesses no cache line to which
 * another CPU writes.
 *
 *     static struct percpu_ref_slot current = PERCPU_REF_SLOT_INIT;
 *
 *     // A reader. Any number of readers may run at the same time.
 *     struct percpu_ref *ref = percpu_ref_slot_get(&current);
 *     if (ref) { ...; percpu_ref_put(ref); }
 *
 *     // A writer. The slot takes over next's initial reference; the writer takes over old's.
 *     struct percpu_ref *old = percpu_ref_slot_replace(&current, &next->ref);
 *     if (old) percpu_ref_kill(old);
 * ------------------------------------------------------------------------------------------- */

/* The initialiser of an empty slot. A slot whose memory is all zero is empty, too. */
#define PERCPU_REF_SLOT_INIT { NULL, 0 }

/**
 * Make a new slot empty, as PERCPU_REF_SLOT_INIT does.
 *
 * Range:    a new slot, or one that is empty.
 * Misuse:   on a slot that publishes an object: the object leaks, because the slot forgets its
 *           reference.
 */
void percpu_ref_slot_init(struct percpu_ref_slot *slot) KREF_NONNULL;

/**
 * Take a reference on the published percpu_ref, in one step: rule 3.
 *
 * Misuse:   if the published percpu_ref was put once too often, or was freed, its count may be
 *           zero: a violation is reported, and NULL is returned.
 * Ordering: acquire: the caller sees what was done to the object before percpu_ref_slot_replace()
 *           published it.
 * Threads:  not in a signal handler, because the function may take a lock for a short time.
 * Returns:  the percpu_ref, with a reference that the caller holds now and must give back; NULL if
 *           the slot is empty. The percpu_ref may have been killed.
 */
KREF_MUST_USE struct percpu_ref *percpu_ref_slot_get(struct percpu_ref_slot *slot) KREF_NONNULL;

/**
 * Publish next, or nothing, and return the old percpu_ref. The slot takes over the caller's
 * reference on next. The caller takes over the slot's reference on the old one. This is usually the
 * initial reference: give it back with percpu_ref_kill().
 *
 * Range:    next may be NULL; then the slot becomes empty.
 * Misuse:   if the result is ignored, the old object leaks; compilers warn. If the kernel refuses
 *           the membarrier, a violation is reported, and the old object leaks.
 * Ordering: release for next, acquire for the old percpu_ref.
 * Threads:  not in a signal handler, because the function takes a lock for a short time. Unless the
 *           slot was empty, the function makes a membarrier, which takes some microseconds.
 * Returns:  the old percpu_ref, with a reference that the caller holds now; NULL if the slot was
 *           empty.
 */
KREF_MUST_USE
struct percpu_ref *percpu_ref_slot_replace(struct percpu_ref_slot *slot,
                                           struct percpu_ref *next) KREF_NONNULL_ARGS((1));

#ifdef __cplusplus
}
#endif

#endif /* KREF_PERCPU_H */
