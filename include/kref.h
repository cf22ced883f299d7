/*
 * kref.h - reference counts: the Linux kernel's kref for userspace
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 * Generated from src/capi by `make header`. Edit there.
 *
 * An object that is shared, queued, handed to a thread or looked up in a table outlives somebody's
 * memory of who owns it. Embed a struct kref in it, and keep three rules instead of remembering:
 *
 *   1. Take a reference BEFORE you hand a pointer on, to a thread, a queue, a table. If the
 *      hand-over fails, give it back.
 *   2. Give your reference back when you are done: kref_put(). The last put calls the release
 *      function, and nothing else frees the object.
 *   3. If you hold no reference, look the object up and take one in a single step that no last put
 *      can split: kref_lookup_mutex() under the table's lock, or kref_slot_get().
 *
 * An example, whole:
 *
 *     #include <kref.h>
 *     #include <stdio.h>
 *     #include <stdlib.h>
 *
 *     struct job { struct kref kref; int number; };
 *
 *     static void job_release(struct kref *kref) { free(kref_entry(kref, struct job, kref)); }
 *
 *     static void *work(void *arg)
 *     {
 *         struct job *job = arg;
 *         printf("job %d\n", job->number);
 *         kref_put(&job->kref, job_release);          // rule 2: the thread's
 *         return NULL;
 *     }
 *
 *     int main(void)
 *     {
 *         pthread_t thread;
 *         struct job *job = malloc(sizeof *job);
 *         if (!job) return 1;
 *         kref_init(&job->kref);                      // one reference, ours
 *         job->number = 7;
 *         int error = kref_thread_create(&thread, NULL, work, job,
 *                                        &job->kref, job_release); // rule 1: one for the thread
 *         kref_put(&job->kref, job_release);          // rule 2: ours
 *         return error ? 1 : pthread_join(thread, NULL);
 *     }
 *
 * Threads. Every function may be called by any number of threads at once; what an entry below says
 * under "Threads" is the exception. Functions that take no lock may be called in signal handlers.
 *
 * Orderings. Taking a reference is relaxed: you hold one already, or a lock. Giving one back is a
 * release, and the last put acquires before the release function runs. So the release function sees
 * everything that was done to the object by anyone before they put it. Nothing else is promised:
 * two holders that write to the same object need a lock as ever.
 *
 * Misuse. A count that overflows, that is taken from zero or put below it, saturates: it goes to
 * INT_MIN / 2 and stays there, and the object is not released from then on. A leak, where there
 * would have been a use after free. Then the violation handler is told; unless you set one, the
 * first time at each place in your program, a line on standard error. The environment variable
 * KREF_OPTIONS, as in KREF_OPTIONS=on_violation=abort, takes warn (the default), abort and quiet.
 * An object that was released already is beyond help: a get or put on it is caught only as long as
 * its memory is not used for something else.
 *
 * Your functions. release and find functions and the violation handler return, as C functions do:
 * no exception, longjmp() or pthread_exit() may leave them.
 *
 * Each entry says the same things in the same order: what the function does; the Range of what it
 * takes; what happens on Misuse and at saturation; its memory Ordering; from which Threads and
 * signal handlers it may be called; what it Returns; and by which document it is Defined. A pointer
 * must not be NULL unless the entry says so; compilers warn.
 *
 * The most used functions are inlined, from kref/inline.h, kref/percpu.h and kref/track.h;
 * -DKREF_NO_INLINE turns that off. Inlining is forced: a function whose target attribute takes
 * instructions away, as target("no-sse2") does, is not compiled with it by gcc.
 */
#ifndef KREF_H
#define KREF_H

#include <limits.h>
#include <pthread.h>
#include <stddef.h>

/* The version of this header, which is the library's. */
#define KREF_VERSION_MAJOR 0
#define KREF_VERSION_MINOR 2
#define KREF_VERSION_PATCH 0
#define KREF_VERSION "0.2.0"

/* What the compiler is told, where it listens. */
#if defined __GNUC__
#define KREF_NONNULL __attribute__((__nonnull__))
#define KREF_NONNULL_ARGS(args) __attribute__((__nonnull__ args))
#define KREF_MUST_USE __attribute__((__warn_unused_result__))
#define KREF_COLD __attribute__((__cold__))
#define KREF_STATIC static __inline__
#else
#define KREF_NONNULL
#define KREF_NONNULL_ARGS(args)
#define KREF_MUST_USE
#define KREF_COLD
#define KREF_STATIC static inline
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------------------------------------
 * Types
 * ------------------------------------------------------------------------------------------- */

/** What went wrong with a count. */
enum kref_violation_kind {
    /** A get on an object without references: the object is already being released. */
    KREF_GET_ON_ZERO = 1,
    /** There were more references than the count can hold. */
    KREF_OVERFLOW = 2,
    /** More references were given back than were held. */
    KREF_PUT_ON_ZERO = 3,
    /** A kref_count_dec() took the last reference: nobody released the object. */
    KREF_DEC_TO_ZERO = 4,
    /** The count was used again after one of the above, or is negative and no count at all. */
    KREF_USE_OF_SATURATED = 5,
    /** The lock for the last reference, or for a lookup, could not be taken. */
    KREF_LOCK_FAILED = 6,
    /** percpu_ref_kill() on a reference that is dying: its initial reference is gone already. */
    KREF_KILLED_TWICE = 7,
    /** percpu_ref_exit() while somebody may hold a reference: nothing was freed. */
    KREF_EXIT_WHILE_ALIVE = 8,
    /**
     * percpu_ref_resurrect(), _reinit() or _switch_to_percpu() on one that is not dead, not at zero,
     * or made without PERCPU_REF_ALLOW_REINIT.
     */
    KREF_BAD_REINIT = 9,
    /** The kernel refused a membarrier: the object leaks that was to be taken down or killed. */
    KREF_NOT_FENCED = 10,
    /** A get or put on a count that nobody has initialised: memory that is all zero. */
    KREF_NEVER_INITIALISED = 11
};

/** A saturating counter: what the kernel calls refcount_t. Use its functions, never the field. */
struct refcount_struct {
    int refs;
};

/** A reference count. Embed it in your object; kref_entry() leads back to the object. */
struct kref {
    struct refcount_struct refcount;
};

/**
 * One published pointer, from which any thread may take a reference. It owns a reference on what
 * it points to. It needs no destruction once it is empty. Use its functions, never the field.
 */
struct kref_slot {
    struct kref *kref;
};

/**
 * A reference count for the hottest objects, counted on each CPU apart. Embed it in your object. Use
 * its functions, never the fields.
 */
struct percpu_ref {
    void *counters;
    ptrdiff_t rseq;
    unsigned int cpus;
    void *data;
};

/**
 * One published pointer to a percpu_ref. It owns a reference on what it points to. It needs no
 * destruction once it is empty. Use its functions, never the fields.
 */
struct percpu_ref_slot {
    struct percpu_ref *percpu;
    ptrdiff_t rseq;
};

/** What a violation handler is told. */
struct kref_violation {
    /** What went wrong. */
    enum kref_violation_kind kind;
    /**
     * The address of the struct kref, of the bare struct refcount_struct or of the struct
     * percpu_ref. NULL if there was none: a lookup whose lock failed.
     */
    const void *kref;
    /** The return address of the call, in the code that made it. NULL where it is not known. */
    const void *caller;
};

/**
 * Who is told of violations. It may be called by any thread, and in a signal handler; it may be
 * called by several threads at once. The violation is gone when it returns.
 */
typedef void (*kref_violation_handler)(const struct kref_violation *violation, void *context);

/**
 * Who is told of every reference that is taken or given back on an object that is tracked. Each
 * function may be called by any thread, by several at once, and in signal handlers: wherever the
 * program gets and puts; and with the program's locks held. Each may be NULL. errno is kept.
 */
struct kref_tracker {
    /** sizeof(struct kref_tracker). Members beyond it do not exist. */
    size_t size;
    /** A kref_init() is about to begin an object, with one reference. 0: do not track it. */
    int (*created)(struct kref *kref);
    /** Somebody is about to take a reference: before the count changes. It may come to nothing. */
    void (*getting)(struct kref *kref);
    /**
     * A reference was taken; count is what there are now. holder is kref_get_as()'s, or NULL. Where
     * an operation takes several, once for each.
     */
    void (*got)(struct kref *kref, unsigned int count, const char *holder);
    /**
     * A reference is about to be given back; count is what there are still, and the object is alive.
     * release is NULL where only the counter's functions are used. Should others be quicker, so that
     * a kref_count_dec_not_one() or its like must not give it back, getting and got follow.
     */
    void (*putting)(struct kref *kref,
                    void (*release)(struct kref *kref),
                    unsigned int count,
                    const char *holder);
    /**
     * The last reference is gone. release, if not NULL, runs next: from here on nothing is told of
     * the object but violations, that an earlier put is done, and a getting that comes to nothing.
     */
    void (*released)(struct kref *kref, void (*release)(struct kref *kref));
    /** A reference was given back. The object may be gone: kref is an address and nothing else. */
    void (*done)(const void *kref);
    /** A violation, before its handler is told; also of counts that are not tracked. */
    void (*violated)(const struct kref_violation *violation);
    /** kref_track_report(). */
    void (*report)(int fd);
    /** kref_track_checkpoint(). */
    void (*checkpoint)(void);
};

/* The most that a count can hold, and where it ends when something goes wrong. */
#define KREF_MAX INT_MAX
#define KREF_SATURATED (INT_MIN / 2)

/* Initialisers: a kref with n references, 1 as a rule; and empty slots. n may be evaluated twice. 0 makes
 * a released object, a negative n a saturated one.
 *
 *     static struct config first = { .kref = KREF_INIT(1) };
 *     static struct kref_slot current = KREF_SLOT_INIT;
 *
 * A slot that is all zero is empty, too.
 */
#define KREF_INIT(n) { { KREF_STORED(n) } }
#define KREF_SLOT_INIT { NULL }
#define PERCPU_REF_SLOT_INIT { NULL, 0 }

/* For percpu_ref_init(): start in atomic mode, until percpu_ref_switch_to_percpu(); start dead, until
 * percpu_ref_reinit(); keep the counters on the CPUs after percpu_ref_kill(), so as to be resurrected.
 */
#define PERCPU_REF_INIT_ATOMIC 1u
#define PERCPU_REF_INIT_DEAD 2u
#define PERCPU_REF_ALLOW_REINIT 4u

/* For initialisers alone: the number in memory that stands for n references. */
#define KREF_STORED(n) ((int)(n) < 0 ? 0x60000000 : (((int)(n) & INT_MAX) - 1) ^ INT_MIN)

/* kref_entry(ptr, type, member): the object of that type whose member, a struct kref, ptr points
 * to. NULL stays NULL, so that a lookup's result can be passed through:
 *
 *     struct session *s = kref_entry(kref_lookup_mutex(&lock, find, &id), struct session, kref);
 */
#define kref_entry(ptr, type, member) \
    ((type *)kref_entry_at(1 ? (ptr) : &((type *)NULL)->member, offsetof(type, member)))

/* For kref_entry() alone; const or not is the type's to say. */
KREF_STATIC void *kref_entry_at(const struct kref *kref, size_t offset)
{
    return kref ? (void *)((size_t)kref - offset) : NULL;
}

/* ---------------------------------------------------------------------------------------------
 * A reference count: take, give back
 * ------------------------------------------------------------------------------------------- */

/**
 * Start counting: one reference, the caller's.
 *
 * Range:    a new object, or memory to be used again for one; no other thread knows it yet.
 * Misuse:   on an object that is still referenced, its holders are forgotten.
 * Ordering: relaxed. What shows the object to others later must order it: a lock, a queue,
 *           pthread_create().
 * Threads:  one, before the object is shared. Signal handlers: yes.
 * Returns:  nothing.
 * Defined:  Linux, kref_init().
 */
void kref_init(struct kref *kref) KREF_NONNULL;

/**
 * Read the count: a number to print, not to decide by, since it may have changed already.
 *
 * Range:    0 means that the object is being released; INT_MAX is the most; above it, the count
 *           is saturated.
 * Misuse:   none that can be seen.
 * Ordering: relaxed.
 * Threads:  any. Signal handlers: yes.
 * Returns:  the count.
 * Defined:  Linux, kref_read().
 */
unsigned int kref_read(const struct kref *kref) KREF_NONNULL;

/**
 * Take one more reference. The caller holds one already: this is rule 1, before a hand-over.
 *
 * Range:    up to INT_MAX references.
 * Misuse:   on a count of zero, at INT_MAX, or on a saturated count: the count saturates, the
 *           object is never released, and a violation is reported.
 * Ordering: relaxed. The caller's own reference already shows it the object.
 * Threads:  any. Signal handlers: yes.
 * Returns:  nothing; it cannot fail.
 * Defined:  Linux, kref_get().
 */
void kref_get(struct kref *kref) KREF_NONNULL;

/**
 * Take a reference unless the object is already being released. For lookups: the caller holds no
 * reference, but a lock or something like it that keeps the memory from being freed.
 *
 * Range:    up to INT_MAX references.
 * Misuse:   at INT_MAX, or on a saturated count: the count saturates, the object is never
 *           released, a violation is reported, and the caller may use the object (1 is returned).
 * Ordering: relaxed, as in the kernel; the lock that protects the lookup orders the rest.
 * Threads:  any. Signal handlers: yes.
 * Returns:  1 with a reference taken, 0 without: the object is not the caller's to use.
 * Defined:  Linux, kref_get_unless_zero().
 */
KREF_MUST_USE int kref_get_unless_zero(struct kref *kref) KREF_NONNULL;

/**
 * Give a reference back: rule 2. The last one calls release(kref), the only place that frees.
 *
 * Range:    one reference, the caller's own. The object is not the caller's to use afterwards.
 * Misuse:   on a count of zero or a saturated count: the count saturates, release is not called,
 *           and a violation is reported.
 * Ordering: release; and before release() runs, acquire: it sees everything that every holder
 *           did to the object before its own put.
 * Threads:  any. Signal handlers: if release() may run there.
 * Returns:  1 if this was the last reference and release() has run, otherwise 0.
 * Defined:  Linux, kref_put().
 */
int kref_put(struct kref *kref, void (*release)(struct kref *kref)) KREF_NONNULL;

/* ---------------------------------------------------------------------------------------------
 * Under a lock: the last put, and the lookup
 *
 * Where objects stand in a table, the last put and a lookup race for the same object. Three ways to
 * keep them apart, and kref_lookup_mutex() is right with each:
 *
 *   - the table holds a reference, and whoever takes the object out, under the lock, puts it;
 *   - it holds none: the last put takes the table's lock (kref_put_mutex, kref_put_lock), and release
 *     takes the object out;
 *   - it holds none, and release locks for itself: the lookup may find an object that is on its way
 *     out, and leaves it (kref_get_unless_zero).
 * ------------------------------------------------------------------------------------------- */

/**
 * Give a reference back; only where it may be the last, take the mutex first. For objects that
 * stand in a table: release() runs with the mutex held, takes the object out, unlocks, and frees.
 *
 * Range:    one reference, the caller's own; the caller does not hold the mutex.
 * Misuse:   on a count of zero or a saturated count: the count saturates, release is not called,
 *           and a violation is reported. If the mutex cannot be taken (a deadlock that an
 *           error-checking mutex refuses): reported, and the reference is not given back.
 * Ordering: release; and before release() runs, acquire, as in kref_put().
 * Threads:  any. Signal handlers: no. A robust mutex whose owner died is made consistent.
 * Returns:  1 if this was the last reference and release() has run, otherwise 0, with the mutex
 *           not held.
 * Defined:  Linux, kref_put_mutex(); POSIX, pthread_mutex_lock(). Saturation is reported only here.
 */
int kref_put_mutex(struct kref *kref,
                   void (*release)(struct kref *kref),
                   pthread_mutex_t *mutex) KREF_NONNULL;

/**
 * Look an object up and take a reference, in one step under the mutex: rule 3. Calls find(key)
 * with the mutex held; find() returns the kref of what it found, or NULL, and takes no reference.
 *
 * Range:    key is for find() alone and may be NULL; the caller does not hold the mutex. What
 *           find() returns is not freed while the mutex is held.
 * Misuse:   an object whose count is zero is on its way out and is not found. A count that is
 *           saturated is reported, and the object returned. If the mutex cannot be taken:
 *           reported, and NULL is returned.
 * Ordering: that of the mutex: whatever was done to the object under it is seen.
 * Threads:  any. Signal handlers: no.
 * Returns:  the kref, with a reference that is now the caller's to put, or NULL.
 * Defined:  Linux, Documentation/core-api/kref.rst (there it is written out by hand); POSIX,
 *           pthread_mutex_lock().
 */
KREF_MUST_USE
struct kref *kref_lookup_mutex(pthread_mutex_t *mutex,
                               struct kref *(*find)(void *key),
                               void *key) KREF_NONNULL_ARGS((1, 2));

/* Strict -std=c99 has no pthread_spinlock_t; -std=gnu99 or -D_POSIX_C_SOURCE=200809L has it. */
#if !defined __GLIBC__ || defined __USE_XOPEN2K

/**
 * kref_put_mutex() with a spin lock: only where it may be the last reference, take the lock first.
 * release() runs with the lock held, and unlocks it.
 *
 * Range:    one reference, the caller's own; the caller does not hold the lock.
 * Misuse:   as for kref_put_mutex().
 * Ordering: release; and before release() runs, acquire, as in kref_put().
 * Threads:  any. Signal handlers: no.
 * Returns:  1 if this was the last reference and release() has run, otherwise 0, with the lock
 *           not held.
 * Defined:  Linux, kref_put_lock(); POSIX, pthread_spin_lock(). Saturation is reported only here.
 */
int kref_put_lock(struct kref *kref,
                  void (*release)(struct kref *kref),
                  pthread_spinlock_t *lock) KREF_NONNULL;

/**
 * Give a reference back; where it is the last, return with the spin lock held.
 *
 * Range:    one reference; the caller does not hold the lock.
 * Misuse:   on a count of zero or a saturated count: the count saturates, a violation is
 *           reported, and 0 is returned. If the lock cannot be taken: reported, 0, and the
 *           reference is not given back.
 * Ordering: release; and on 1, acquire.
 * Threads:  any. Signal handlers: no.
 * Returns:  1 with the lock held if the count reached zero, otherwise 0 without it.
 * Defined:  Linux, refcount_dec_and_lock(); POSIX, pthread_spin_lock(). Saturation is reported only
 *           here.
 */
KREF_MUST_USE
int kref_count_dec_and_lock(struct refcount_struct *count,
                            pthread_spinlock_t *lock) KREF_NONNULL;

#endif

/* ---------------------------------------------------------------------------------------------
 * A published pointer: take, replace
 *
 * For the one object that everybody looks up: the configuration in force, the current connection.
 * For what is read more than it is replaced: a get costs one atomic operation and takes no lock where
 * the thread has restartable sequences (kref_rseq_available), while a replace costs some microseconds.
 * All who use one slot must be linked with the same copy of libkref, since its lock is in there: not
 * a program with libkref.a and its plugin with libkref.so. The child of a fork of a multithreaded
 * program may find that lock taken for ever: no get or replace there.
 *
 *     static struct kref_slot current = KREF_SLOT_INIT;
 *
 *     struct kref *kref = kref_slot_get(&current);               readers, any number
 *     if (kref) { ...; kref_put(kref, release); }
 *
 *     struct kref *old = kref_slot_replace(&current, &next->kref);       a writer: our reference
 *     if (old) kref_put(old, release);                                   on next is the slot's now
 * ------------------------------------------------------------------------------------------- */

/**
 * Make a slot empty that was never used, as KREF_SLOT_INIT does.
 *
 * Range:    a new slot, or one that is empty.
 * Misuse:   on a slot that publishes something, the slot's reference is forgotten.
 * Ordering: relaxed. What shows the slot to others later must order it.
 * Threads:  one, before the slot is shared. Signal handlers: yes.
 * Returns:  nothing.
 * Defined:  here.
 */
void kref_slot_init(struct kref_slot *slot) KREF_NONNULL;

/**
 * Take a reference on what the slot publishes, in one step that no last put splits: rule 3.
 *
 * Range:    any slot that was initialised.
 * Misuse:   an object that somebody has put once too often may have a count of zero: the count
 *           saturates, a violation is reported, and NULL is returned. At INT_MAX, or saturated:
 *           the count saturates, a violation is reported, and the object is returned.
 * Ordering: acquire: whatever was done to the object before kref_slot_replace() published it is
 *           seen.
 * Threads:  any. Signal handlers: no, it may take a lock for a moment.
 * Returns:  the kref, with a reference that is now the caller's to put, or NULL if the slot is
 *           empty.
 * Defined:  here.
 */
KREF_MUST_USE struct kref *kref_slot_get(struct kref_slot *slot) KREF_NONNULL;

/**
 * Publish next, or nothing, and take down what was published. The slot takes over the caller's
 * reference on next; the caller takes over the slot's reference on the old object, to put it.
 *
 * Range:    next may be NULL: the slot is empty then.
 * Misuse:   a result that is thrown away is a leak, and a warning of the compiler's. If the kernel
 *           refuses the membarrier: reported, and the old object leaks.
 * Ordering: release for next, acquire for the old object.
 * Threads:  any. Signal handlers: no, it takes a lock for a moment. It costs a membarrier, some
 *           microseconds, unless the slot was empty.
 * Returns:  what was published, with a reference that is now the caller's to put, or NULL.
 * Defined:  here.
 */
KREF_MUST_USE
struct kref *kref_slot_replace(struct kref_slot *slot,
                               struct kref *next) KREF_NONNULL_ARGS((1));

/**
 * Whether this thread's lookups in slots need no lock, and its gets and puts of a percpu_ref no atomic
 * operation: whether it has restartable sequences. If not, they take the slower ways, which are as
 * right.
 *
 * Range:    none.
 * Misuse:   none.
 * Ordering: none.
 * Threads:  any; the answer is the calling thread's. Signal handlers: no.
 * Returns:  1 or 0. 0 with another processor than x86-64 or another libc than glibc 2.35 or later,
 *           under valgrind, with GLIBC_TUNABLES=glibc.pthread.rseq=0, and where a filter refuses
 *           membarrier().
 * Defined:  here.
 */
int kref_rseq_available(void);

/* ---------------------------------------------------------------------------------------------
 * Hot objects: a reference count on each CPU
 *
 * For the few objects that all threads get and put all the time: on each CPU a counter of its own, so
 * that a get or a put is a plain addition, and one CPU never waits for another's cache line. The
 * kernel's percpu_ref, but that nothing here happens later: percpu_ref_kill() returns when it is done.
 *
 *     percpu_ref_init(&server->ref, server_release, 0);       one reference, the initial one
 *
 *     percpu_ref_get(&server->ref);  ...;  percpu_ref_put(&server->ref);                  as ever
 *
 *     percpu_ref_kill(&server->ref);          gives the initial one back; the last put releases
 *
 *     static void server_release(struct percpu_ref *ref)
 *     {
 *         percpu_ref_exit(ref);               frees what percpu_ref_init() took; then the object
 *     }
 *
 * As long as it is not killed nobody can know that a put was the last. So the initial reference must
 * stay, and percpu_ref_kill() must come: it is the end of the object's life as far as new users are
 * concerned. On threads without restartable sequences all this is one atomic count, and as right.
 *
 * It takes 64 bytes and another 8 for each CPU; an object that is not hot is better off with a kref.
 * What takes a lock, as percpu_ref_kill() does, may find it taken for ever in the child of a fork of a
 * multithreaded program; a get or a put takes none. One copy of libkref, as for slots.
 * ------------------------------------------------------------------------------------------- */

/**
 * Begin with one reference, the initial one, which percpu_ref_kill() gives back.
 *
 * Range:    flags: any of PERCPU_REF_INIT_ATOMIC, PERCPU_REF_INIT_DEAD, PERCPU_REF_ALLOW_REINIT, or
 *           0. release is called by whoever gives back the last reference.
 * Misuse:   on one in use, what it took is forgotten.
 * Ordering: relaxed. What shows the object to others later must order it.
 * Threads:  one, before the object is shared. Signal handlers: no, it allocates.
 * Returns:  0; -ENOMEM; -EINVAL for a flag that is none. Then nothing was taken.
 * Defined:  Linux, percpu_ref_init(), which has one parameter more.
 */
int percpu_ref_init(struct percpu_ref *ref,
                    void (*release)(struct percpu_ref *ref),
                    unsigned int flags) KREF_MUST_USE KREF_NONNULL;

/**
 * Free what percpu_ref_init() took: in the release function, or where the object is given up that
 * nobody else ever knew.
 *
 * Range:    one that was released; or was never killed, with its initial reference alone; or one
 *           after percpu_ref_exit(), which does nothing. Nobody may be in a percpu_ref_tryget() any
 *           more: what keeps the memory for those must keep it from this, too.
 * Misuse:   while somebody may hold a reference, nothing is freed, and a violation is reported.
 * Ordering: that of percpu_ref_kill() if it was never killed, otherwise none.
 * Threads:  one, the last to know the object. Signal handlers: no.
 * Returns:  nothing.
 * Defined:  Linux, percpu_ref_exit().
 */
void percpu_ref_exit(struct percpu_ref *ref) KREF_NONNULL;

/**
 * Take one more reference; the caller holds one already.
 *
 * Range:    the sum up to LONG_MAX / 8.
 * Misuse:   at zero or saturated, where that can be known (in atomic mode): the count saturates, and
 *           a violation is reported.
 * Ordering: relaxed.
 * Threads:  any. Signal handlers: yes.
 * Returns:  nothing.
 * Defined:  Linux, percpu_ref_get(). Saturation is only here.
 */
void percpu_ref_get(struct percpu_ref *ref) KREF_NONNULL;

/**
 * Take nr more references; the caller holds one already.
 *
 * Range:    nr up to INT_MAX (2^15 - 1 where a long has 32 bits); the sum up to LONG_MAX / 8.
 * Misuse:   as for percpu_ref_get(); and a greater nr is an overflow.
 * Ordering: relaxed.
 * Threads:  any. Signal handlers: yes.
 * Returns:  nothing.
 * Defined:  Linux, percpu_ref_get_many(). Saturation is only here.
 */
void percpu_ref_get_many(struct percpu_ref *ref, unsigned long nr) KREF_NONNULL;

/**
 * Take a reference unless none is left. For those who hold none: something else keeps the memory.
 *
 * Range:    as for percpu_ref_get().
 * Misuse:   saturated, in atomic mode: a violation is reported, and 1 is returned.
 * Ordering: relaxed.
 * Threads:  any. Signal handlers: yes.
 * Returns:  1 if it was taken, 0 if no reference was left.
 * Defined:  Linux, percpu_ref_tryget(). Saturation is only here.
 */
KREF_MUST_USE int percpu_ref_tryget(struct percpu_ref *ref) KREF_NONNULL;

/**
 * Take nr references unless none is left.
 *
 * Range:    as for percpu_ref_get_many().
 * Misuse:   as for percpu_ref_tryget(); and a greater nr is an overflow.
 * Ordering: relaxed.
 * Threads:  any. Signal handlers: yes.
 * Returns:  1 if they were taken, 0 if no reference was left.
 * Defined:  Linux, percpu_ref_tryget_many(). Saturation is only here.
 */
KREF_MUST_USE int percpu_ref_tryget_many(struct percpu_ref *ref, unsigned long nr) KREF_NONNULL;

/**
 * Take a reference unless it was killed. Once percpu_ref_kill() calls confirm, or returns, nobody
 * succeeds any more.
 *
 * Range:    as for percpu_ref_get().
 * Misuse:   as for percpu_ref_tryget().
 * Ordering: relaxed.
 * Threads:  any. Signal handlers: yes.
 * Returns:  1 if it was taken, 0 if it is dying.
 * Defined:  Linux, percpu_ref_tryget_live(). Saturation is only here.
 */
KREF_MUST_USE int percpu_ref_tryget_live(struct percpu_ref *ref) KREF_NONNULL;

/**
 * Give one reference back. After percpu_ref_kill(), the last one calls release.
 *
 * Range:    one reference, the caller's own, and not the initial one, which is percpu_ref_kill()'s.
 * Misuse:   at zero or saturated, where that can be known (in atomic mode): the count saturates,
 *           release is not called, and a violation is reported. Otherwise percpu_ref_kill() finds
 *           out.
 * Ordering: release; and before release() runs, acquire.
 * Threads:  any. Signal handlers: if release() may run there.
 * Returns:  nothing.
 * Defined:  Linux, percpu_ref_put(). Saturation is only here.
 */
void percpu_ref_put(struct percpu_ref *ref) KREF_NONNULL;

/**
 * Give nr references back. After percpu_ref_kill(), the last one calls release.
 *
 * Range:    nr references, the caller's own; up to INT_MAX.
 * Misuse:   as for percpu_ref_put(); and a greater nr is more than was taken.
 * Ordering: release; and before release() runs, acquire.
 * Threads:  any. Signal handlers: if release() may run there.
 * Returns:  nothing.
 * Defined:  Linux, percpu_ref_put_many(). Saturation is only here.
 */
void percpu_ref_put_many(struct percpu_ref *ref, unsigned long nr) KREF_NONNULL;

/* ---------------------------------------------------------------------------------------------
 * Hot objects: death and return
 * ------------------------------------------------------------------------------------------- */

/**
 * Give the initial reference back, and count atomically from now on, so that the last put is seen:
 * it calls release, perhaps before this returns. percpu_ref_tryget_live() fails from now on.
 *
 * Range:    once, by whoever the initial reference belongs to.
 * Misuse:   a second time: nothing is done, and a violation is reported. If more was put than taken,
 *           or the kernel refuses the membarrier: reported, and the object leaks.
 * Ordering: release; and before release() runs, acquire.
 * Threads:  any. Signal handlers: no, it takes a lock for a moment. It costs a membarrier, some
 *           microseconds; nobody waits for it but the caller.
 * Returns:  nothing.
 * Defined:  Linux, percpu_ref_kill(), where all this happens some time later.
 */
void percpu_ref_kill(struct percpu_ref *ref) KREF_NONNULL;

/**
 * percpu_ref_kill() that calls confirm(ref) when percpu_ref_tryget_live() fails for everybody, and
 * before it gives the initial reference back.
 *
 * Range:    as for percpu_ref_kill(); confirm may be NULL.
 * Misuse:   as for percpu_ref_kill(). The second time, and where the membarrier is refused, confirm is
 *           not called: there is nothing to confirm.
 * Ordering: as for percpu_ref_kill().
 * Threads:  as for percpu_ref_kill(); confirm runs in the calling one, before this returns.
 * Returns:  nothing.
 * Defined:  Linux, percpu_ref_kill_and_confirm(), where confirm is called some time later.
 */
void percpu_ref_kill_and_confirm(struct percpu_ref *ref,
                                 void (*confirm)(struct percpu_ref *ref)) KREF_NONNULL_ARGS((1));

/**
 * Count atomically from now on, until percpu_ref_switch_to_percpu(): for a time in which the count is
 * to be known. Then confirm(ref) is called.
 *
 * Range:    the caller holds a reference; confirm may be NULL.
 * Misuse:   as for percpu_ref_kill(), but for a second time, which is none.
 * Ordering: release, for what others did before they put.
 * Threads:  any. Signal handlers: no. It costs what percpu_ref_kill() costs.
 * Returns:  nothing.
 * Defined:  Linux, percpu_ref_switch_to_atomic(), where confirm is called some time later.
 */
void percpu_ref_switch_to_atomic(struct percpu_ref *ref,
                                 void (*confirm)(struct percpu_ref *ref)) KREF_NONNULL_ARGS((1));

/**
 * percpu_ref_switch_to_atomic() without a confirm: here both have happened when they return.
 *
 * Range:    the caller holds a reference.
 * Misuse:   as for percpu_ref_switch_to_atomic().
 * Ordering: as for percpu_ref_switch_to_atomic().
 * Threads:  as for percpu_ref_switch_to_atomic().
 * Returns:  nothing.
 * Defined:  Linux, percpu_ref_switch_to_atomic_sync().
 */
void percpu_ref_switch_to_atomic_sync(struct percpu_ref *ref) KREF_NONNULL;

/**
 * Count on each CPU again: at once, or when it is resurrected.
 *
 * Range:    made with PERCPU_REF_ALLOW_REINIT, _INIT_ATOMIC or _INIT_DEAD. The caller holds a
 *           reference, or has the object to itself.
 * Misuse:   made without: it stays as it is, and a violation is reported.
 * Ordering: relaxed.
 * Threads:  any. Signal handlers: no, it takes a lock for a moment.
 * Returns:  nothing.
 * Defined:  Linux, percpu_ref_switch_to_percpu().
 */
void percpu_ref_switch_to_percpu(struct percpu_ref *ref) KREF_NONNULL;

/**
 * Take a killed one back into life, with a new initial reference; references that are held count on.
 *
 * Range:    killed, not freed; made with PERCPU_REF_ALLOW_REINIT, _INIT_ATOMIC or _INIT_DEAD.
 * Misuse:   not killed: nothing is done. Made without: it lives on in atomic mode. Both are reported.
 * Ordering: relaxed.
 * Threads:  any, one at a time with percpu_ref_kill(). Signal handlers: no.
 * Returns:  nothing.
 * Defined:  Linux, percpu_ref_resurrect().
 */
void percpu_ref_resurrect(struct percpu_ref *ref) KREF_NONNULL;

/**
 * percpu_ref_resurrect() for one whose last reference is gone; or that began with
 * PERCPU_REF_INIT_DEAD.
 *
 * Range:    as for percpu_ref_resurrect(); percpu_ref_is_zero().
 * Misuse:   as for percpu_ref_resurrect(); not at zero: resurrected all the same, and reported.
 * Ordering: acquire.
 * Threads:  as for percpu_ref_resurrect().
 * Returns:  nothing.
 * Defined:  Linux, percpu_ref_reinit().
 */
void percpu_ref_reinit(struct percpu_ref *ref) KREF_NONNULL;

/**
 * Whether it was killed and not resurrected; also after percpu_ref_exit().
 *
 * Range:    any that was initialised.
 * Misuse:   none that can be seen.
 * Ordering: relaxed.
 * Threads:  any. Signal handlers: yes.
 * Returns:  1 or 0.
 * Defined:  Linux, percpu_ref_is_dying().
 */
int percpu_ref_is_dying(struct percpu_ref *ref) KREF_NONNULL;

/**
 * Whether no reference is left. Never while it counts on each CPU.
 *
 * Range:    any that was initialised; also after percpu_ref_exit().
 * Misuse:   none that can be seen.
 * Ordering: acquire, if so.
 * Threads:  any. Signal handlers: yes.
 * Returns:  1 or 0.
 * Defined:  Linux, percpu_ref_is_zero().
 */
int percpu_ref_is_zero(struct percpu_ref *ref) KREF_NONNULL;

/* ---------------------------------------------------------------------------------------------
 * Hot objects, published: take, replace
 *
 * A slot for a percpu_ref, and the cheapest lookup of all: where the thread has restartable sequences
 * it touches nothing that another CPU writes.
 *
 *     static struct percpu_ref_slot current = PERCPU_REF_SLOT_INIT;
 *
 *     struct percpu_ref *ref = percpu_ref_slot_get(&current);    readers, any number
 *     if (ref) { ...; percpu_ref_put(ref); }
 *
 *     struct percpu_ref *old = percpu_ref_slot_replace(&current, &next->ref);    a writer: next's
 *     if (old) percpu_ref_kill(old);              initial reference is the slot's now, old's is ours
 * ------------------------------------------------------------------------------------------- */

/**
 * Make a slot empty that was never used, as PERCPU_REF_SLOT_INIT does.
 *
 * Range:    a new slot, or one that is empty.
 * Misuse:   on a slot that publishes something, the slot's reference is forgotten.
 * Ordering: relaxed. What shows the slot to others later must order it.
 * Threads:  one, before the slot is shared. Signal handlers: yes.
 * Returns:  nothing.
 * Defined:  here.
 */
void percpu_ref_slot_init(struct percpu_ref_slot *slot) KREF_NONNULL;

/**
 * Take a reference on what the slot publishes, in one step that no last put splits: rule 3.
 *
 * Range:    any slot that was initialised.
 * Misuse:   one that somebody has put once too often, or that was freed, may be at zero: a violation
 *           is reported, and NULL is returned.
 * Ordering: acquire: whatever was done to the object before percpu_ref_slot_replace() published it
 *           is seen.
 * Threads:  any. Signal handlers: no, it may take a lock for a moment.
 * Returns:  the percpu_ref, with a reference that is now the caller's to put, or NULL if the slot is
 *           empty. It may be dying.
 * Defined:  here.
 */
KREF_MUST_USE
struct percpu_ref *percpu_ref_slot_get(struct percpu_ref_slot *slot) KREF_NONNULL;

/**
 * Publish next, or nothing, and take down what was published. The slot takes over the caller's
 * reference on next; the caller takes over the slot's reference on the old one. As a rule that is
 * the initial one: give it back by percpu_ref_kill().
 *
 * Range:    next may be NULL: the slot is empty then.
 * Misuse:   a result that is thrown away is a leak, and a warning of the compiler's. If the kernel
 *           refuses the membarrier: reported, and the old object leaks.
 * Ordering: release for next, acquire for the old one.
 * Threads:  any. Signal handlers: no, it takes a lock for a moment. It costs a membarrier unless the
 *           slot was empty.
 * Returns:  what was published, with a reference that is now the caller's, or NULL.
 * Defined:  here.
 */
KREF_MUST_USE
struct percpu_ref *percpu_ref_slot_replace(struct percpu_ref_slot *slot,
                                           struct percpu_ref *next) KREF_NONNULL_ARGS((1));

/* ---------------------------------------------------------------------------------------------
 * A hand-over to a new thread
 * ------------------------------------------------------------------------------------------- */

/**
 * Hand a reference to a new thread: take it, start the thread, and give it back if that failed.
 * Rule 1 in one call. The thread puts the reference when it is done.
 *
 * Range:    thread, attr, start and arg are pthread_create()'s; attr and arg may be NULL. The
 *           caller holds a reference on kref, which stays the caller's. release is for the put if
 *           the thread cannot be started.
 * Misuse:   as for kref_get(); the thread is started all the same.
 * Ordering: that of pthread_create(): the thread sees what the caller did before.
 * Threads:  any. Signal handlers: no.
 * Returns:  0, or pthread_create()'s error number (EAGAIN, EINVAL, EPERM); then no thread was
 *           started, and the caller's reference is still the caller's.
 * Defined:  POSIX, pthread_create().
 */
KREF_MUST_USE
int kref_thread_create(pthread_t *thread,
                       const pthread_attr_t *attr,
                       void *(*start)(void *arg),
                       void *arg,
                       struct kref *kref,
                       void (*release)(struct kref *kref)) KREF_NONNULL_ARGS((1, 3, 5, 6));

/* ---------------------------------------------------------------------------------------------
 * Violations: who is told
 * ------------------------------------------------------------------------------------------- */

/**
 * Set who is told of violations from now on. The count is saturated, and harmless, before the
 * handler is called. The default handler writes a line to standard error for each kind and calling
 * address, the first time; KREF_OPTIONS=on_violation=abort or quiet changes that. Standard error is
 * descriptor 2, whatever the program has opened there. A line that cannot be written is dropped,
 * and raises no SIGPIPE.
 *
 * Range:    handler may be NULL: the default again. context is for the handler alone.
 * Misuse:   a handler that uses the count it is told about is told again, without end. One whose
 *           code is to be unloaded must be replaced before, and no thread be in it still.
 * Ordering: release; a thread that is told sees what was done before this call.
 * Threads:  any; another may still be in the old handler when this returns. Signal handlers: no,
 *           it takes a lock for a moment (to be told takes none). Nor in the child of a fork of a
 *           multithreaded program, which may find that lock taken for ever.
 * Returns:  nothing.
 * Defined:  here.
 */
void kref_set_violation_handler(kref_violation_handler handler, void *context);

/* ---------------------------------------------------------------------------------------------
 * Tracking: who has which reference
 *
 * A program that is run with KREF_OPTIONS=track=1 in its environment loads libkref_track.so, which is
 * told of every object that kref_init() begins, and of each of its gets and puts, and says at the end
 * who forgot what: see its documentation, or kref-track --help. It is found as KREF_TRACK_LIBRARY
 * says, or beside libkref.so, or as the loader finds libraries. What KREF_OPTIONS says beside track
 * and on_violation is for the tracker. A setuid program does not listen to any of this, and one that
 * is linked with -static cannot load it.
 *
 * A program may have a tracker of its own:
 *
 *     static void got(struct kref *kref, unsigned int count, const char *holder) { ... }
 *
 *     static const struct kref_tracker tracker = { .size = sizeof tracker, .created = ..., .got = got };
 *
 *     if (kref_set_tracker(&tracker)) ...
 *
 * While nobody tracks, this costs nothing: the code of a get or a put is the same. A count that is
 * tracked holds 4000000 references; one more is an overflow, as INT_MAX is for others. So that a
 * reader can be told from another, name the holders: kref_get_as(), kref_put_as().
 * ------------------------------------------------------------------------------------------- */

/**
 * Set who is told of objects from now on: of each that kref_init() begins, and to which created()
 * says yes, whatever is done to its references.
 *
 * Range:    tracker may be NULL: nobody. Objects made from now on are not tracked then; those that
 *           are go on counting, and nobody is told. Objects made before are not tracked, nor are
 *           those that KREF_INIT() makes, or kref_count_set().
 * Misuse:   a size that no table has is refused. The table, and the code of its functions, must stay
 *           for good, also when another is set.
 * Ordering: release; whoever is told sees what was done before this call.
 * Threads:  any; the old table may still be used when this returns. Signal handlers: yes.
 * Returns:  0, or -EINVAL.
 * Defined:  here.
 */
KREF_MUST_USE
int kref_set_tracker(const struct kref_tracker *tracker);

/**
 * kref_get() by a holder with a name: what is to hold the reference, as "cache". A tracker that finds
 * the reference left over can say who has it. Where nobody tracks it costs what kref_get() costs.
 *
 * Range:    as for kref_get(). holder may be NULL, which is nobody with a name; otherwise it is a
 *           string that outlives the reference.
 * Misuse:   as for kref_get().
 * Ordering: relaxed, as in kref_get().
 * Threads:  any. Signal handlers: yes.
 * Returns:  nothing; it cannot fail.
 * Defined:  here.
 */
void kref_get_as(struct kref *kref,
                 const char *holder) KREF_NONNULL_ARGS((1));

/**
 * kref_put() by a holder with a name, the one of its kref_get_as().
 *
 * Range:    as for kref_put(). holder may be NULL, as for kref_get_as(): what kref_init() gave has no
 *           name.
 * Misuse:   as for kref_put(). A holder that holds nothing is for the tracker to complain of.
 * Ordering: release; and before release() runs, acquire, as in kref_put().
 * Threads:  any. Signal handlers: if release() may run there.
 * Returns:  1 if this was the last reference and release() has run, otherwise 0.
 * Defined:  here.
 */
int kref_put_as(struct kref *kref,
                void (*release)(struct kref *kref),
                const char *holder) KREF_NONNULL_ARGS((1, 2));

/**
 * Write a report of what is referenced now.
 *
 * Range:    fd is open for writing.
 * Misuse:   what cannot be written is lost.
 * Ordering: none.
 * Threads:  any. Signal handlers: the tracker's documentation says; libkref_track.so: no.
 * Returns:  0, or -ENOTSUP if nobody tracks who reports.
 * Defined:  here.
 */
int kref_track_report(int fd);

/**
 * Remember what is referenced now: reports from now on, the one at exit too, are of what came since.
 *
 * Range:    none.
 * Misuse:   none.
 * Ordering: none.
 * Threads:  any. Signal handlers: the tracker's documentation says; libkref_track.so: no.
 * Returns:  0, or -ENOTSUP if nobody tracks who has checkpoints.
 * Defined:  here.
 */
int kref_track_checkpoint(void);

/* ---------------------------------------------------------------------------------------------
 * The counter alone: the kernel's refcount_t
 *
 * For code that is written with refcount_t; <linux/refcount.h>, from the same package, gives these
 * the kernel's names. New code has more of a struct kref.
 * ------------------------------------------------------------------------------------------- */

/**
 * Set the count, whatever it was.
 *
 * Range:    n from 1 to INT_MAX; no other thread knows the counter yet.
 * Misuse:   n of 0 or less makes a counter that is dead, or saturated.
 * Ordering: relaxed.
 * Threads:  one, before the counter is shared. Signal handlers: yes.
 * Returns:  nothing.
 * Defined:  Linux, refcount_set().
 */
void kref_count_set(struct refcount_struct *count, int n) KREF_NONNULL;

/**
 * kref_count_set() for memory that is reused while others may still try to take a reference: what
 * was written to the object before comes before what they read after an _acquire form.
 *
 * Range:    n from 1 to INT_MAX; the count was zero.
 * Misuse:   as for kref_count_set().
 * Ordering: release; pairs with the _acquire forms.
 * Threads:  one, the one that makes the object anew. Signal handlers: yes.
 * Returns:  nothing.
 * Defined:  Linux, refcount_set_release().
 */
void kref_count_set_release(struct refcount_struct *count, int n) KREF_NONNULL;

/**
 * Read the count: a number to print, not to decide by, since it may have changed already.
 *
 * Range:    above INT_MAX, the counter is saturated.
 * Misuse:   none that can be seen.
 * Ordering: relaxed.
 * Threads:  any. Signal handlers: yes.
 * Returns:  the count.
 * Defined:  Linux, refcount_read().
 */
unsigned int kref_count_read(const struct refcount_struct *count) KREF_NONNULL;

/**
 * Take i more references; the caller holds one already.
 *
 * Range:    i from 0; the sum up to INT_MAX.
 * Misuse:   at zero, past INT_MAX, with a negative i, or saturated: the count saturates, and a
 *           violation is reported.
 * Ordering: relaxed.
 * Threads:  any. Signal handlers: yes.
 * Returns:  nothing.
 * Defined:  Linux, refcount_add(); a negative i is caught only here.
 */
void kref_count_add(int i, struct refcount_struct *count) KREF_NONNULL;

/**
 * Take one more reference; the caller holds one already.
 *
 * Range:    up to INT_MAX.
 * Misuse:   at zero, at INT_MAX or saturated: the count saturates, and a violation is reported.
 * Ordering: relaxed.
 * Threads:  any. Signal handlers: yes.
 * Returns:  nothing.
 * Defined:  Linux, refcount_inc().
 */
void kref_count_inc(struct refcount_struct *count) KREF_NONNULL;

/**
 * Take i references unless the count is zero.
 *
 * Range:    i from 0; the sum up to INT_MAX.
 * Misuse:   past INT_MAX, with a negative i, or saturated: the count saturates, a violation is
 *           reported, and 1 is returned.
 * Ordering: relaxed.
 * Threads:  any. Signal handlers: yes.
 * Returns:  1 if they were taken, 0 if the count was zero.
 * Defined:  Linux, refcount_add_not_zero(); a negative i is caught only here.
 */
KREF_MUST_USE int kref_count_add_not_zero(int i, struct refcount_struct *count) KREF_NONNULL;

/**
 * Take one reference unless the count is zero.
 *
 * Range:    up to INT_MAX.
 * Misuse:   at INT_MAX or saturated: the count saturates, a violation is reported, and 1 is returned.
 * Ordering: relaxed.
 * Threads:  any. Signal handlers: yes.
 * Returns:  1 if it was taken, 0 if the count was zero.
 * Defined:  Linux, refcount_inc_not_zero().
 */
KREF_MUST_USE
int kref_count_inc_not_zero(struct refcount_struct *count) KREF_NONNULL;

/**
 * kref_count_add_not_zero() for memory that is reused: what the count tells comes before what
 * is read next.
 *
 * Range:    i from 0; the sum up to INT_MAX.
 * Misuse:   as for kref_count_add_not_zero().
 * Ordering: acquire if it returns 1; pairs with kref_count_set_release() and with a put.
 * Threads:  any. Signal handlers: yes.
 * Returns:  1 if they were taken, 0 if the count was zero.
 * Defined:  Linux, refcount_add_not_zero_acquire(); saturation is reported only here.
 */
KREF_MUST_USE
int kref_count_add_not_zero_acquire(int i,
                                    struct refcount_struct *count) KREF_NONNULL;

/**
 * kref_count_inc_not_zero() for memory that is reused: what the count tells comes before what
 * is read next.
 *
 * Range:    up to INT_MAX.
 * Misuse:   as for kref_count_inc_not_zero().
 * Ordering: acquire if it returns 1; pairs with kref_count_set_release() and with a put.
 * Threads:  any. Signal handlers: yes.
 * Returns:  1 if it was taken, 0 if the count was zero.
 * Defined:  Linux, refcount_inc_not_zero_acquire(); saturation is reported only here.
 */
KREF_MUST_USE int kref_count_inc_not_zero_acquire(struct refcount_struct *count) KREF_NONNULL;

/**
 * Give i references back.
 *
 * Range:    i from 0 to the references that the caller owns.
 * Misuse:   more than there are, at zero, a negative i, or saturated: the count saturates, a
 *           violation is reported, and 0 is returned.
 * Ordering: release; and on 1, acquire.
 * Threads:  any. Signal handlers: yes.
 * Returns:  1 if they were the last, otherwise 0.
 * Defined:  Linux, refcount_sub_and_test(); a negative i is caught only here.
 */
KREF_MUST_USE int kref_count_sub_and_test(int i, struct refcount_struct *count) KREF_NONNULL;

/**
 * Give one reference back.
 *
 * Range:    one reference, the caller's own.
 * Misuse:   at zero or saturated: the count saturates, a violation is reported, and 0 is returned.
 * Ordering: release; and on 1, acquire.
 * Threads:  any. Signal handlers: yes.
 * Returns:  1 if it was the last, otherwise 0.
 * Defined:  Linux, refcount_dec_and_test().
 */
KREF_MUST_USE int kref_count_dec_and_test(struct refcount_struct *count) KREF_NONNULL;

/**
 * Give one reference back that is known not to be the last.
 *
 * Range:    from a count of 2.
 * Misuse:   at 1 or zero, or saturated: the count saturates, and a violation is reported.
 * Ordering: release.
 * Threads:  any. Signal handlers: yes.
 * Returns:  nothing.
 * Defined:  Linux, refcount_dec().
 */
void kref_count_dec(struct refcount_struct *count) KREF_NONNULL;

/**
 * Give the last reference back; do nothing if there are others.
 *
 * Range:    any count.
 * Misuse:   nothing is reported: a count other than 1 stays as it is.
 * Ordering: release and acquire on 1.
 * Threads:  any. Signal handlers: yes.
 * Returns:  1 if the count went from 1 to 0, otherwise 0.
 * Defined:  Linux, refcount_dec_if_one().
 */
KREF_MUST_USE int kref_count_dec_if_one(struct refcount_struct *count) KREF_NONNULL;

/**
 * Give one reference back unless it is the last.
 *
 * Range:    one reference, the caller's own.
 * Misuse:   at zero or saturated: the count saturates, a violation is reported, and 1 is returned.
 * Ordering: release if it returns 1.
 * Threads:  any. Signal handlers: yes.
 * Returns:  1 if it was given back, 0 if it is the last and still the caller's.
 * Defined:  Linux, refcount_dec_not_one(); saturation is reported only here.
 */
KREF_MUST_USE int kref_count_dec_not_one(struct refcount_struct *count) KREF_NONNULL;

/**
 * Give one reference back; where it is the last, return with the mutex held.
 *
 * Range:    one reference; the caller does not hold the mutex.
 * Misuse:   at zero or saturated: the count saturates, a violation is reported, and 0 is returned.
 *           If the mutex cannot be taken: reported, 0, and the reference is not given back.
 * Ordering: release; and on 1, acquire.
 * Threads:  any. Signal handlers: no. A robust mutex whose owner died is made consistent.
 * Returns:  1 with the mutex held if the count reached zero, otherwise 0 without it.
 * Defined:  Linux, refcount_dec_and_mutex_lock(); POSIX, pthread_mutex_lock(). Saturation is
 *           reported only here.
 */
KREF_MUST_USE
int kref_count_dec_and_mutex_lock(struct refcount_struct *count,
                                  pthread_mutex_t *mutex) KREF_NONNULL;

/* ---------------------------------------------------------------------------------------------
 * For kref/inline.h and its like alone
 * ------------------------------------------------------------------------------------------- */

/**
 * The rest of kref_read(), for a stored value that stands for no count from 1 to INT_MAX - 1.
 *
 * Range:    any stored value.
 * Misuse:   none that can be seen.
 * Ordering: none.
 * Threads:  any. Signal handlers: yes.
 * Returns:  what kref_read() returns.
 * Defined:  here.
 */
unsigned int kref_read_slow(int stored) KREF_COLD;

/**
 * Whether a tracker counts. For kref/tsan.h.
 *
 * Range:    the caller holds a reference.
 * Misuse:   none that can be seen.
 * Ordering: relaxed.
 * Threads:  any; the answer stays the same as long as the object lives. Signal handlers: yes.
 * Returns:  1 or 0.
 * Defined:  here.
 */
int kref_is_tracked(const struct kref *kref) KREF_NONNULL;

/**
 * The rest of kref_get(), kref_get_as() and kref_count_inc(), after an increment of a count that was not
 * alive, or was full.
 *
 * Range:    holder may be NULL.
 * Misuse:   unless the count is tracked: it saturates, and a violation is reported.
 * Ordering: relaxed.
 * Threads:  any. Signal handlers: yes.
 * Returns:  nothing.
 * Defined:  here.
 */
void kref_get_slow(struct kref *kref,
                   const char *holder) KREF_NONNULL_ARGS((1)) KREF_COLD;

/**
 * kref_get_unless_zero() or kref_count_inc_not_zero() again, for a count that is not alive, or is full.
 *
 * Range:    any count.
 * Misuse:   as for kref_get_unless_zero().
 * Ordering: relaxed.
 * Threads:  any. Signal handlers: yes.
 * Returns:  1 with a reference taken, 0 without.
 * Defined:  here.
 */
int kref_get_unless_zero_slow(struct kref *kref) KREF_NONNULL KREF_COLD;

/**
 * The rest of kref_put() and kref_put_as(), after a decrement of a count that was not alive. With NULL
 * for release, the rest of kref_count_dec_and_test().
 *
 * Range:    release and holder may be NULL.
 * Misuse:   unless the count is tracked: it saturates, release is not called, and a violation is
 *           reported.
 * Ordering: acquire before release() runs.
 * Threads:  any. Signal handlers: if release() may run there.
 * Returns:  1 if the reference was the last one of a tracked count, and release() has run; otherwise 0.
 * Defined:  here.
 */
int kref_put_slow(struct kref *kref,
                  void (*release)(struct kref *kref),
                  const char *holder) KREF_NONNULL_ARGS((1)) KREF_COLD;

/**
 * percpu_ref_get_many() without this CPU's counter: right in either mode. It and the next ones are
 * for Range, Misuse, Ordering, Threads and Returns what the functions are that they are named after.
 */
void percpu_ref_get_slow(struct percpu_ref *ref,
                         unsigned long nr) KREF_NONNULL KREF_COLD;

/** percpu_ref_tryget_many() without this CPU's counter. */
int percpu_ref_tryget_slow(struct percpu_ref *ref, unsigned long nr) KREF_NONNULL KREF_COLD;

/** percpu_ref_tryget_live() without this CPU's counter. */
int percpu_ref_tryget_live_slow(struct percpu_ref *ref) KREF_NONNULL KREF_COLD;

/** percpu_ref_put_many() without this CPU's counter. */
void percpu_ref_put_slow(struct percpu_ref *ref, unsigned long nr) KREF_NONNULL KREF_COLD;

/** percpu_ref_slot_get(), from the start. */
struct percpu_ref *percpu_ref_slot_get_slow(struct percpu_ref_slot *slot) KREF_NONNULL KREF_COLD;

#ifdef __cplusplus
}
#endif

#include "kref/inline.h"

#endif /* KREF_H */
