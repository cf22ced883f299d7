/*
 * kref.h - reference counts: the Linux kernel's kref for userspace
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 * Made from the source of libkref by `make header`.
 *
 * An object that is shared, queued, handed to a thread or looked up in a table has several users,
 * and no user knows whether it is the last one. Embed a struct kref in the object. Three rules
 * decide who frees the object:
 *
 *   1. Take a reference BEFORE you hand a pointer on, to a thread, a queue or a table. If the
 *      hand-over fails, give the reference back.
 *   2. Give your reference back when you are done: kref_put(). The last put calls the release
 *      function, and nothing else frees the object.
 *   3. If you hold no reference, look the object up and take a reference in one step, so that the
 *      object cannot be freed in between: kref_lookup_mutex() under the table's lock,
 *      kref_slot_get(), or kref_pool_get() by a handle.
 *
 * A get is a function that takes a reference, and a put is one that gives a reference back.
 *
 * A complete example:
 *
 *     #include <kref.h>
 *     #include <stdio.h>
 *     #include <stdlib.h>
 *
 *     struct job { struct kref kref; int number; };
 *
 *     static void job_free(struct job *job) { free(job); }
 *
 *     KREF_DEFINE(job, struct job, kref, job_free);   // makes job_ref(), job_unref() and others
 *
 *     static void *work(void *arg)
 *     {
 *         struct job *job = arg;
 *         printf("job %d\n", job->number);
 *         job_unref(job);                             // rule 2: the thread's reference
 *         return NULL;
 *     }
 *
 *     int main(void)
 *     {
 *         pthread_t thread;
 *         struct job *job = malloc(sizeof *job);
 *         int error;
 *         if (!job) return 1;
 *         job->number = 7;
 *         job_ref_init(job);                          // one reference: ours
 *         error = pthread_create(&thread, NULL, work, job_ref(job));   // rule 1
 *         if (error)
 *             job_unref(job);                         // no thread: its reference
 *         job_unref(job);                             // rule 2: our reference
 *         return error ? 1 : pthread_join(thread, NULL);
 *     }
 *
 * What holds for every function. The entry of a function has a part with one of these names only if
 * the function differs, or if there is something to add. The parts, in this order:
 *
 * Range     No pointer is NULL; compilers warn. The count is initialised. A thread that calls a get
 *           holds a reference already. A put gives back a reference that the caller holds.
 * Misuse    A get or put on a count of zero, on memory that is all zero (nobody has initialised it),
 *           or on a saturated count, and a get above KREF_MAX references: the count saturates, and a
 *           violation is reported ("Violations" below). The count stays saturated, and the object is
 *           never released: the object leaks. Without saturation, the object might be freed while
 *           somebody uses it.
 * Ordering  A put is a release, and the last put acquires before it calls the release function. So
 *           the release function sees what every holder did to the object before its put. All else
 *           is relaxed: the caller of a get holds a reference or a lock, so the caller sees the
 *           object already. Two holders that write to the same object at the same time need a lock.
 * Threads   Any thread, any number of threads at the same time, and signal handlers; a put only if
 *           its release function may run in a signal handler. But one thread calls an init function,
 *           or kref_count_set(), before the object is shared. Other threads must receive the object
 *           through something that synchronises the threads: a lock, a queue or pthread_create().
 * Returns   Nothing.
 * Defined   By libkref alone. "Linux, f()" means that the kernel's f() does the same.
 *
 * Release functions, find functions and violation handlers must return. They must not be left by an
 * exception, longjmp() or pthread_exit().
 */
#ifndef KREF_H
#define KREF_H

#include "kref/compiler.h"

#define KREF_VERSION_MAJOR 0
#define KREF_VERSION_MINOR 2
#define KREF_VERSION_PATCH 0
#define KREF_VERSION "0.2.0"

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------------------------------------
 * A reference count
 * ------------------------------------------------------------------------------------------- */

/** A saturating counter: the kernel's refcount_t. Use its functions, never the member. */
struct refcount_struct {
    int refs;
};

/** A reference count. Embed it in your object. kref_entry() gives the object for its kref. */
struct kref {
    struct refcount_struct refcount;
};

/* KREF_INIT(n): the initialiser of a kref with n references, usually 1. n = 0 makes a released kref, a
 * negative n a saturated one. n may be evaluated twice.
 *
 *     static struct config first = { .kref = KREF_INIT(1) };
 */
#define KREF_INIT(n) { { KREF_STORED(n) } }

/* KREF_MAX: the most references that a count can have. KREF_SATURATED: what kref_read() returns for a
 * saturated count, as an int. */
#define KREF_MAX INT_MAX
#define KREF_SATURATED (INT_MIN / 2)

/* kref_entry(ptr, type, member): the object of this type that contains the struct kref to which ptr
 * points. member is the name of the kref in the type. For a NULL pointer the result is NULL, so a
 * lookup's result can be an argument:
 *
 *     struct session *s = kref_entry(kref_lookup_mutex(&lock, find, &id), struct session, kref);
 */
#define kref_entry(ptr, type, member) \
    KREF_CAST(static_cast, type *, \
              kref_entry_at(1 ? (ptr) : &KREF_CAST(static_cast, type *, NULL)->member, \
                            offsetof(type, member)))

/**
 * Initialise a count with one reference, which the caller holds.
 *
 * Misuse:   on an object with references: the count forgets them, and the object is freed too
 *           early.
 * Defined:  Linux, kref_init().
 */
void kref_init(struct kref *kref) KREF_NONNULL;

/**
 * Take one more reference. The caller holds one already. (Rule 1: call this before a hand-over.)
 *
 * Misuse:   the first reference above INT_MAX is not yet caught, the second one is.
 * Defined:  Linux, kref_get().
 */
void kref_get(struct kref *kref) KREF_NONNULL;

/**
 * Give a reference back: rule 2. The last put calls release(kref), and only release frees the
 * object.
 *
 * Range:    after the call, the caller must not use the object.
 * Returns:  1 if this was the last reference and release() has run, otherwise 0.
 * Defined:  Linux, kref_put().
 */
int kref_put(struct kref *kref, void (*release)(struct kref *kref)) KREF_NONNULL;

/**
 * Take a reference unless the object is already being released. For lookups: the caller holds no
 * reference, but a lock, or something else that keeps the object's memory from being freed.
 *
 * Misuse:   a count of zero is no misuse here. At INT_MAX, or on a saturated count, 1 is returned:
 *           the caller may use the object, which is never freed.
 * Ordering: the lock that protects the lookup orders the object's contents.
 * Returns:  1 if a reference was taken. 0 if not: the caller must not use the object.
 * Defined:  Linux, kref_get_unless_zero().
 */
KREF_MUST_USE int kref_get_unless_zero(struct kref *kref) KREF_NONNULL;

/**
 * Read the count, for a message or a test. Do not make a decision by it: other threads may change
 * the count at any time. For "am I the only holder?" there is kref_is_unique().
 *
 * Returns:  the count, at most INT_MAX; 0 if the object was released, or the kref was never
 *           initialised; (unsigned int)KREF_SATURATED if the count is saturated.
 * Defined:  Linux, kref_read().
 */
unsigned int kref_read(const struct kref *kref) KREF_NONNULL;

/**
 * Whether the caller holds the only reference. The test for copy on write: if the answer is 1, the
 * caller may change the object, since nobody else can reach it; if 0, the caller changes a copy.
 *
 *     if (!kref_is_unique(&buffer->kref)) { copy = buffer_copy(buffer); buffer_put(buffer); buffer = copy; }
 *
 * Range:    a kref on which the caller holds a reference. Nobody can look the object up without one:
 *           the object is in no table and no slot.
 * Ordering: acquire: the caller sees what earlier holders did to the object before their puts.
 *           kref_read() == 1 does not give that.
 * Returns:  1 or 0. 0 if the count is saturated.
 */
KREF_MUST_USE
int kref_is_unique(const struct kref *kref) KREF_NONNULL;

/**
 * Initialise a count with n references: one for each holder that the object has from the start.
 * Example: 2, for the list and for the caller.
 *
 * Range:    n from 1 to INT_MAX.
 * Misuse:   with an n below 1 the count saturates, and a violation is reported; otherwise as for
 *           kref_init().
 */
void kref_init_n(struct kref *kref, int n) KREF_NONNULL;

/**
 * Give n references back at once, as kref_put() gives one.
 *
 * Range:    n references, which the caller holds; n from 0.
 * Misuse:   n above the count, or a negative n, is a misuse, too.
 * Returns:  1 if these were the last references and release() has run, otherwise 0.
 */
int kref_put_many(struct kref *kref, int n, void (*release)(struct kref *kref)) KREF_NONNULL;

/* ---------------------------------------------------------------------------------------------
 * Under a lock: the last put, and the lookup
 *
 * If objects are in a table, one thread may look an object up while another thread makes the last
 * put on it. There are three ways to keep the lookup from returning a freed object.
 * kref_lookup_mutex() works with all three:
 *
 *   - The table holds a reference. A thread that takes the object out of the table, under the lock,
 *     gives this reference back.
 *   - The table holds no reference. The last put takes the table's lock (kref_put_mutex,
 *     kref_put_lock), and release takes the object out of the table.
 *   - The table holds no reference, and release takes the lock itself. A lookup may find an object
 *     whose count is zero already, and then takes no reference (kref_get_unless_zero).
 * ------------------------------------------------------------------------------------------- */

/**
 * Give a reference back. If it is the last, take the mutex first. For objects in a table: release() runs
 * with the mutex held, takes the object out of the table, unlocks the mutex and frees the object. A
 * put that is not the last does not touch the mutex.
 *
 * Range:    the caller does not hold the mutex.
 * Misuse:   if the mutex cannot be taken (an error-checking mutex refuses a deadlock), a
 *           violation is reported, and the reference is not given back.
 * Threads:  not in a signal handler. If the owner of a robust mutex has died, the mutex is made
 *           consistent.
 * Returns:  1 if this was the last reference and release() has run; otherwise 0, and the mutex is
 *           not held.
 * Defined:  Linux, kref_put_mutex(), which does not report a saturated count; POSIX,
 *           pthread_mutex_lock().
 */
int kref_put_mutex(struct kref *kref,
                   void (*release)(struct kref *kref),
                   pthread_mutex_t *mutex) KREF_NONNULL;

/**
 * Look an object up and take a reference on it, in one step under the mutex: rule 3. Calls
 * find(key) with the mutex held. find() returns the kref of the object that it has found, or NULL.
 * find() takes no reference itself.
 *
 * Range:    key is passed to find() and may be NULL; the caller does not hold the mutex. The object
 *           that find() returns is not freed while the mutex is held.
 * Misuse:   an object whose count is zero is being released, so NULL is returned; this is no
 *           violation. If the count is saturated, a violation is reported, and the kref is
 *           returned. If the mutex cannot be taken, a violation is reported, and NULL is returned.
 * Ordering: that of the mutex: the caller sees what was done to the object under the mutex.
 * Threads:  not in a signal handler.
 * Returns:  the kref, with a reference that the caller holds now and must give back; or NULL.
 * Defined:  Linux, Documentation/core-api/kref.rst (as an example to copy); POSIX,
 *           pthread_mutex_lock().
 */
KREF_MUST_USE
struct kref *kref_lookup_mutex(pthread_mutex_t *mutex,
                               struct kref *(*find)(void *key),
                               void *key) KREF_NONNULL_ARGS((1, 2));

/* Strict -std=c99 has no pthread_spinlock_t; -std=gnu99 and -D_POSIX_C_SOURCE=200809L have it. */
#if !defined __GLIBC__ || defined __USE_XOPEN2K

/**
 * kref_put_mutex() with a spin lock: give a reference back. If it is the last, take the lock first.
 * release() runs with the lock held, and unlocks it.
 *
 * Range:    the caller does not hold the lock.
 * Misuse:   if the lock cannot be taken, a violation is reported, and the reference is not given
 *           back.
 * Threads:  not in a signal handler.
 * Returns:  1 if this was the last reference and release() has run; otherwise 0, and the lock is
 *           not held.
 * Defined:  Linux, kref_put_lock(), which does not report a saturated count; POSIX,
 *           pthread_spin_lock().
 */
int kref_put_lock(struct kref *kref,
                  void (*release)(struct kref *kref),
                  pthread_spinlock_t *lock) KREF_NONNULL;

#endif

/* ---------------------------------------------------------------------------------------------
 * A reference for a new thread
 * ------------------------------------------------------------------------------------------- */

/**
 * Take a reference for a new thread, and start the thread: rule 1 in one call. If the start fails,
 * give the reference back. The thread calls kref_put() when it is done.
 *
 * Range:    thread, attr, start and arg are for pthread_create(); attr and arg may be NULL. The
 *           caller keeps its own reference. release is called if the start fails and the reference
 *           that is given back is the last.
 * Misuse:   the violation is reported, and the thread is started nevertheless.
 * Ordering: that of pthread_create(): the thread sees what the caller did before.
 * Threads:  not in a signal handler.
 * Returns:  0, or the error number of pthread_create() (EAGAIN, EINVAL, EPERM). After an error no
 *           thread was started, and the caller still holds its reference.
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
 * Violations
 *
 * A misuse that libkref notices is a violation. The default violation handler writes a line to
 * standard error for the first violation of each kind at each place of the program, and for each
 * violation whose place is not known. The environment variable KREF_OPTIONS changes that:
 *
 *   KREF_OPTIONS=on_violation=warn      write the line (the default)
 *   KREF_OPTIONS=on_violation=abort     write the line, and abort the program
 *   KREF_OPTIONS=on_violation=quiet     write nothing; the count still saturates
 *
 * Standard error is descriptor 2, whatever the program has opened there. A line that cannot be
 * written is lost, and raises no SIGPIPE.
 *
 * The library cannot notice every misuse. A get or put on a freed object is noticed only as long as
 * the object's memory is not used for something else. A get or put on memory that holds no count is
 * noticed if the int in the memory is positive. Example: memory that was filled with a byte from 0x01
 * to 0x7f. Exception: if a tracker is set (kref/track.h), 0x20 to 0x2f looks like a tracked count.
 * Then libkref does
 * not notice the misuse, but kref-track reports it. A negative int, from the bytes 0x80 to 0xfe, looks
 * like a count with references. The byte 0xff looks like a count that is full.
 *
 * Compile with -DKREF_CHECKED=N if no object of the program ever has more than N references. Then an
 * inlined get or put that finds more than N saturates the count and reports KREF_USE_OF_SATURATED. So
 * a
 * forgotten kref_init() is found in memory that is filled with 0xaa
 * (clang's -ftrivial-auto-var-init=pattern) or 0xa5 (jemalloc). Without KREF_CHECKED this check costs
 * nothing.
 * ------------------------------------------------------------------------------------------- */

/** The kind of a violation: what the program did wrong with a count. */
enum kref_violation_kind {
    /** A get on an object without references: the object is already being released. */
    KREF_GET_ON_ZERO = 1,
    /** The program took more references than the count can hold, or a negative number of them. */
    KREF_OVERFLOW = 2,
    /** The program gave back more references than it had taken, or a negative number of them. */
    KREF_PUT_ON_ZERO = 3,
    /** A kref_count_dec() gave the last reference back, so nobody released the object. */
    KREF_DEC_TO_ZERO = 4,
    /** The count is saturated: it was misused before, or the memory holds no count. */
    KREF_USE_OF_SATURATED = 5,
    /** The lock for the last put, or for a lookup, could not be taken. */
    KREF_LOCK_FAILED = 6,
    /** A second percpu_ref_kill(): the initial reference was given back already. */
    KREF_KILLED_TWICE = 7,
    /** percpu_ref_exit() while somebody may hold a reference: nothing was freed. */
    KREF_EXIT_WHILE_ALIVE = 8,
    /**
     * percpu_ref_resurrect() or _reinit() on a percpu_ref that was not killed; _reinit() while a
     * reference is held; or one of these, or _switch_to_percpu(), on a percpu_ref whose flags do not
     * allow it. kref/percpu.h says which flags allow it.
     */
    KREF_BAD_REINIT = 9,
    /** The kernel refused a membarrier. The object that was to be replaced or killed leaks. */
    KREF_NOT_FENCED = 10,
    /** A get or put on memory that is all zero: nobody has initialised a count there. */
    KREF_NEVER_INITIALISED = 11,
    /**
     * kref_pool_publish() of an object whose count was touched after kref_pool_alloc(), by a kref_init() for
     * example, or that was published before. The object leaks.
     */
    KREF_BAD_PUBLISH = 12,
    /** kref_pool_free() of an object that is alive, that was freed before, or that is not the pool's. */
    KREF_BAD_FREE = 13,
    /** kref_pool_destroy() while an object is alive: nothing was freed. */
    KREF_POOL_IN_USE = 14
};

/** A violation, as a violation handler receives it. */
struct kref_violation {
    /** The kind of the violation. */
    enum kref_violation_kind kind;
    /**
     * The address of the struct kref, of the struct percpu_ref, or of a struct refcount_struct that
     * is not in a kref. NULL if a lookup could not take its lock.
     */
    const void *kref;
    /**
     * The return address of the call: an address in the function that made the call. If the
     * compiler made the call a jump, as it may do with return kref_put_mutex(..), the address is in
     * the caller of that function. NULL if it is not known.
     */
    const void *caller;
};

/**
 * A violation handler. Any thread may call it, several threads at the same time, and in signal
 * handlers. *violation is valid until the handler returns.
 */
typedef void (*kref_violation_handler)(const struct kref_violation *violation, void *context);

/**
 * Set the violation handler, which is called for each violation from now on. Before the handler is
 * called, the count is saturated already.
 *
 * Range:    handler may be NULL, for the default handler. context is passed to the handler.
 * Misuse:   a handler that uses the same count again causes a violation, which calls the handler
 *           again, without end. Before the code of a handler is unloaded, another handler must be
 *           set, and no thread may still be in the old one. If there is no memory for a new
 *           handler, a line says so, and the old handler stays set.
 * Ordering: release; a thread that calls the handler sees what was done before this call.
 * Threads:  not in a signal handler. When this returns, another thread may still be in the old
 *           handler. The function takes no lock, so it may be called in the child of a fork. Each
 *           new pair of handler and context takes some bytes of memory, which are never freed.
 */
void kref_set_violation_handler(kref_violation_handler handler, void *context);

/* ---------------------------------------------------------------------------------------------
 * The version
 * ------------------------------------------------------------------------------------------- */

/**
 * The version of the library that is loaded. KREF_VERSION is the version of the header that a program was
 * compiled with. The two may differ in the last number. A program that was compiled with another
 * minor version does not load: until 1.0, the library's soname and the version of its symbols contain the
 * minor number.
 *
 * Returns:  a string such as "0.2.0", which is valid as long as the library is loaded.
 */
KREF_MUST_USE
const char *kref_version(void);

#ifdef __cplusplus
}
#endif

#ifndef KREF_CDEF
#include "kref/typed.h"  /* the functions of your own type: KREF_DEFINE(), KREF_AUTO() */
#endif
#include "kref/slot.h"   /* one published pointer: lookups without a lock */
#include "kref/percpu.h" /* percpu_ref, for objects that all threads get and put all the time */
#include "kref/pool.h"   /* objects that a handle names, which goes stale and never dangles */
#include "kref/track.h"  /* the tracker, which reports who holds which reference */
#include "kref/count.h"  /* the counter alone: the kernel's refcount_t */

/* What the headers need themselves: nothing for programs to call. The most used functions are
 * inlined, also at -O0; -DKREF_NO_INLINE turns that off. Because inlining is forced (always_inline),
 * gcc refuses to compile a call in a function whose target attribute removes instructions, such as
 * target("no-sse2").
 *
 * With -DKREF_CDEF these headers are declarations alone, for the cdef() of Python's cffi, of LuaJIT
 * and of PHP: no inline functions, no attributes, and no headers of the system. The types
 * pthread_mutex_t, pthread_spinlock_t, pthread_t and pthread_attr_t must be declared before them.
 */
#ifndef KREF_CDEF
#include "kref/slow.h"
#include "kref/inline.h"
#endif

#endif /* KREF_H */
