/*
 * kref/pool.h - a pool: objects that a handle names. Included by kref.h.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 * Made from the source of libkref by `make header`.
 *
 * A handle is a number of 64 bits, and never 0. It names one object, and no other one while the pool
 * lives. It holds no reference. When the object is gone, a lookup by the handle answers NULL. So a handle
 * is what to give away where a reference would keep the object alive and a pointer would dangle: in
 * epoll_data, in io_uring's user_data, in a timer's argument, in a message, in a table. A handle is a
 * weak reference.
 *
 *     struct session { struct kref kref; int fd; };
 *
 *     static void session_cleanup(struct session *session) { close(session->fd); }
 *
 *     KREF_POOL_DEFINE(session, struct session, kref, session_cleanup);    // in one .c file
 *
 *     struct session *session = session_alloc();           // nobody can find it yet
 *     if (!session) ...
 *     session->fd = fd;
 *     event.data.u64 = session_handle(session);
 *     session_publish(session);                            // one reference: ours
 *     epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
 *
 *     session = session_by_handle(event.data.u64);         // in the event loop: NULL if it is gone
 *     if (session) { ...; session_unref(session); }
 *
 * The objects are in the pool's memory, which grows, stays where it is, and is used again for other
 * objects. An object needs 8 bytes more than its size. Its count is an ordinary struct kref: kref_get(),
 * kref_put() with the pool's release function, slots and tracking work on it. Do not use functions that
 * call the release function with a lock held, such as kref_put_mutex(): the pool itself may call the
 * release function without the lock.
 *
 * Leave the kref of a pool's object alone: kref_init(), memset() and `*session = (struct session){ ... }`
 * overwrite a count that a lookup may be changing. kref_pool_publish() reports it.
 *
 * A handle is easy to guess. If a client sends a handle, check that the object belongs to this client.
 *
 * AddressSanitizer and valgrind's memcheck (on x86-64 and aarch64) report a use of an object after
 * kref_pool_free(), as they do after free(), but not a use of its count. AddressSanitizer may also miss up
 * to 7 bytes in front of the count, or in front of the next object.
 *
 * The first page of kref.h says what holds for every function.
 */
#ifndef KREF_H
#include "../kref.h" /* includes this header, in the right order */
#elif !defined KREF_POOL_H
#define KREF_POOL_H

#ifndef KREF_CDEF
#include <stdint.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Set an object to zero each time that it is allocated. */
#define KREF_POOL_ZEROED 1
/* Give each object, with its 8 bytes, cache lines of its own. So two objects do not share a line. */
#define KREF_POOL_CACHE_LINES 2

/** For the headers only. */
#define KREF_POOL_FIRST_LOG2 8

/** For the headers only: the number of objects in a pool's first chunk, and the position of the first object. */
#define KREF_POOL_FIRST (1 << KREF_POOL_FIRST_LOG2)

/** For the headers only: the bytes in front of each object of a pool. */
#define KREF_POOL_ENTRY 8

/** A pool: objects that a handle names. Use its functions, never the members. */
struct kref_pool {
    size_t chunks[24];
    void (*release)(struct kref*);
    const char *type_name;
    unsigned int size;
    unsigned int kref_at;
    unsigned int stride;
    unsigned int lead;
    unsigned int flags;
    unsigned int limit;
    unsigned int seed;
    unsigned int stack_count;
    void *stacks;
    uint8_t apart[64];
    unsigned int fresh;
    unsigned int parked;
    unsigned int retired;
};

/*
 * KREF_POOL_INIT(type, member, release): the initialiser of a pool of objects of this type, whose struct
 * kref is `member`. The release function gives the object's parts back, and then calls kref_pool_free().
 * KREF_POOL_INIT_WITH has in addition: flags, or 0; and the largest number of objects at one time, or 0
 * for no limit.
 *
 * Each CPU keeps up to 63 freed objects for itself, with restartable sequences. So if the system has no
 * more memory, an allocation may fail although other CPUs have free objects. A pool with a limit has no
 * such caches. So below the limit an allocation fails only if the system has no memory. Allocations and
 * frees take longer.
 */
#define KREF_POOL_INIT(type, member, release) KREF_POOL_INIT_WITH(type, member, release, 0, 0)
#define KREF_POOL_INIT_WITH(type, member, release, flags, limit)                                   \
    KREF_POOL_INIT_AS(NULL, type, member, release, flags, limit)

/*
 * For the macros here only: the initialiser with the type's name; the distance between two objects, and the
 * bytes before the first. An object whose alignment is more than a page does not compile.
 */
#define KREF_POOL_INIT_AS(name, type, member, release, flags, limit)                               \
    { { 0 }, release, name, sizeof(type), offsetof(type, member), KREF_POOL_STRIDE(type, flags),   \
      KREF_POOL_LEAD(type), flags, limit, 0, 0, NULL, { 0 },                                       \
      KREF_POOL_FIRST, 0, 0 }
#define KREF_POOL_STRIDE(type, flags)                                                              \
    KREF_POOL_ROUND(KREF_POOL_ENTRY + KREF_POOL_LEAD(type) * KREF_POOL_IN_LINES(flags) + sizeof(type), \
                    KREF_POOL_ALIGN(type, 4 + 60 * KREF_POOL_IN_LINES(flags)))
#define KREF_POOL_LEAD(type)                                                                       \
    (KREF_POOL_ROUND(KREF_POOL_ENTRY, KREF_POOL_ALIGN(type, 4)) - KREF_POOL_ENTRY)
#define KREF_POOL_IN_LINES(flags) (((flags) & KREF_POOL_CACHE_LINES) / KREF_POOL_CACHE_LINES)
#define KREF_POOL_ALIGN(type, least)                                                               \
    (((least) + (KREF_ALIGNOF(type) > (least)) * (KREF_ALIGNOF(type) - (least))) *                 \
     sizeof(char[KREF_ALIGNOF(type) > 4096 ? -1 : 1]))
#define KREF_POOL_ROUND(size, align) (((size) + (align) - 1) / (align) * (align))
#define KREF_ALIGNOF(type) __alignof__(type)

/**
 * Initialise a pool whose objects have no type in C, or that other languages make. In C and C++,
 * KREF_POOL_INIT does the same at compile time.
 *
 * Range:    size and align are those of an object: align is a power of two, at most 4096. kref_at is the
 *           offset of the struct kref in it. flags as for KREF_POOL_INIT_WITH. limit is the most objects at
 *           a time, or 0. The pool has not been used, or kref_pool_destroy() has returned 0.
 * Threads:  no other thread uses the pool meanwhile.
 * Returns:  0; -EINVAL for numbers out of range, and then the pool is as it was.
 */
KREF_MUST_USE
int kref_pool_init(struct kref_pool *pool,
                   size_t size,
                   size_t align,
                   size_t kref_at,
                   void (*release)(struct kref*),
                   unsigned int flags,
                   unsigned int limit) KREF_NONNULL;

/**
 * Take an object from the pool, for kref_pool_publish() or kref_pool_free(). Until it is published no
 * lookup finds it, but its handle is known: kref_pool_handle(). Fill the object in, member by member,
 * and leave its kref alone.
 *
 * Misuse:   kref_init(), memset() or an assignment of the whole struct: kref_pool_publish() reports it.
 * Returns:  the object. All zero the first time, and later as the release function left it, or zero
 *           each time with KREF_POOL_ZEROED. NULL with errno ENOMEM if there is no memory, or the
 *           pool has its limit of objects.
 */
KREF_MUST_USE
void *kref_pool_alloc(struct kref_pool *pool) KREF_NONNULL;

/**
 * Set the count to one reference, which the caller holds. From here on lookups by the handle find the
 * object.
 *
 * Range:    the kref of an object that kref_pool_alloc() returned.
 * Misuse:   on an object whose count was touched since kref_pool_alloc(), or that was published before or
 *           freed: a violation is reported. A count that was touched saturates.
 * Ordering: release: who finds the object sees what was written to it.
 */
void kref_pool_publish(struct kref_pool *pool,
                       struct kref *kref) KREF_NONNULL;

/**
 * Give the object's memory back to the pool. The pool's release function calls this at its end, and does
 * not use the object afterwards. From here on the handle finds nothing. Also for an object that was
 * allocated and not published.
 *
 * Range:    the kref of an object that nobody uses any more.
 * Misuse:   on an object that is alive, that was freed before, or that is not the pool's: nothing is
 *           freed, and a violation is reported.
 * Ordering: release: who gets the memory next sees what was done to the object before.
 * Threads:  as for a release function: the call may give back references that lookups have left to the
 *           pool, and run the release function for them.
 */
void kref_pool_free(struct kref_pool *pool,
                    struct kref *kref) KREF_NONNULL;

/**
 * The object's handle. It names this object, and no other one while the pool lives. It holds no
 * reference.
 *
 * Range:    an object of the pool that the caller has allocated or holds a reference on; or in the release
 *           function, before kref_pool_free().
 * Returns:  the handle, never 0. 0 if the object is not in this pool.
 */
KREF_MUST_USE
uint64_t kref_pool_handle(struct kref_pool *pool,
                          struct kref *kref) KREF_NONNULL;

/**
 * Take a reference on the object that the handle names, in one step with the lookup: rule 3 of the three
 * rules in kref.h. Takes no lock, and never runs a release function.
 *
 * Range:    any number.
 * Misuse:   a handle of another pool nearly always finds nothing, but this is not certain.
 * Ordering: acquire: the caller sees what was written to the object before it was published.
 * Returns:  the kref, with a reference that the caller holds now and must give back. NULL if the object
 *           is gone or not published yet, or if the pool never gave this handle.
 */
KREF_MUST_USE
struct kref *kref_pool_get(struct kref_pool *pool,
                           uint64_t handle) KREF_NONNULL;

/**
 * Take a reference on the next object that is alive: for broadcasts and for shutdown.
 *
 *     unsigned cursor = 0;
 *     while ((kref = kref_pool_next(&sessions, &cursor))) { ...; kref_put(kref, session_release); }
 *
 * Range:    a cursor that began at 0. An object that is published or released meanwhile may be found
 *           or not.
 * Ordering: acquire, as for kref_pool_get().
 * Returns:  the kref, with a reference that the caller holds now and must give back; NULL at the end.
 */
KREF_MUST_USE
struct kref *kref_pool_next(struct kref_pool *pool,
                            unsigned int *cursor) KREF_NONNULL;

/**
 * Count the objects that are alive. Looks at all memory of the pool, so for messages and tests.
 *
 * Returns:  the number. Other threads may change it at any time.
 */
size_t kref_pool_count(struct kref_pool *pool) KREF_NONNULL;

/**
 * Give back the references that lookups have left to the pool: a lookup that took a reference on a wrong
 * object gives that reference back, but never runs a release function. Each kref_pool_free() and
 * kref_pool_destroy() does so, too. So a program needs this function only if an object must end soon after
 * its last holder, and no other object of the pool may be freed for a long time.
 *
 * Threads:  as for a release function, which this function may run.
 */
void kref_pool_drain(struct kref_pool *pool) KREF_NONNULL;

/**
 * Give the pool's memory back. Until the pool is used again, its handles find nothing. Later an old handle
 * nearly always finds nothing, but this is not certain.
 *
 * Range:    no other thread uses the pool meanwhile.
 * Misuse:   while an object is alive: nothing is freed, and a violation is reported for the first such
 *           object.
 * Threads:  not in a signal handler.
 * Returns:  the number of objects that are alive: 0 if the memory was given back.
 */
size_t kref_pool_destroy(struct kref_pool *pool) KREF_NONNULL;

#ifdef __cplusplus
}
#endif

#ifndef KREF_CDEF
/*
 * KREF_POOL_DEFINE(session, struct session, kref, session_cleanup) makes a pool, session_pool, and the
 * functions of KREF_DEFINE (kref/typed.h) except session_ref_init(). In their place:
 *
 *     session_alloc()                  kref_pool_alloc()
 *     session_publish(session)         kref_pool_publish()
 *     session_discard(session)         kref_pool_free() for a session that was not published
 *     session_handle(session)          kref_pool_handle()
 *     session_by_handle(handle)        kref_pool_get()
 *     session_next(&cursor)            kref_pool_next()
 *
 * The last session_unref() calls session_cleanup(session), which must not free the session, and gives the
 * memory back to the pool. The macro stands in one .c file, and not in a header. If several .c files use
 * the pool:
 *
 *     KREF_POOL_DECLARE(session, struct session);          in a header (for C++: in extern "C")
 *     KREF_POOL_DEFINE_EXTERN(session, struct session, kref, session_cleanup);
 *                                                          in one .c file, after the header
 *
 * KREF_POOL_DEFINE_WITH and KREF_POOL_DEFINE_EXTERN_WITH have flags and a limit in addition, as
 * KREF_POOL_INIT_WITH.
 */
#define KREF_POOL_DEFINE(name, type, member, cleanup)                                              \
    KREF_POOL_DEFINE_WITH(name, type, member, cleanup, 0, 0)
#define KREF_POOL_DEFINE_WITH(name, type, member, cleanup, flags, limit)                           \
    static void name##_kref_release(struct kref *kref);                                            \
    KREF_POOL_FUNCTIONS(KREF_TYPED, static, name, type, member, cleanup, flags, limit)             \
    KREF_TYPED_AUTO(name, type)

#define KREF_POOL_DEFINE_EXTERN(name, type, member, cleanup)                                       \
    KREF_POOL_DEFINE_EXTERN_WITH(name, type, member, cleanup, 0, 0)
#define KREF_POOL_DEFINE_EXTERN_WITH(name, type, member, cleanup, flags, limit)                    \
    KREF_POOL_FUNCTIONS(extern, extern, name, type, member, cleanup, flags, limit)                 \
    struct name##_kref_find
#define KREF_POOL_DECLARE(name, type)                                                              \
    KREF_MUST_USE type *name##_alloc(void);                                                        \
    void name##_publish(type *object) KREF_NONNULL;                                                \
    void name##_discard(type *object) KREF_NONNULL;                                                \
    uint64_t name##_handle(type *object) KREF_NONNULL;                                             \
    KREF_MUST_USE type *name##_by_handle(uint64_t handle);                                         \
    KREF_MUST_USE type *name##_next(unsigned int *cursor) KREF_NONNULL;                            \
    KREF_TYPED_DECLARE(name, type)

/* For the macros above only. */
#define KREF_POOL_FUNCTIONS(storage, release_storage, name, type, member, cleanup, flags, limit)   \
    static struct kref_pool name##_pool =                                                          \
        KREF_POOL_INIT_AS(#name, type, member, name##_kref_release, flags, limit);                 \
    KREF_NONNULL KREF_UNUSED release_storage void name##_kref_release(struct kref *kref)           \
    {                                                                                              \
        cleanup(kref_entry(kref, type, member));                                                   \
        kref_pool_free(&name##_pool, kref);                                                        \
    }                                                                                              \
    KREF_TYPED_USE(storage, name, type, member)                                                    \
    KREF_MUST_USE storage type *name##_alloc(void)                                                 \
    {                                                                                              \
        return KREF_CAST(static_cast, type *, kref_pool_alloc(&name##_pool));                      \
    }                                                                                              \
    storage void name##_publish(type *object)                                                      \
    {                                                                                              \
        kref_pool_publish(&name##_pool, &object->member);                                          \
    }                                                                                              \
    storage void name##_discard(type *object)                                                      \
    {                                                                                              \
        kref_pool_free(&name##_pool, &object->member);                                             \
    }                                                                                              \
    storage uint64_t name##_handle(type *object)                                                   \
    {                                                                                              \
        return kref_pool_handle(&name##_pool, &object->member);                                    \
    }                                                                                              \
    KREF_MUST_USE storage type *name##_by_handle(uint64_t handle)                                  \
    {                                                                                              \
        return kref_entry(kref_pool_get(&name##_pool, handle), type, member);                      \
    }                                                                                              \
    KREF_MUST_USE storage type *name##_next(unsigned int *cursor)                                  \
    {                                                                                              \
        return kref_entry(kref_pool_next(&name##_pool, cursor), type, member);                     \
    }
#endif

#endif /* KREF_POOL_H */
