/*
 * kref.h - reference counts: the Linux kernel's kref for userspace
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 * Generated from src/capi by `make header`. Edit there.
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
 *      object cannot be freed in between: kref_lookup_mutex() under the table's lock, or
 *      kref_slot_get().
 *
 * In this file a get is a function that takes a reference, and a put is one that gives a reference
 * back.
 *
 * A complete example:
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
 *         kref_put(&job->kref, job_release);          // rule 2: the thread's reference
 *         return NULL;
 *     }
 *
 *     int main(void)
 *     {
 *         pthread_t thread;
 *         struct job *job = malloc(sizeof *job);
 *         if (!job) return 1;
 *         kref_init(&job->kref);                      // one reference: ours
 *         job->number = 7;
 *         int error = kref_thread_create(&thread, NULL, work, job,
 *                                        &job->kref, job_release);   // rule 1
 *         kref_put(&job->kref, job_release);          // rule 2: our reference
 *         return error ? 1 : pthread_join(thread, NULL);
 *     }
 *
 * Threads. Any number of threads may call a function at the same time, unless its entry below says
 * something else under "Threads". Functions that take no lock may be called in signal handlers.
 *
 * Orderings. Taking a reference is relaxed, because the caller already holds a reference or a lock.
 * Giving a reference back is a release, and the last put acquires before the release function runs.
 * So the release function sees what every holder did to the object before its put. Nothing else is
 * promised: two holders that write to the same object at the same time need a lock.
 *
 * Misuse. A get on a count of zero, a put on a count of zero, and an overflow saturate the count:
 * it stays saturated, kref_read() returns (unsigned int)KREF_SATURATED, and the object is never
 * released. So the object leaks; without saturation, it might be freed while somebody uses it. A
 * get or put on a count that was never initialised (memory that is all zero) is caught too. Then
 * the violation handler is called. The default handler writes a line to standard error for the
 * first violation of each kind at each place of the program, and for each violation whose place is
 * not known; the environment variable KREF_OPTIONS changes that:
 *
 *   KREF_OPTIONS=on_violation=warn      write the line (the default)
 *   KREF_OPTIONS=on_violation=abort     write the line, and abort the program
 *   KREF_OPTIONS=on_violation=quiet     write nothing; the count still saturates
 *
 * The library cannot catch every misuse. A get or put on a freed object is caught only as long as
 * the object's memory is not used for something else. A get or put on memory that holds no count is
 * caught if the int in the memory is positive. Example: memory that was filled with a byte from 0x01
 * to 0x7f. Exception: if a tracker is set, 0x20 to 0x2f looks like a tracked count. Then libkref does
 * not catch the misuse, but kref-track reports it. A negative int, from the bytes 0x80 to
 * 0xfe, looks like a count with references. The byte 0xff looks like a count that is full. A program that
 * is compiled with -DKREF_CHECKED=N says that no object has more than N references. Then an inlined get or
 * put saturates a count of more than N, and reports KREF_USE_OF_SATURATED. So a forgotten
 * kref_init() is found in memory that is filled with 0xaa (clang's -ftrivial-auto-var-init=pattern) or
 * 0xa5 (jemalloc). Without KREF_CHECKED this check costs nothing.
 *
 * Your functions. Release functions, find functions and violation handlers must return. They must
 * not be left by an exception, longjmp() or pthread_exit().
 *
 * Each entry below has the same parts in the same order: what the function does; the Range of its
 * arguments; what happens on Misuse and at saturation; its memory Ordering; from which Threads and
 * signal handlers it may be called; what it Returns; and where the function is Defined ("here": by
 * this file alone). A pointer must not be NULL unless the entry says so; compilers warn.
 *
 * KREF_DEFINE(session, struct session, kref, session_free) makes functions for your own type:
 * session_ref() returns its argument, session_unref() calls session_free(session), and both take NULL.
 * kref/typed.h has them, and KREF_AUTO(), which gives a reference back at the end of a scope.
 *
 * The most used functions are inlined, from kref/inline.h and kref/percpu.h;
 * -DKREF_NO_INLINE turns that off. Inlining is forced (always_inline). Therefore gcc refuses to
 * compile a call in a function whose target attribute removes instructions, such as
 * target("no-sse2").
 *
 * With -DKREF_CDEF this file is declarations alone, for the cdef() of Python's cffi, of LuaJIT and of
 * PHP: no inline functions, no attributes, and no other headers. The types pthread_mutex_t,
 * pthread_spinlock_t, pthread_t and pthread_attr_t must be declared before it.
 */
#ifndef KREF_H
#define KREF_H

#ifndef KREF_CDEF
#include <limits.h>
#include <pthread.h>
#include <stddef.h>
#endif

/* The version of this header and of the library. */
#define KREF_VERSION_MAJOR 0
#define KREF_VERSION_MINOR 2
#define KREF_VERSION_PATCH 0
#define KREF_VERSION "0.2.0"

/* Attributes, for compilers that have them. */
#if defined __GNUC__ && !defined KREF_CDEF
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

/* For these headers only: a cast of C, or of C++ by its name (for C++ projects with -Wold-style-cast). */
#ifdef __cplusplus
#define KREF_CAST(how, type, value) how<type>(value)
#else
#define KREF_CAST(how, type, value) ((type)(value))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------------------------------------
 * Types
 * ------------------------------------------------------------------------------------------- */

/** The kind of a violation: what the program did wrong with a count. */
enum kref_violation_kind {
    /** A get on an object without references: the object is already being released. */
    KREF_GET_ON_ZERO = 1,
    /** The program took more references than the count can count, or a negative number of them. */
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
     * percpu_ref_resurrect(), _reinit() or _switch_to_percpu() on a percpu_ref that was not killed,
     * that is not at zero, or that was initialised without PERCPU_REF_ALLOW_REINIT.
     */
    KREF_BAD_REINIT = 9,
    /** The kernel refused a membarrier. The object that was to be replaced or killed leaks. */
    KREF_NOT_FENCED = 10,
    /** A get or put on memory that is all zero: nobody has initialised a count there. */
    KREF_NEVER_INITIALISED = 11
};

/** A saturating counter: the kernel's refcount_t. Use its functions, never the member. */
struct refcount_struct {
    int refs;
};

/** A reference count. Embed it in your object. kref_entry() gives the object for its kref. */
struct kref {
    struct refcount_struct refcount;
};

/**
 * A slot: one published pointer, from which any thread may take a reference. The slot holds a
 * reference on the published object. An empty slot need not be destroyed. Use its functions, never
 * the member.
 */
struct kref_slot {
    struct kref *kref;
};

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
 * A tracker: functions that libkref calls for each get and put of a tracked object. They are called
 * wherever the program gets and puts: by any thread, by several threads at the same time, in signal
 * handlers, and while the program holds its locks. Each may be NULL. libkref preserves errno around
 * the calls.
 */
struct kref_tracker {
    /** sizeof(struct kref_tracker). libkref does not use members beyond this size. */
    size_t size;
    /**
     * Called by kref_init(), before the count is initialised. Returns 0 if the object is not to be
     * tracked. type is the name from kref_init_as(), or NULL.
     */
    int (*created)(struct kref *kref, const char *type);
    /** Called before a reference is taken. The get may still fail. */
    void (*getting)(struct kref *kref);
    /**
     * Called after a reference was taken; once for each, if the operation has taken several. count
     * includes the reference. holder is the name from kref_get_as(), or NULL.
     */
    void (*got)(struct kref *kref, unsigned int count, const char *holder);
    /**
     * Called before a reference is given back; once for each. count still includes the reference,
     * so the object is alive. release is NULL if the operation has none
     * (kref_count_dec_and_test()). holder is the name from kref_put_as(), or NULL. If
     * kref_count_dec_not_one() or a function like it then finds that the reference has become the
     * last, it does not give the reference back: getting and got are called.
     */
    void (*putting)(struct kref *kref,
                    void (*release)(struct kref *kref),
                    unsigned int count,
                    const char *holder);
    /**
     * Called after the last reference was given back, and before release runs. After this, only
     * three functions are called for the object: violated; done, for an earlier put; and getting,
     * for a get that then fails.
     */
    void (*released)(struct kref *kref, void (*release)(struct kref *kref));
    /**
     * Called after a reference was given back. For the last one: when release has returned, and
     * only if the operation has a release function. The object may be freed, so kref is only an
     * address.
     */
    void (*done)(const void *kref);
    /**
     * Called for each violation, before the violation handler. Also for counts that are not
     * tracked.
     */
    void (*violated)(const struct kref_violation *violation);
    /** Called by kref_track_report(). */
    void (*report)(int fd);
    /** Called by kref_track_checkpoint(). */
    void (*checkpoint)(void);
};

/* The most references that a count can have, and what kref_read() returns for a saturated count. */
#define KREF_MAX INT_MAX
#define KREF_SATURATED (INT_MIN / 2)

/**
 * The version of the library that is loaded. KREF_VERSION is the version of the header that a program was
 * compiled with. The two may differ in the last number. A program that was compiled with another
 * minor version does not load: until 1.0, the library's soname and the version of its symbols contain the
 * minor number.
 *
 * Range:    none.
 * Misuse:   none.
 * Ordering: none.
 * Threads:  any. Signal handlers: yes.
 * Returns:  a string such as "0.2.0", which is valid as long as the library is loaded.
 * Defined:  here.
 */
KREF_MUST_USE
const char *kref_version(void);

/* Initialisers. KREF_INIT(n) is a kref with n references, usually 1. n = 0 makes a released kref, a
 * negative n a saturated one. n may be evaluated twice. The other two make empty slots; a slot
 * whose memory is all zero is empty too.
 *
 *     static struct config first = { .kref = KREF_INIT(1) };
 *     static struct kref_slot current = KREF_SLOT_INIT;
 */
#define KREF_INIT(n) { { KREF_STORED(n) } }
#define KREF_SLOT_INIT { NULL }
#define PERCPU_REF_SLOT_INIT { NULL, 0 }

/* Flags for percpu_ref_init(). INIT_ATOMIC: start in atomic mode, until
 * percpu_ref_switch_to_percpu(). INIT_DEAD: start without a reference, until percpu_ref_reinit().
 * ALLOW_REINIT: keep the CPUs' counters after percpu_ref_kill(), so that percpu_ref_resurrect() can
 * use them again.
 */
#define PERCPU_REF_INIT_ATOMIC 1u
#define PERCPU_REF_INIT_DEAD 2u
#define PERCPU_REF_ALLOW_REINIT 4u

/* For initialisers only: the stored value of n references. */
#define KREF_STORED(n) (KREF_AS_INT(n) < 0 ? 0x60000000 : ((KREF_AS_INT(n) & INT_MAX) - 1) ^ INT_MIN)
/* 0L: g++ -Wuseless-cast warns of a cast from int to int. */
#define KREF_AS_INT(n) KREF_CAST(static_cast, int, 0L + (n))

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

#ifndef KREF_CDEF
/* For kref_entry() only. Its type argument decides whether the result is const. */
KREF_STATIC void *kref_entry_at(const struct kref *kref, size_t offset)
{
    return kref ? KREF_CAST(reinterpret_cast, void *, KREF_CAST(reinterpret_cast, size_t, kref) - offset)
                : NULL;
}
#endif

/* ---------------------------------------------------------------------------------------------
 * A reference count: init, get, put
 * ------------------------------------------------------------------------------------------- */

/**
 * Initialise a count with one reference, which the caller holds.
 *
 * Range:    a new object, or memory that is reused for one; no other thread can reach it yet.
 * Misuse:   on an object with references: the count forgets them, and the object is freed too
 *           early.
 * Ordering: relaxed. Another thread must receive the object in a way that orders: through a lock, a
 *           queue or pthread_create().
 * Threads:  one, before the object is shared. Signal handlers: yes.
 * Returns:  nothing.
 * Defined:  Linux, kref_init().
 */
void kref_init(struct kref *kref) KREF_NONNULL;

/**
 * Initialise a count with n references: one for each holder that the object has from the start.
 * Example: 2, for the list and for the caller.
 *
 * Range:    n from 1 to INT_MAX; otherwise as for kref_init().
 * Misuse:   with an n below 1 the count saturates, and a violation is reported; otherwise as for
 *           kref_init().
 * Ordering: relaxed, as in kref_init().
 * Threads:  one, before the object is shared. Signal handlers: yes.
 * Returns:  nothing.
 * Defined:  here.
 */
void kref_init_n(struct kref *kref, int n) KREF_NONNULL;

/**
 * Whether the caller holds the only reference. The test for copy on write: if the answer is 1, the
 * caller may change the object, since nobody else can reach it; if 0, the caller changes a copy.
 *
 *     if (!kref_is_unique(&buffer->kref)) { copy = buffer_copy(buffer); buffer_put(buffer); buffer = copy; }
 *
 * Range:    a kref on which the caller holds a reference. Nobody can look the object up without one:
 *           the object is in no table and no slot.
 * Misuse:   none that can be seen.
 * Ordering: acquire: the caller sees what earlier holders did to the object before their puts.
 *           kref_read() == 1 does not give that.
 * Threads:  any. Signal handlers: yes.
 * Returns:  1 or 0. 0 if the count is saturated.
 * Defined:  here.
 */
KREF_MUST_USE
int kref_is_unique(const struct kref *kref) KREF_NONNULL;

/**
 * Read the count, for a message or a test. Do not make a decision by it: other threads may change
 * the count at any time. For "am I the only holder?" there is kref_is_unique().
 *
 * Range:    any kref.
 * Misuse:   none that can be seen.
 * Ordering: relaxed.
 * Threads:  any. Signal handlers: yes.
 * Returns:  the count, at most INT_MAX; 0 if the object was released, or the kref was never
 *           initialised; (unsigned int)KREF_SATURATED if the count is saturated.
 * Defined:  Linux, kref_read().
 */
unsigned int kref_read(const struct kref *kref) KREF_NONNULL;

/**
 * Take one more reference. The caller holds one already. (Rule 1: call this before a hand-over.)
 *
 * Range:    up to INT_MAX references.
 * Misuse:   on a count of zero, on memory that was never initialised, with too many references, or
 *           on a saturated count: the count saturates, the object is never released, and a
 *           violation is reported. The first reference above INT_MAX is not yet caught, the second
 *           one is.
 * Ordering: relaxed. The caller already holds a reference, so the caller already sees the object.
 * Threads:  any. Signal handlers: yes.
 * Returns:  nothing; it cannot fail.
 * Defined:  Linux, kref_get().
 */
void kref_get(struct kref *kref) KREF_NONNULL;

/**
 * Take a reference unless the object is already being released. For lookups: the caller holds no
 * reference, but a lock, or something else that keeps the object's memory from being freed.
 *
 * Range:    up to INT_MAX references.
 * Misuse:   at INT_MAX, or on a saturated count: the count saturates, the object is never released,
 *           a violation is reported, and 1 is returned: the caller may use the object.
 * Ordering: relaxed, as in the kernel. The lock that protects the lookup orders the object's
 *           contents.
 * Threads:  any. Signal handlers: yes.
 * Returns:  1 if a reference was taken. 0 if not: the caller must not use the object.
 * Defined:  Linux, kref_get_unless_zero().
 */
KREF_MUST_USE int kref_get_unless_zero(struct kref *kref) KREF_NONNULL;

/**
 * Give a reference back: rule 2. The last put calls release(kref), and only release frees the
 * object.
 *
 * Range:    one reference, which the caller holds. Afterwards the caller must not use the object.
 * Misuse:   on a count of zero, on memory that was never initialised, or on a saturated count: the
 *           count saturates, release is not called, and a violation is reported.
 * Ordering: release. The last put also acquires before it calls release(): release() sees what
 *           every holder did to the object before its put.
 * Threads:  any. Signal handlers: yes, if release() may run there.
 * Returns:  1 if this was the last reference and release() has run, otherwise 0.
 * Defined:  Linux, kref_put().
 */
int kref_put(struct kref *kref, void (*release)(struct kref *kref)) KREF_NONNULL;

/**
 * Give n references back at once, as kref_put() gives one.
 *
 * Range:    n references, which the caller holds; n from 0.
 * Misuse:   with fewer than n references, or with a negative n: the count saturates, release is not
 *           called, and a violation is reported. Otherwise as for kref_put().
 * Ordering: as for kref_put().
 * Threads:  any. Signal handlers: yes, if release() may run there.
 * Returns:  1 if these were the last references and release() has run, otherwise 0.
 * Defined:  here.
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
 * Range:    one reference, which the caller holds; the caller does not hold the mutex.
 * Misuse:   on a count of zero, on memory that was never initialised, or on a saturated count: the
 *           count saturates, release is not called, and a violation is reported. If the mutex
 *           cannot be taken (an error-checking mutex refuses a deadlock): a violation is reported,
 *           and the reference is not given back.
 * Ordering: release; and acquire before release() runs, as in kref_put().
 * Threads:  any. Signal handlers: no. If the owner of a robust mutex has died, the mutex is made
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
 * Threads:  any. Signal handlers: no.
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
 * Range:    one reference, which the caller holds; the caller does not hold the lock.
 * Misuse:   as for kref_put_mutex().
 * Ordering: release; and acquire before release() runs, as in kref_put().
 * Threads:  any. Signal handlers: no.
 * Returns:  1 if this was the last reference and release() has run; otherwise 0, and the lock is
 *           not held.
 * Defined:  Linux, kref_put_lock(), which does not report a saturated count; POSIX,
 *           pthread_spin_lock().
 */
int kref_put_lock(struct kref *kref,
                  void (*release)(struct kref *kref),
                  pthread_spinlock_t *lock) KREF_NONNULL;

/**
 * Give one reference back. If it is the last, take the spin lock first, and return with the lock
 * held.
 *
 * Range:    one reference, which the caller holds; the caller does not hold the lock.
 * Misuse:   at zero, on memory that was never initialised, or saturated: the count saturates, a
 *           violation is reported, and 0 is returned. If the lock cannot be taken: a violation is
 *           reported, the reference is not given back, and 0 is returned.
 * Ordering: release; if it returns 1, also acquire.
 * Threads:  any. Signal handlers: no.
 * Returns:  1 with the lock held if the count reached zero, otherwise 0 without the lock.
 * Defined:  Linux, refcount_dec_and_lock(), which does not report a saturated count; POSIX,
 *           pthread_spin_lock().
 */
KREF_MUST_USE
int kref_count_dec_and_lock(struct refcount_struct *count,
                            pthread_spinlock_t *lock) KREF_NONNULL;

#endif

/* ---------------------------------------------------------------------------------------------
 * A slot: one published pointer
 *
 * For one object that all threads look up, and that is replaced rarely: the current configuration,
 * the current connection. On a thread with restartable sequences (kref_rseq_available) a get makes
 * one atomic operation and takes no lock. A replace takes some microseconds.
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
 * The locks of slots are in the library. So all users of one slot must use the same copy of
 * libkref. Wrong: the program contains libkref.a, and its plugin loads libkref.so. In the
 * child of a fork of a multithreaded program, such a lock may be held for ever by a thread that
 * does not exist there: make no get or replace in the child.
 *
 * Use slots, and percpu_ref below, only on threads that pthread_create() or thrd_create() made, and in
 * the child of a fork that has one thread. Do not use them on a thread that clone() made without the C
 * library, if its thread-local storage is the parent's or is zero-filled. Such a thread looks registered,
 * but the kernel does not restart its sequences, and a sequence cannot detect this. A get from a slot may
 * then return a freed object, and a percpu_ref may lose counts. Nothing is reported.
 * kref_rseq_available() returns 0 on such a thread. A program that has such threads must run with
 * GLIBC_TUNABLES=glibc.pthread.rseq=0.
 * ------------------------------------------------------------------------------------------- */

/**
 * Make a new slot empty, as KREF_SLOT_INIT does.
 *
 * Range:    a new slot, or one that is empty.
 * Misuse:   on a slot that publishes an object: the object leaks, because the slot forgets its
 *           reference.
 * Ordering: relaxed. Another thread must receive the slot in a way that orders.
 * Threads:  one, before the slot is shared. Signal handlers: yes.
 * Returns:  nothing.
 * Defined:  here.
 */
void kref_slot_init(struct kref_slot *slot) KREF_NONNULL;

/**
 * Take a reference on the published object, in one step: rule 3.
 *
 * Range:    any slot that was initialised.
 * Misuse:   if the published object was put once too often, its count may be zero, or it may be
 *           freed memory that is all zero: the count saturates, a violation is reported, and NULL
 *           is returned. With too many references, or saturated: the count saturates, a violation
 *           is reported, and the kref is returned.
 * Ordering: acquire: the caller sees what was done to the object before kref_slot_replace()
 *           published it.
 * Threads:  any. Signal handlers: no, because it may take a lock for a short time.
 * Returns:  the kref, with a reference that the caller holds now and must give back; NULL if the
 *           slot is empty.
 * Defined:  here.
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
 * Threads:  any. Signal handlers: no, because it takes a lock for a short time. It makes a
 *           membarrier, which takes some microseconds, unless the slot was empty.
 * Returns:  the old kref, with a reference that the caller holds now and must give back; NULL if
 *           the slot was empty.
 * Defined:  here.
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
 * Range:    none.
 * Misuse:   none.
 * Ordering: none.
 * Threads:  any; the answer is for the calling thread. Signal handlers: no.
 * Returns:  1 or 0. 0 on a processor other than x86-64, aarch64 and riscv64, with a libc other than glibc 2.35
 *           or later (riscv64: 2.41),
 *           under valgrind, with GLIBC_TUNABLES=glibc.pthread.rseq=0, if a seccomp filter
 *           refuses membarrier(), and on a thread that clone() made.
 * Defined:  here.
 */
int kref_rseq_available(void);

/* ---------------------------------------------------------------------------------------------
 * Hot objects: a reference count on each CPU
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
 * number, so the last put can be recognised. From then on percpu_ref_tryget_live() fails, so no new user
 * gets a reference. A thread without restartable sequences makes atomic operations in both modes; the results
 * are the same. (Not so on a thread that clone() made: see slots above.)
 *
 * Beside the struct itself, a percpu_ref takes a block of 64 bytes. Its counters take 8 bytes for
 * each CPU. 64 percpu_refs share the pages of their counters: one page on 2 CPUs, 17 pages on 128. For an
 * object that is not hot, use a kref.
 * percpu_ref_kill() and some other functions take a lock. In the child of a fork of a multithreaded
 * program, such a lock may be held for ever; a get or a put takes none. All users of one percpu_ref
 * must use the same copy of libkref, as for slots.
 * ------------------------------------------------------------------------------------------- */

/**
 * Initialise a percpu_ref with one reference, the initial reference, which percpu_ref_kill() gives
 * back.
 *
 * Range:    flags: any of PERCPU_REF_INIT_ATOMIC, PERCPU_REF_INIT_DEAD, PERCPU_REF_ALLOW_REINIT, or
 *           0. The last put calls release.
 * Misuse:   on a percpu_ref that is in use: it forgets its references and its memory, which leaks.
 * Ordering: relaxed. Another thread must receive the object in a way that orders.
 * Threads:  one, before the object is shared. Signal handlers: no, because it allocates.
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
 *           may still be in a percpu_ref_tryget(): the lock, or what else protects that thread from
 *           a freed object, must also delay this call.
 * Misuse:   if somebody may hold a reference, nothing is freed, and a violation is reported.
 * Ordering: that of percpu_ref_kill() if the percpu_ref was never killed, otherwise none.
 * Threads:  one, the last that can reach the object. Signal handlers: no.
 * Returns:  nothing.
 * Defined:  Linux, percpu_ref_exit().
 */
void percpu_ref_exit(struct percpu_ref *ref) KREF_NONNULL;

/**
 * Take one more reference. The caller holds one already.
 *
 * Range:    the sum up to LONG_MAX / 32.
 * Misuse:   at zero or saturated: in atomic mode the count saturates, and a violation is reported.
 *           In percpu mode nobody can know the count: percpu_ref_kill() finds out later, and
 *           reports.
 * Ordering: relaxed.
 * Threads:  any. Signal handlers: yes.
 * Returns:  nothing.
 * Defined:  Linux, percpu_ref_get(), which does not saturate.
 */
void percpu_ref_get(struct percpu_ref *ref) KREF_NONNULL;

/**
 * Take nr more references. The caller holds one already.
 *
 * Range:    nr up to INT_MAX (2^15 - 1 if a long has 32 bits); the sum up to LONG_MAX / 32. If nr
 *           is larger than 127, the function makes an atomic operation in both modes.
 * Misuse:   as for percpu_ref_get(); a larger nr is an overflow.
 * Ordering: relaxed.
 * Threads:  any. Signal handlers: yes.
 * Returns:  nothing.
 * Defined:  Linux, percpu_ref_get_many(), which does not saturate.
 */
void percpu_ref_get_many(struct percpu_ref *ref, unsigned long nr) KREF_NONNULL;

/**
 * Take a reference unless no reference is left. The caller holds none, but a lock, or something
 * else that keeps the object's memory from being freed.
 *
 * Range:    as for percpu_ref_get().
 * Misuse:   saturated, in atomic mode: a violation is reported, and 1 is returned.
 * Ordering: relaxed.
 * Threads:  any. Signal handlers: yes.
 * Returns:  1 if the reference was taken, 0 if no reference was left.
 * Defined:  Linux, percpu_ref_tryget(), which does not saturate.
 */
KREF_MUST_USE int percpu_ref_tryget(struct percpu_ref *ref) KREF_NONNULL;

/**
 * Take nr references unless no reference is left.
 *
 * Range:    as for percpu_ref_get_many().
 * Misuse:   as for percpu_ref_tryget(); a larger nr is an overflow.
 * Ordering: relaxed.
 * Threads:  any. Signal handlers: yes.
 * Returns:  1 if the references were taken, 0 if no reference was left.
 * Defined:  Linux, percpu_ref_tryget_many(), which does not saturate.
 */
KREF_MUST_USE int percpu_ref_tryget_many(struct percpu_ref *ref, unsigned long nr) KREF_NONNULL;

/**
 * Take a reference unless the percpu_ref was killed. When percpu_ref_kill() has called confirm or
 * has returned, no call of this function succeeds any more.
 *
 * Range:    as for percpu_ref_get().
 * Misuse:   as for percpu_ref_tryget().
 * Ordering: relaxed.
 * Threads:  any. Signal handlers: yes.
 * Returns:  1 if the reference was taken, 0 if the percpu_ref was killed.
 * Defined:  Linux, percpu_ref_tryget_live(), which does not saturate.
 */
KREF_MUST_USE int percpu_ref_tryget_live(struct percpu_ref *ref) KREF_NONNULL;

/**
 * Give one reference back. After percpu_ref_kill(), the last put calls the release function.
 *
 * Range:    one reference, which the caller holds. Not the initial one, which percpu_ref_kill()
 *           gives back.
 * Misuse:   at zero or saturated: in atomic mode the count saturates, release is not called, and a
 *           violation is reported. In percpu mode nobody can know the count: percpu_ref_kill()
 *           finds out later, and reports.
 * Ordering: release; and acquire before release() runs.
 * Threads:  any. Signal handlers: yes, if release() may run there.
 * Returns:  nothing.
 * Defined:  Linux, percpu_ref_put(), which does not saturate.
 */
void percpu_ref_put(struct percpu_ref *ref) KREF_NONNULL;

/**
 * Give nr references back. After percpu_ref_kill(), the last put calls the release function.
 *
 * Range:    nr references, which the caller holds; up to INT_MAX (2^15 - 1 if a long has 32 bits).
 * Misuse:   as for percpu_ref_put(); a larger nr is more than the caller can have taken.
 * Ordering: release; and acquire before release() runs.
 * Threads:  any. Signal handlers: yes, if release() may run there.
 * Returns:  nothing.
 * Defined:  Linux, percpu_ref_put_many(), which does not saturate.
 */
void percpu_ref_put_many(struct percpu_ref *ref, unsigned long nr) KREF_NONNULL;

/* ---------------------------------------------------------------------------------------------
 * Hot objects: kill, switch, resurrect
 * ------------------------------------------------------------------------------------------- */

/**
 * Give the initial reference back, and change to atomic mode, where the last put can be known and
 * calls the release function. That may happen before this function returns. From now on
 * percpu_ref_tryget_live() fails.
 *
 * Range:    once, by the holder of the initial reference.
 * Misuse:   the second time, nothing happens, and a violation is reported. If more references were
 *           given back than taken, or if the kernel refuses the membarrier, a violation is
 *           reported, and the object leaks.
 * Ordering: release; and acquire before release() runs.
 * Threads:  any. Signal handlers: no, because it takes a lock for a short time. It makes a
 *           membarrier, which takes some microseconds; no other thread waits for it.
 * Returns:  nothing.
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
 * Ordering: as for percpu_ref_kill().
 * Threads:  as for percpu_ref_kill(). confirm runs in the calling thread, before this function
 *           returns.
 * Returns:  nothing.
 * Defined:  Linux, percpu_ref_kill_and_confirm(), which calls confirm some time later.
 */
void percpu_ref_kill_and_confirm(struct percpu_ref *ref,
                                 void (*confirm)(struct percpu_ref *ref)) KREF_NONNULL_ARGS((1));

/**
 * Change to atomic mode, until percpu_ref_switch_to_percpu(). Then call confirm(ref). In atomic
 * mode the count is known, so misuse is reported.
 *
 * Range:    the caller holds a reference; confirm may be NULL.
 * Misuse:   as for percpu_ref_kill(); but a second call is allowed.
 * Ordering: release, for what other threads did before their puts.
 * Threads:  any. Signal handlers: no. It takes as long as percpu_ref_kill().
 * Returns:  nothing.
 * Defined:  Linux, percpu_ref_switch_to_atomic(), which calls confirm some time later. There, a
 *           percpu_ref without PERCPU_REF_ALLOW_REINIT is dying from then on.
 */
void percpu_ref_switch_to_atomic(struct percpu_ref *ref,
                                 void (*confirm)(struct percpu_ref *ref)) KREF_NONNULL_ARGS((1));

/**
 * percpu_ref_switch_to_atomic() without confirm. (Here both functions change the mode before they
 * return.)
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
 * Change to percpu mode: at once, or, if the percpu_ref was killed, when it is resurrected.
 *
 * Range:    a percpu_ref that was initialised with PERCPU_REF_ALLOW_REINIT, _INIT_ATOMIC or
 *           _INIT_DEAD. The caller holds a reference, or no other thread can reach the object.
 * Misuse:   initialised without these flags and switched to atomic mode: the mode does not change,
 *           and a violation is reported.
 * Ordering: relaxed.
 * Threads:  any. Signal handlers: no, because it takes a lock for a short time.
 * Returns:  nothing.
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
 * Ordering: relaxed.
 * Threads:  any, but not at the same time as percpu_ref_kill(). Signal handlers: no.
 * Returns:  nothing.
 * Defined:  Linux, percpu_ref_resurrect().
 */
void percpu_ref_resurrect(struct percpu_ref *ref) KREF_NONNULL;

/**
 * percpu_ref_resurrect() for a percpu_ref on which no reference is left, or that was initialised
 * with PERCPU_REF_INIT_DEAD.
 *
 * Range:    as for percpu_ref_resurrect(); and percpu_ref_is_zero() is true.
 * Misuse:   as for percpu_ref_resurrect(). If a reference is left, it is resurrected, and a
 *           violation is reported.
 * Ordering: acquire.
 * Threads:  as for percpu_ref_resurrect().
 * Returns:  nothing.
 * Defined:  Linux, percpu_ref_reinit().
 */
void percpu_ref_reinit(struct percpu_ref *ref) KREF_NONNULL;

/**
 * Whether a percpu_ref was killed and not resurrected. Also true after percpu_ref_exit().
 *
 * Range:    any percpu_ref that was initialised.
 * Misuse:   none that can be seen.
 * Ordering: relaxed.
 * Threads:  any. Signal handlers: yes.
 * Returns:  1 or 0.
 * Defined:  Linux, percpu_ref_is_dying().
 */
int percpu_ref_is_dying(struct percpu_ref *ref) KREF_NONNULL;

/**
 * Whether no reference is left. Never true in percpu mode.
 *
 * Range:    any percpu_ref that was initialised; also after percpu_ref_exit(), when the answer is
 *           1.
 * Misuse:   none that can be seen.
 * Ordering: acquire if it returns 1.
 * Threads:  any. Signal handlers: yes.
 * Returns:  1 or 0.
 * Defined:  Linux, percpu_ref_is_zero(), which after percpu_ref_exit() answers as before it.
 */
int percpu_ref_is_zero(struct percpu_ref *ref) KREF_NONNULL;

/* ---------------------------------------------------------------------------------------------
 * Hot objects: a slot for a percpu_ref
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

/**
 * Make a new slot empty, as PERCPU_REF_SLOT_INIT does.
 *
 * Range:    a new slot, or one that is empty.
 * Misuse:   on a slot that publishes an object: the object leaks, because the slot forgets its
 *           reference.
 * Ordering: relaxed. Another thread must receive the slot in a way that orders.
 * Threads:  one, before the slot is shared. Signal handlers: yes.
 * Returns:  nothing.
 * Defined:  here.
 */
void percpu_ref_slot_init(struct percpu_ref_slot *slot) KREF_NONNULL;

/**
 * Take a reference on the published percpu_ref, in one step: rule 3.
 *
 * Range:    any slot that was initialised.
 * Misuse:   if the published percpu_ref was put once too often, or was freed, its count may be
 *           zero: a violation is reported, and NULL is returned.
 * Ordering: acquire: the caller sees what was done to the object before percpu_ref_slot_replace()
 *           published it.
 * Threads:  any. Signal handlers: no, because it may take a lock for a short time.
 * Returns:  the percpu_ref, with a reference that the caller holds now and must give back; NULL if
 *           the slot is empty. The percpu_ref may have been killed.
 * Defined:  here.
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
 * Threads:  any. Signal handlers: no, because it takes a lock for a short time. It makes a
 *           membarrier, which takes some microseconds, unless the slot was empty.
 * Returns:  the old percpu_ref, with a reference that the caller holds now; NULL if the slot was
 *           empty.
 * Defined:  here.
 */
KREF_MUST_USE
struct percpu_ref *percpu_ref_slot_replace(struct percpu_ref_slot *slot,
                                           struct percpu_ref *next) KREF_NONNULL_ARGS((1));

/* ---------------------------------------------------------------------------------------------
 * A reference for a new thread
 * ------------------------------------------------------------------------------------------- */

/**
 * Take a reference for a new thread, and start the thread: rule 1 in one call. If the start fails,
 * give the reference back. The thread calls kref_put() when it is done.
 *
 * Range:    thread, attr, start and arg are for pthread_create(); attr and arg may be NULL. The
 *           caller holds a reference on kref, and keeps it. release is called if the start fails
 *           and the reference that is given back is the last.
 * Misuse:   as for kref_get(); the thread is started all the same.
 * Ordering: that of pthread_create(): the thread sees what the caller did before.
 * Threads:  any. Signal handlers: no.
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
 * ------------------------------------------------------------------------------------------- */

/**
 * Set the violation handler, which is called for each violation from now on. Before the handler is
 * called, the count is saturated already. The default handler writes a line to standard error for
 * the first violation of each kind at each place of the program, and for each violation whose place
 * is not known. With KREF_OPTIONS=on_violation=abort it then aborts the program, and with
 * KREF_OPTIONS=on_violation=quiet it does nothing.
 * Standard error is descriptor 2, whatever the program has opened there. A line that cannot be
 * written is lost, and raises no SIGPIPE.
 *
 * Range:    handler may be NULL, for the default handler. context is passed to the handler.
 * Misuse:   a handler that uses the same count again causes a violation, which calls the handler
 *           again, without end. Before the code of a handler is unloaded, another handler must be
 *           set, and no thread may still be in the old one. If there is no memory for a new
 *           handler, a line says so, and the old handler stays set.
 * Ordering: release; a thread that calls the handler sees what was done before this call.
 * Threads:  any, also in the child of a fork. When this returns, another thread may still be in the
 *           old handler. Signal handlers: no. It takes no lock, but for a handler or a context that
 *           was not set before it allocates some bytes, which are never freed.
 * Returns:  nothing.
 * Defined:  here.
 */
void kref_set_violation_handler(kref_violation_handler handler, void *context);

/* ---------------------------------------------------------------------------------------------
 * Tracking: who holds which reference
 *
 * With KREF_OPTIONS=track=1 in its environment, a program loads libkref_track.so. This tracker
 * records the gets and puts of each object that kref_init() initialises. When the program exits,
 * the tracker reports the references that nobody has given back: see its documentation, or
 * kref-track --help.
 *
 * The tracker is loaded from the path in KREF_TRACK_LIBRARY; without this variable, from the
 * directory of libkref.so; and if it is not there, from where the loader finds libraries. The
 * options in KREF_OPTIONS other than track and on_violation are for the tracker. A setuid program
 * ignores both variables. A program that is linked with -static cannot load the tracker.
 *
 * A program may set a tracker of its own:
 *
 *     static void got(struct kref *kref, unsigned int count, const char *holder) { ... }
 *
 *     static const struct kref_tracker tracker = { .size = sizeof tracker, .created = ..., .got = got };
 *
 *     if (kref_set_tracker(&tracker)) ...
 *
 * Without a tracker this costs nothing: a get or a put has the same instructions. A tracked count
 * can have 4000000 references; one more is an overflow. kref_get_as() and kref_put_as() give a
 * reference's holder a name, so that the tracker can report it. All users of a tracked object must
 * use the same copy of libkref, as for slots: a copy that never had a tracker takes a tracked count
 * for a saturated one.
 * ------------------------------------------------------------------------------------------- */

/**
 * Set the tracker. From now on kref_init() calls created() for each new object. If the result is
 * not 0, the object is tracked: the other functions are called for each of its gets and puts.
 *
 * Range:    tracker may be NULL, for no tracker: then new objects are not tracked, and objects that
 *           are tracked already keep their counts, but no function is called for them. Objects that
 *           were initialised before this call are not tracked, and neither are those that
 *           KREF_INIT() or kref_count_set() initialises.
 * Misuse:   a table with an impossible size is refused. The table and the code of its functions
 *           must stay in memory until the process ends, even after another tracker is set.
 * Ordering: release; a thread that calls a function of the table sees what was done before this
 *           call.
 * Threads:  any. When this returns, another thread may still be using the old table. Signal
 *           handlers: yes.
 * Returns:  0, or -EINVAL.
 * Defined:  here.
 */
KREF_MUST_USE int kref_set_tracker(const struct kref_tracker *tracker);

/**
 * kref_init() with the name of the object's type, such as "session". The tracker's reports name the
 * object so from its first moment. Without a tracker this is as fast as kref_init(). KREF_DEFINE()
 * does it for you.
 *
 * Range:    as for kref_init(). type may be NULL, for a type without a name; otherwise the string stays
 *           valid until the call returns.
 * Misuse:   as for kref_init().
 * Ordering: relaxed, as in kref_init().
 * Threads:  one, before the object is shared. Signal handlers: yes.
 * Returns:  nothing.
 * Defined:  here.
 */
void kref_init_as(struct kref *kref,
                  const char *type) KREF_NONNULL_ARGS((1));

/**
 * kref_get() with a name for the holder of the new reference, such as "cache". If the reference is
 * never given back, the tracker can report the name. Without a tracker this is as fast as
 * kref_get().
 *
 * Range:    as for kref_get(). holder may be NULL, for a holder without a name; otherwise the
 *           string stays valid until the reference is given back.
 * Misuse:   as for kref_get().
 * Ordering: relaxed, as in kref_get().
 * Threads:  any. Signal handlers: yes.
 * Returns:  nothing; it cannot fail.
 * Defined:  here.
 */
void kref_get_as(struct kref *kref, const char *holder) KREF_NONNULL_ARGS((1));

/**
 * kref_put() with the name of the holder, as given to kref_get_as().
 *
 * Range:    as for kref_put(). holder may be NULL, as for kref_get_as(). The reference from
 *           kref_init() has a holder without a name.
 * Misuse:   as for kref_put(). If no holder of this name has a reference, the tracker reports that.
 * Ordering: release; and acquire before release() runs, as in kref_put().
 * Threads:  any. Signal handlers: yes, if release() may run there.
 * Returns:  1 if this was the last reference and release() has run, otherwise 0.
 * Defined:  here.
 */
int kref_put_as(struct kref *kref,
                void (*release)(struct kref *kref),
                const char *holder) KREF_NONNULL_ARGS((1, 2));

/**
 * Make the tracker write a report of the references that are held now.
 *
 * Range:    fd is open for writing.
 * Misuse:   if fd cannot be written to, the report is lost.
 * Ordering: none.
 * Threads:  any. Signal handlers: see the tracker's documentation; libkref_track.so: no.
 * Returns:  0, or -ENOTSUP if there is no tracker, or if it has no reports.
 * Defined:  here.
 */
int kref_track_report(int fd);

/**
 * Set a checkpoint: later reports, also the one at exit, show only references that were taken after
 * it.
 *
 * Range:    none.
 * Misuse:   none.
 * Ordering: none.
 * Threads:  any. Signal handlers: see the tracker's documentation; libkref_track.so: no.
 * Returns:  0, or -ENOTSUP if there is no tracker, or if it has no checkpoints.
 * Defined:  here.
 */
int kref_track_checkpoint(void);

/* ---------------------------------------------------------------------------------------------
 * The counter alone: the kernel's refcount_t
 *
 * For code that is written with refcount_t. <linux/refcount.h> of this package gives these
 * functions the kernel's names. In new code, use a struct kref.
 * ------------------------------------------------------------------------------------------- */

/**
 * Set the count to n.
 *
 * Range:    n from 1 to INT_MAX; no other thread can reach the counter yet.
 * Misuse:   n = 0 makes a released counter, a negative n a saturated one.
 * Ordering: relaxed.
 * Threads:  one, before the counter is shared. Signal handlers: yes.
 * Returns:  nothing.
 * Defined:  Linux, refcount_set().
 */
void kref_count_set(struct refcount_struct *count, int n) KREF_NONNULL;

/**
 * kref_count_set() for memory that is reused while other threads may still try to take a reference.
 * A thread that takes one with an _acquire function sees what was written to the object before this
 * call.
 *
 * Range:    n from 1 to INT_MAX; the count was zero.
 * Misuse:   as for kref_count_set().
 * Ordering: release; pairs with the _acquire functions.
 * Threads:  one, the thread that reuses the memory. Signal handlers: yes.
 * Returns:  nothing.
 * Defined:  Linux, refcount_set_release().
 */
void kref_count_set_release(struct refcount_struct *count, int n) KREF_NONNULL;

/**
 * Read the count, for a message or a test. Do not make a decision by it: other threads may change
 * the count at any time.
 *
 * Range:    any counter.
 * Misuse:   none that can be seen.
 * Ordering: relaxed.
 * Threads:  any. Signal handlers: yes.
 * Returns:  the count, at most INT_MAX; 0 if the counter was released or never initialised;
 *           (unsigned int)KREF_SATURATED if it is saturated.
 * Defined:  Linux, refcount_read().
 */
unsigned int kref_count_read(const struct refcount_struct *count) KREF_NONNULL;

/**
 * Take i more references. The caller holds one already.
 *
 * Range:    i from 0; the sum up to INT_MAX.
 * Misuse:   at zero, on memory that was never initialised, if the sum is above INT_MAX, with a
 *           negative i, or saturated: the count saturates, and a violation is reported.
 * Ordering: relaxed.
 * Threads:  any. Signal handlers: yes.
 * Returns:  nothing.
 * Defined:  Linux, refcount_add(), which does not catch a negative i.
 */
void kref_count_add(int i, struct refcount_struct *count) KREF_NONNULL;

/**
 * Take one more reference. The caller holds one already.
 *
 * Range:    up to INT_MAX references.
 * Misuse:   at zero, on memory that was never initialised, with too many references, or saturated:
 *           the count saturates, and a violation is reported. The first reference above INT_MAX is
 *           not yet caught, the second one is.
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
 * Misuse:   if the sum is above INT_MAX, with a negative i, or saturated: the count saturates, a
 *           violation is reported, and 1 is returned.
 * Ordering: relaxed.
 * Threads:  any. Signal handlers: yes.
 * Returns:  1 if the references were taken; 0 if the count was zero, or never initialised.
 * Defined:  Linux, refcount_add_not_zero(), which does not catch a negative i.
 */
KREF_MUST_USE int kref_count_add_not_zero(int i, struct refcount_struct *count) KREF_NONNULL;

/**
 * Take one reference unless the count is zero.
 *
 * Range:    up to INT_MAX references.
 * Misuse:   at INT_MAX or saturated: the count saturates, a violation is reported, and 1 is
 *           returned.
 * Ordering: relaxed.
 * Threads:  any. Signal handlers: yes.
 * Returns:  1 if the reference was taken; 0 if the count was zero, or never initialised.
 * Defined:  Linux, refcount_inc_not_zero().
 */
KREF_MUST_USE int kref_count_inc_not_zero(struct refcount_struct *count) KREF_NONNULL;

/**
 * kref_count_add_not_zero() for memory that is reused. If it returns 1, the caller sees what was
 * written to the object before kref_count_set_release().
 *
 * Range:    i from 0; the sum up to INT_MAX.
 * Misuse:   as for kref_count_add_not_zero().
 * Ordering: acquire if it returns 1; pairs with kref_count_set_release() and with a put.
 * Threads:  any. Signal handlers: yes.
 * Returns:  1 if the references were taken; 0 if the count was zero, or never initialised.
 * Defined:  Linux, refcount_add_not_zero_acquire(), which does not report a saturated count.
 */
KREF_MUST_USE
int kref_count_add_not_zero_acquire(int i,
                                    struct refcount_struct *count) KREF_NONNULL;

/**
 * kref_count_inc_not_zero() for memory that is reused. If it returns 1, the caller sees what was
 * written to the object before kref_count_set_release().
 *
 * Range:    up to INT_MAX references.
 * Misuse:   as for kref_count_inc_not_zero().
 * Ordering: acquire if it returns 1; pairs with kref_count_set_release() and with a put.
 * Threads:  any. Signal handlers: yes.
 * Returns:  1 if the reference was taken; 0 if the count was zero, or never initialised.
 * Defined:  Linux, refcount_inc_not_zero_acquire(), which does not report a saturated count.
 */
KREF_MUST_USE int kref_count_inc_not_zero_acquire(struct refcount_struct *count) KREF_NONNULL;

/**
 * Give i references back.
 *
 * Range:    i from 0 to the number of references that the caller holds.
 * Misuse:   with i above the count, at zero, on memory that was never initialised, with a negative
 *           i, or saturated: the count saturates, a violation is reported, and 0 is returned.
 * Ordering: release; if it returns 1, also acquire.
 * Threads:  any. Signal handlers: yes.
 * Returns:  1 if these were the last references, otherwise 0.
 * Defined:  Linux, refcount_sub_and_test(), which does not catch a negative i.
 */
KREF_MUST_USE int kref_count_sub_and_test(int i, struct refcount_struct *count) KREF_NONNULL;

/**
 * Give one reference back.
 *
 * Range:    one reference, which the caller holds.
 * Misuse:   at zero, on memory that was never initialised, or saturated: the count saturates, a
 *           violation is reported, and 0 is returned.
 * Ordering: release; if it returns 1, also acquire.
 * Threads:  any. Signal handlers: yes.
 * Returns:  1 if this was the last reference, otherwise 0.
 * Defined:  Linux, refcount_dec_and_test().
 */
KREF_MUST_USE int kref_count_dec_and_test(struct refcount_struct *count) KREF_NONNULL;

/**
 * Give one reference back. The caller knows that it is not the last.
 *
 * Range:    a count of 2 or more.
 * Misuse:   at 1, at zero, on memory that was never initialised, or saturated: the count saturates,
 *           and a violation is reported.
 * Ordering: release.
 * Threads:  any. Signal handlers: yes.
 * Returns:  nothing.
 * Defined:  Linux, refcount_dec().
 */
void kref_count_dec(struct refcount_struct *count) KREF_NONNULL;

/**
 * Give the reference back if it is the only one; otherwise change nothing.
 *
 * Range:    any count.
 * Misuse:   none is reported: if the count is not 1, nothing changes.
 * Ordering: release and acquire if it returns 1, otherwise relaxed.
 * Threads:  any. Signal handlers: yes.
 * Returns:  1 if the count went from 1 to 0, otherwise 0.
 * Defined:  Linux, refcount_dec_if_one().
 */
KREF_MUST_USE int kref_count_dec_if_one(struct refcount_struct *count) KREF_NONNULL;

/**
 * Give one reference back unless it is the last.
 *
 * Range:    one reference, which the caller holds.
 * Misuse:   at zero, on memory that was never initialised, or saturated: the count saturates, a
 *           violation is reported, and 1 is returned.
 * Ordering: release if it returns 1.
 * Threads:  any. Signal handlers: yes.
 * Returns:  1 if the reference was given back; 0 if it is the last, and the caller still holds it.
 * Defined:  Linux, refcount_dec_not_one(), which does not report a saturated count.
 */
KREF_MUST_USE int kref_count_dec_not_one(struct refcount_struct *count) KREF_NONNULL;

/**
 * Give one reference back. If it is the last, take the mutex first, and return with the mutex held.
 *
 * Range:    one reference, which the caller holds; the caller does not hold the mutex.
 * Misuse:   at zero, on memory that was never initialised, or saturated: the count saturates, a
 *           violation is reported, and 0 is returned. If the mutex cannot be taken: a violation is
 *           reported, the reference is not given back, and 0 is returned.
 * Ordering: release; if it returns 1, also acquire.
 * Threads:  any. Signal handlers: no. If the owner of a robust mutex has died, the mutex is made
 *           consistent.
 * Returns:  1 with the mutex held if the count reached zero, otherwise 0 without the mutex.
 * Defined:  Linux, refcount_dec_and_mutex_lock(), which does not report a saturated count; POSIX,
 *           pthread_mutex_lock().
 */
KREF_MUST_USE
int kref_count_dec_and_mutex_lock(struct refcount_struct *count,
                                  pthread_mutex_t *mutex) KREF_NONNULL;

#ifndef KREF_CDEF

/* ---------------------------------------------------------------------------------------------
 * For kref/inline.h, kref/percpu.h and kref/tsan.h only
 * ------------------------------------------------------------------------------------------- */

/**
 * The rest of kref_read(), for a stored value that is not a count from 1 to INT_MAX.
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
 * kref_init() and kref_init_as() while a tracker is set.
 *
 * Range:    type may be NULL; the rest is as for kref_init_as().
 * Misuse:   as for kref_init().
 * Ordering: relaxed.
 * Threads:  one, before the object is shared. Signal handlers: yes.
 * Returns:  nothing.
 * Defined:  here.
 */
void kref_init_slow(struct kref *kref, const char *type) KREF_NONNULL_ARGS((1)) KREF_COLD;

/**
 * Whether the object is tracked. For kref/tsan.h.
 *
 * Range:    the caller holds a reference.
 * Misuse:   none that can be seen.
 * Ordering: relaxed.
 * Threads:  any; the answer does not change as long as a reference is held. Signal handlers: yes.
 * Returns:  1 or 0.
 * Defined:  here.
 */
int kref_is_tracked(const struct kref *kref) KREF_NONNULL;

/**
 * The rest of kref_get(), kref_get_as() and kref_count_inc(), after the increment of a count that was not
 * alive, or was full.
 *
 * Range:    holder may be NULL.
 * Misuse:   if the count is not tracked: it saturates, and a violation is reported.
 * Ordering: relaxed.
 * Threads:  any. Signal handlers: yes.
 * Returns:  nothing.
 * Defined:  here.
 */
void kref_get_slow(struct kref *kref,
                   const char *holder) KREF_NONNULL_ARGS((1)) KREF_COLD;

/**
 * The rest of kref_put() and kref_put_as(), after the decrement of a count that was not alive. If release is
 * NULL, the rest of kref_count_dec_and_test().
 *
 * Range:    release and holder may be NULL.
 * Misuse:   if the count is not tracked: it saturates, release is not called, and a violation is
 *           reported.
 * Ordering: release; and acquire before release() runs.
 * Threads:  any. Signal handlers: yes, if release() may run there.
 * Returns:  1 if this was the last reference on a tracked object and release() has run, otherwise
 *           0.
 * Defined:  here.
 */
int kref_put_slow(struct kref *kref,
                  void (*release)(struct kref *kref),
                  const char *holder) KREF_NONNULL_ARGS((1)) KREF_COLD;

/**
 * percpu_ref_get_many() without this CPU's counter. It may be called in both modes. This function
 * and the next ones have the same Range, Misuse, Ordering, Threads and Returns as the functions
 * that they name.
 */
void percpu_ref_get_slow(struct percpu_ref *ref, unsigned long nr) KREF_NONNULL KREF_COLD;

/** percpu_ref_tryget_many() without this CPU's counter. */
int percpu_ref_tryget_slow(struct percpu_ref *ref, unsigned long nr) KREF_NONNULL KREF_COLD;

/** percpu_ref_tryget_live() without this CPU's counter. */
int percpu_ref_tryget_live_slow(struct percpu_ref *ref) KREF_NONNULL KREF_COLD;

/** percpu_ref_put_many() without this CPU's counter. */
void percpu_ref_put_slow(struct percpu_ref *ref, unsigned long nr) KREF_NONNULL KREF_COLD;

#endif

#ifdef __cplusplus
}
#endif

#ifndef KREF_CDEF
#include "kref/inline.h"
#include "kref/typed.h"
#endif

#endif /* KREF_H */
