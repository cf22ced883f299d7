/*
 * kref/typed.h - references with the type of your object. Included by kref.h.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * One line for each counted type makes the functions that C libraries usually write by hand:
 *
 *     struct session { struct kref kref; int id; };
 *
 *     static void session_free(struct session *session) { free(session); }
 *
 *     KREF_DEFINE(session, struct session, kref, session_free);
 *
 * The arguments are the prefix of the functions, the type, the name of its struct kref, and the function
 * that frees an object. After this line there are:
 *
 *     void session_ref_init(session)            one reference, which the caller holds
 *     void session_ref_init_n(session, n)       n references: kref_init_n()
 *     session_ref(session)                      take one more; returns session
 *     session_ref_unless_zero(session)          for lookups, with the table's lock held: take one; NULL if
 *                                               session is being released
 *     session_unref(session)                    give one back; the last calls session_free(session)
 *     session_is_unique(session)                1 if the caller holds the only one: kref_is_unique()
 *     session_lookup(&mutex, find, key)         rule 3: kref_lookup_mutex(), with
 *                                               struct session *find(void *key)
 *     session_slot_get(&slot)                   rule 3: kref_slot_get()
 *     session_slot_replace(&slot, session)      kref_slot_replace()
 *     session_kref_release(kref)                the release function, for kref_thread_create() and others
 *
 * session_ref(), session_ref_unless_zero(), session_unref() and session_slot_replace() take NULL, and then
 * take or give back nothing. Each function has the same orderings, misuse reports and rules for threads as the
 * function of kref.h that it calls. A tracker's reports name the objects "session".
 *
 * KREF_DEFINE stands after the free function, which may also be free() itself. If your program has a function of
 * one of these names, such as session_lookup(), choose another prefix.
 *
 * KREF_DEFINE makes static inline functions. It stands in a .c file, or in a header of your program after
 * the struct. If clients of your library must not see the struct, let the library export the functions:
 *
 *     KREF_DECLARE(session, struct session);                              in the header (for C++: in extern "C")
 *     KREF_DEFINE_EXTERN(session, struct session, kref, session_free);    in one .c file
 *
 * If clients must not need kref.h either, write the declarations of KREF_DECLARE by hand in the public
 * header, as far as clients need them, and let only the .c files see KREF_DECLARE:
 *
 *     struct session *session_ref(struct session *session);
 *     void session_unref(struct session *session);
 *
 * If others refer to the object without a reference, as an event loop or a timer does, use KREF_POOL_DEFINE
 * (kref/pool.h) in place of KREF_DEFINE: the object then has a handle, which is a weak reference.
 *
 * In C++, kref.hpp has libkref::ref<session>, a smart pointer that calls these functions.
 */
#ifndef KREF_TYPED_H
#define KREF_TYPED_H

#include "../kref.h"

/* Inlined even at -O0, so that a violation is reported at the line that calls session_unref(). */
#if defined __GNUC__
#define KREF_TYPED static __inline__ __attribute__((__always_inline__, __unused__))
#define KREF_UNUSED __attribute__((__unused__))
#else
#define KREF_TYPED static inline
#define KREF_UNUSED
#endif

#define KREF_DEFINE(name, type, member, free_function)                                             \
    KREF_TYPED_FUNCTIONS(KREF_TYPED, KREF_UNUSED static, name, type, member, free_function)        \
    KREF_TYPED_AUTO(name, type)

#define KREF_DEFINE_EXTERN(name, type, member, free_function)                                      \
    KREF_TYPED_FUNCTIONS(extern, extern, name, type, member, free_function)                        \
    struct name##_kref_find

#define KREF_DECLARE(name, type)                                                                   \
    void name##_ref_init(type *object) KREF_NONNULL;                                               \
    void name##_ref_init_n(type *object, int n) KREF_NONNULL;                                      \
    KREF_TYPED_DECLARE(name, type)

/* Those that KREF_POOL_DECLARE has, too. */
#define KREF_TYPED_DECLARE(name, type)                                                             \
    type *name##_ref(type *object);                                                                \
    KREF_MUST_USE type *name##_ref_unless_zero(type *object);                                      \
    void name##_unref(type *object);                                                               \
    KREF_MUST_USE int name##_is_unique(const type *object) KREF_NONNULL;                           \
    KREF_MUST_USE type *name##_lookup(pthread_mutex_t *mutex, type *(*find)(void *key), void *key) \
        KREF_NONNULL_ARGS((1, 2));                                                                 \
    KREF_MUST_USE type *name##_slot_get(struct kref_slot *slot) KREF_NONNULL;                      \
    KREF_MUST_USE type *name##_slot_replace(struct kref_slot *slot, type *next)                    \
        KREF_NONNULL_ARGS((1));                                                                    \
    void name##_kref_release(struct kref *kref) KREF_NONNULL;                                      \
    KREF_TYPED_AUTO(name, type)

#if defined __GNUC__
/*
 * KREF_AUTO(session) s = session_ref(x); gives the reference back at the end of the scope, by whatever way
 * the scope is left: return, goto, break.
 *
 * kref_move(&s): returns s and makes s NULL. So KREF_AUTO gives nothing back, and the reference goes to
 * the caller, to a table or to a thread:
 *
 *     KREF_AUTO(session) s = session_new();
 *     if (session_connect(s) < 0)
 *         return NULL;              // gives the reference back
 *     return kref_move(&s);         // hands the reference on
 *
 * Initialise the variable, with NULL if there is nothing yet. Do not pass the variable to session_unref():
 * the end of the scope would give the same reference back a second time. A second assignment does not give
 * the first reference back. Do not return between malloc() and session_ref_init(). A switch or goto must not
 * jump over the declaration; -Wjump-misses-init finds it.
 *
 * KREF_GUARD(session, x) { ... } takes a reference on x for the block, and gives it back at its end. In the
 * block, break and continue leave the block, and not a loop around it. After a block that ends with return, gcc
 * wants another return.
 */
#define KREF_AUTO(name) __attribute__((__cleanup__(name##_kref_unref_at))) name##_kref_pointer
#define KREF_GUARD(name, object) KREF_GUARD_AT(name, object, __COUNTER__)
#define kref_move(pointer)                                                                         \
    __extension__({                                                                                \
        __typeof__(pointer) kref_from = (pointer);                                                 \
        __typeof__(*kref_from) kref_moved = *kref_from;                                            \
        *kref_from = NULL;                                                                         \
        kref_moved;                                                                                \
    })

/* For KREF_GUARD() only. The loop runs once. */
#define KREF_GUARD_AT(name, object, n) KREF_GUARD_NAMED(name, object, n)
#define KREF_GUARD_NAMED(name, object, n)                                                          \
    for (name##_kref_pointer kref_guard_##n                                                        \
             __attribute__((__cleanup__(name##_kref_unref_at))) = name##_ref(object),              \
             *kref_once_##n = &kref_guard_##n;                                                     \
         kref_once_##n; kref_once_##n = NULL)
#endif

/* For kref.hpp only: libkref::ref<type> finds this struct by an overload of kref_calls_of() for its pointer. Without the
 * second parameter, KREF_DEFINE could not stand twice for a type with two counts. */
#ifdef __cplusplus
#define KREF_TYPED_CALLS(name, type)                                                               \
    extern "C++" {                                                                                 \
    struct name##_kref_calls {                                                                     \
        KREF_TYPED void take(type *object)                                                  \
        {                                                                                          \
            name##_ref(object);                                                                    \
        }                                                                                          \
        KREF_TYPED bool take_unless_zero(type *object)                                      \
        {                                                                                          \
            return name##_ref_unless_zero(object) != NULL;                                         \
        }                                                                                          \
        KREF_TYPED void give_back(type *object)                                             \
        {                                                                                          \
            name##_unref(object);                                                                  \
        }                                                                                          \
        KREF_TYPED bool is_unique(const type *object)                                       \
        {                                                                                          \
            return name##_is_unique(object) != 0;                                                  \
        }                                                                                          \
    };                                                                                             \
    KREF_TYPED name##_kref_calls kref_calls_of(type *, name##_kref_calls *)                        \
    {                                                                                              \
        return name##_kref_calls();                                                                \
    }                                                                                              \
    }
#else
#define KREF_TYPED_CALLS(name, type)
#endif

/* For KREF_AUTO() only. The caller writes the semicolon. */
#define KREF_TYPED_AUTO(name, type)                                                                \
    KREF_TYPED_CALLS(name, type)                                                                   \
    typedef type *name##_kref_pointer;                                                             \
    KREF_TYPED void name##_kref_unref_at(name##_kref_pointer *object)                              \
    {                                                                                              \
        name##_unref(*object);                                                                     \
    }                                                                                              \
    struct name##_kref_find

/* The functions of one type. The release function is called through a pointer, so its storage is not
 * KREF_TYPED: gcc refuses such a call of an always_inline function. */
#define KREF_TYPED_FUNCTIONS(storage, release_storage, name, type, member, free_function)          \
    KREF_NONNULL release_storage void name##_kref_release(struct kref *kref)                       \
    {                                                                                              \
        free_function(kref_entry(kref, type, member));                                             \
    }                                                                                              \
    storage void name##_ref_init(type *object)                                                     \
    {                                                                                              \
        kref_init_as(&object->member, #name);                                                      \
    }                                                                                              \
    storage void name##_ref_init_n(type *object, int n)                                            \
    {                                                                                              \
        name##_ref_init(object);                                                                   \
        if (n != 1)                                                                                \
            kref_count_add(n > 0 ? n - 1 : -1, &object->member.refcount);                          \
    }                                                                                              \
    KREF_TYPED_USE(storage, name, type, member)

/* Those that use an object which exists: for an object of a pool, too. */
#define KREF_TYPED_USE(storage, name, type, member)                                                \
    struct name##_kref_find {                                                                      \
        type *(*find)(void *key);                                                                  \
        void *key;                                                                                 \
    };                                                                                             \
    /* kref_lookup_mutex() calls this, and this calls the find function of the program. */         \
    KREF_UNUSED static struct kref *name##_kref_found(void *typed)                                 \
    {                                                                                              \
        struct name##_kref_find *call =                                                            \
            KREF_CAST(static_cast, struct name##_kref_find *, typed);                              \
        type *object = call->find(call->key);                                                      \
                                                                                                   \
        return object ? &object->member : NULL;                                                    \
    }                                                                                              \
    storage type *name##_ref(type *object)                                                         \
    {                                                                                              \
        if (object)                                                                                \
            kref_get(&object->member);                                                             \
        return object;                                                                             \
    }                                                                                              \
    KREF_MUST_USE storage type *name##_ref_unless_zero(type *object)                               \
    {                                                                                              \
        return object && kref_get_unless_zero(&object->member) ? object : NULL;                    \
    }                                                                                              \
    storage void name##_unref(type *object)                                                        \
    {                                                                                              \
        if (object)                                                                                \
            kref_put(&object->member, name##_kref_release);                                        \
    }                                                                                              \
    KREF_MUST_USE storage int name##_is_unique(const type *object)                                 \
    {                                                                                              \
        return kref_is_unique(&object->member);                                                    \
    }                                                                                              \
    KREF_MUST_USE storage type *name##_lookup(pthread_mutex_t *mutex, type *(*find)(void *key),    \
                                              void *key)                                           \
    {                                                                                              \
        struct name##_kref_find call;                                                              \
                                                                                                   \
        call.find = find;                                                                          \
        call.key = key;                                                                            \
        return kref_entry(kref_lookup_mutex(mutex, name##_kref_found, &call), type, member);       \
    }                                                                                              \
    KREF_MUST_USE storage type *name##_slot_get(struct kref_slot *slot)                            \
    {                                                                                              \
        return kref_entry(kref_slot_get(slot), type, member);                                      \
    }                                                                                              \
    KREF_MUST_USE storage type *name##_slot_replace(struct kref_slot *slot, type *next)            \
    {                                                                                              \
        struct kref *old = kref_slot_replace(slot, next ? &next->member : NULL);                   \
                                                                                                   \
        return kref_entry(old, type, member);                                                      \
    }

#endif /* KREF_TYPED_H */
