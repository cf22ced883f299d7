/*
 * kref/track.h - tracking: who holds which reference. Included by kref.h.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 * Made from the source of libkref by `make header`.
 *
 * `kref-track ./program`, or KREF_OPTIONS=track=1 in the program's environment, makes the program load
 * a tracker, libkref_track.so. It records the gets and puts of each object that kref_init() or
 * kref_count_set() initialises or kref_pool_publish() publishes, and of each percpu_ref, for kref-track,
 * which runs in a process of its own. When the program ends, kref-track reports the references that nobody has given back.
 * `kref-track --help` lists its options.
 *
 * The tracker is loaded from the path in KREF_TRACK_LIBRARY; without this variable, from the folder
 * kref/ beside libkref.so; and if it is not there, from the folders that the dynamic loader searches.
 * The options in KREF_OPTIONS other than track and on_violation are for kref-track. A setuid program
 * ignores both variables. A program that is linked with -static cannot load the tracker.
 *
 * A program needs no function of this header to be tracked. kref_init_as(), kref_get_as() and
 * kref_put_as() give the type and the reference's holder a name for the report.
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
 * can have 4000000 references. With one more the object is tracked no further, and its count
 * saturates: no violation is reported, kref_read() returns KREF_SATURATED, and the object is never
 * released. All users of a tracked object must use the same copy of libkref, as for slots: a copy
 * that never had a tracker takes a tracked count for a saturated one.
 *
 * A tracked percpu_ref counts by one atomic number in both modes, as in a process without
 * restartable sequences. All its functions give the same results as in percpu mode, with one
 * difference: misuse is noticed at once, and not by percpu_ref_kill(). A percpu_ref that gets more
 * than 4000000 references goes on untracked.
 *
 * kref_slot_replace() moves a reference from the caller to the slot, or back. For each of the two
 * objects it calls putting for the old holder, and getting and got for the new one. The slot's name
 * as a holder is "a kref_slot". percpu_ref_slot_replace() calls nothing: the slot usually holds the
 * initial reference.
 *
 * The first page of kref.h says what holds for every function.
 */
#ifndef KREF_H
#include "../kref.h" /* includes this header, in the right order */
#elif !defined KREF_TRACK_H
#define KREF_TRACK_H

#ifdef __cplusplus
extern "C" {
#endif

/** What happens to a percpu_ref. */
enum kref_percpu_event {
    /** percpu_ref_init(). The tracker decides whether the percpu_ref is tracked. */
    KREF_PERCPU_INIT = 1,
    /** percpu_ref_kill(). The put of the initial reference follows. */
    KREF_PERCPU_KILL = 2,
    /** percpu_ref_resurrect() or percpu_ref_reinit(). The get of the new initial reference follows. */
    KREF_PERCPU_REVIVE = 3,
    /** percpu_ref_exit(): the percpu_ref has ended. */
    KREF_PERCPU_EXIT = 4,
    /** The percpu_ref gets more than 4000000 references: no function is called for it any more. */
    KREF_PERCPU_LET_GO = 5
};

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
     * Called by kref_init(), kref_count_set() and kref_pool_publish(), before the count is initialised.
     * Returns 0 if the object is not to be tracked. type is the name from kref_init_as() or
     * KREF_POOL_DEFINE(), or NULL. If kref_count_set() sets more than one reference, got follows for
     * each of the others.
     */
    int (*created)(struct kref *kref, const char *type);
    /** Called before a reference is taken. The get may still fail. */
    void (*getting)(struct kref *kref);
    /**
     * Called after a reference was taken; once for each, if the operation has taken several. count
     * includes the reference. holder is the name from kref_get_as(), or NULL. A lookup in a pool may
     * take a reference on another object for a moment, and give it back: no function is called for
     * that, but the count of the other object includes it.
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
    /**
     * Called when kref_pool_get() has found no object. given is 1 if the pool has given this handle: the
     * object is gone, or not published yet. given is 0 if the pool has never given the handle since it
     * was initialised or destroyed.
     */
    void (*missed)(struct kref_pool *pool, uint64_t handle, int given);
    /**
     * Called for the events of a percpu_ref; release is its release function. For KREF_PERCPU_INIT
     * the result is 0 if the percpu_ref is not to be tracked; without this member, none is tracked.
     * The gets and puts of a tracked percpu_ref call getting, got, putting, released and done, as
     * those of a kref do. Their argument kref is the address of the percpu_ref: do not read a count
     * there. The holder of the initial reference has the name "the initial reference": percpu_ref_init()
     * calls got with this name, and percpu_ref_kill() calls putting. After released, the percpu_ref may
     * live again, after KREF_PERCPU_REVIVE. If it is revived while another thread is still in the last
     * put, that thread may call released later.
     */
    int (*percpu)(struct percpu_ref *ref,
                  enum kref_percpu_event event,
                  void (*release)(struct percpu_ref *ref));
    /**
     * Called when the object gets more than 4000000 references: no function is called for it any
     * more. The count saturates without a violation, so the object is never released.
     */
    void (*let_go)(const void *kref);
    /**
     * Called by kref_balance_begin(), with begins = 1 and the name of the type or NULL, and by kref_balance_end(),
     * with begins = 0 and NULL. The result is that of kref_balance_end().
     */
    unsigned int (*balance)(int begins, const char *type);
};

/**
 * Set the tracker. From now on kref_init(), kref_count_set() and kref_pool_publish() call created() for
 * each new object. If the result is not 0, the object is tracked: the other functions are called for
 * each of its gets and puts.
 *
 * Range:    tracker may be NULL, for no tracker: then new objects are not tracked, and objects that
 *           are tracked already keep their counts, but no function is called for them. Objects that
 *           were initialised before this call are not tracked, and neither are those that
 *           KREF_INIT() initialises, or kref_count_set() with more than 1024 references.
 * Misuse:   if tracker->size is impossible, -EINVAL is returned. The struct and the code of its
 *           functions must stay in memory until the process ends, even after another tracker is set.
 * Ordering: release; a thread that calls a function of the struct sees what was done before this
 *           call.
 * Threads:  when this returns, another thread may still be using the old struct.
 * Returns:  0, or -EINVAL.
 */
KREF_MUST_USE
int kref_set_tracker(const struct kref_tracker *tracker);

/**
 * kref_init() with the name of the object's type, such as "session". The tracker's reports name the
 * object so from its first moment. Without a tracker this is as fast as kref_init(). KREF_DEFINE()
 * does it for you.
 *
 * Range:    type may be NULL, for a type without a name; otherwise the string stays valid until the
 *           call returns.
 */
void kref_init_as(struct kref *kref, const char *type) KREF_NONNULL_ARGS((1));

/**
 * kref_get() with a name for the holder of the new reference, such as "cache". If the reference is
 * never given back, the tracker can report the name. Without a tracker this is as fast as
 * kref_get().
 *
 * Range:    holder may be NULL, for a holder without a name; otherwise the string stays valid until
 *           the reference is given back.
 */
void kref_get_as(struct kref *kref, const char *holder) KREF_NONNULL_ARGS((1));

/**
 * kref_put() with the name of the holder, as given to kref_get_as().
 *
 * Range:    holder may be NULL, as for kref_get_as(). The reference from kref_init() has a holder
 *           without a name.
 * Misuse:   if no holder of this name has a reference, the tracker reports that.
 * Returns:  1 if this was the last reference and release() has run, otherwise 0.
 */
int kref_put_as(struct kref *kref,
                void (*release)(struct kref *kref),
                const char *holder) KREF_NONNULL_ARGS((1, 2));

/**
 * Make the tracker write a report of the references that are held now.
 *
 * Range:    fd is open for writing.
 * Misuse:   if fd cannot be written to, the report is lost.
 * Threads:  with libkref_track.so, also in a signal handler. If the handler interrupts another call of
 *           kref_track_report(), there is no second report.
 * Returns:  0, or -ENOTSUP if there is no tracker, or if it has no reports.
 */
int kref_track_report(int fd);

/**
 * Set a checkpoint: later reports, also the one at exit, show only references that were taken after
 * it.
 *
 * Threads:  with libkref_track.so, also in a signal handler.
 * Returns:  0, or -ENOTSUP if there is no tracker, or if it has no checkpoints.
 */
int kref_track_checkpoint(void);

/**
 * Begin a region that must leave no reference behind: the work for one request, for example. Without a
 * tracker this does nothing. kref_balance_end() says what counts.
 *
 * Range:    type may be NULL: then the region looks at references on all objects. Otherwise it looks at
 *           objects of one type, by its name: that of kref_init_as() or KREF_DEFINE(), or the release
 *           function's. The string stays valid until the call returns.
 * Threads:  the region is the calling thread's. Other threads may have regions at the same time, and a
 *           region may be inside another one.
 */
void kref_balance_begin(const char *type);

/**
 * End the region that the calling thread began last. A reference is left behind if this thread took it in the
 * region, and it is still held now: by kref_init() as well as by a get. If this thread took as many references
 * on an object as it gave back in the region, it left none behind on this object. The tracker reports those
 * left behind, with the place of kref_balance_begin().
 *
 * Misuse:   without a kref_balance_begin() in this thread there is nothing to end: 0 is returned.
 * Threads:  the thread waits for the tracker. A reference that another thread takes is not counted.
 * Returns:  the number of references left behind. 0 without a tracker, or if it has no regions.
 */
unsigned int kref_balance_end(void);

#ifdef __cplusplus
}
#endif

#endif /* KREF_TRACK_H */
