/*
 * kref/compiler.h - attributes of the compiler, and the helpers of macros. Included by kref.h.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The headers of libkref use these macros. Programs do not.
 */
#ifndef KREF_H
#include "../kref.h" /* includes this header, in the right order */
#elif !defined KREF_COMPILER_H
#define KREF_COMPILER_H

#ifndef KREF_CDEF
#include <limits.h>
#include <pthread.h>
#include <stddef.h>
#endif

/* Attributes, for compilers that have them. */
#if defined __GNUC__ && !defined KREF_CDEF
#define KREF_NONNULL __attribute__((__nonnull__))
#define KREF_NONNULL_ARGS(args) __attribute__((__nonnull__ args))
#define KREF_MUST_USE __attribute__((__warn_unused_result__))
#define KREF_COLD __attribute__((__cold__, __nothrow__))
#define KREF_STATIC static __inline__
#else
#define KREF_NONNULL
#define KREF_NONNULL_ARGS(args)
#define KREF_MUST_USE
#define KREF_COLD
#define KREF_STATIC static inline
#endif

/* A cast of C, or of C++ by its name (for C++ projects with -Wold-style-cast). */
#ifdef __cplusplus
#define KREF_CAST(how, type, value) how<type>(value)
#else
#define KREF_CAST(how, type, value) ((type)(value))
#endif

/* For KREF_INIT() only: the stored value of n references. n may be evaluated twice. */
#define KREF_STORED(n) (KREF_AS_INT(n) < 0 ? 0x60000000 : ((KREF_AS_INT(n) & INT_MAX) - 1) ^ INT_MIN)
/* 0L: g++ -Wuseless-cast warns of a cast from int to int. */
#define KREF_AS_INT(n) KREF_CAST(static_cast, int, 0L + (n))

#ifndef KREF_CDEF
struct kref;

/* For kref_entry() only. Its type argument decides whether the result is const. */
KREF_STATIC void *kref_entry_at(const struct kref *kref, size_t offset)
{
    return kref ? KREF_CAST(reinterpret_cast, void *, KREF_CAST(reinterpret_cast, size_t, kref) - offset)
                : NULL;
}
#endif

#endif /* KREF_COMPILER_H */
