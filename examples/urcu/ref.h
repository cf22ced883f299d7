/*
 * <urcu/ref.h> over libkref: programs that count with liburcu's urcu_ref become programs of libkref,
 * without another change. So their misuse is reported, and kref-track tracks them:
 *
 *     ./configure CPPFLAGS="-I/path/to/examples $(pkg-config --cflags kref)" LIBS="$(pkg-config --libs kref)"
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef URCU_REF_OVER_KREF_H
#define URCU_REF_OVER_KREF_H

#include <kref.h>
#include <stdbool.h>
#if __has_include(<urcu/uatomic.h>)
#include <urcu/uatomic.h> /* some programs rely on liburcu's header to include this one */
#endif

struct urcu_ref {
    union {
        struct kref kref;
        int refcount; /* for a test whether it is 0: the stored value is not the number of references */
    };
};

/* Inlined, so that reports name the program's functions. */
#define URCU_REF static inline __attribute__((__always_inline__, __unused__, __nonnull__))

URCU_REF void urcu_ref_init(struct urcu_ref *ref)
{
    kref_init(&ref->kref);
}

/* val from 1: otherwise the count saturates, and a violation is reported. */
URCU_REF void urcu_ref_set(struct urcu_ref *ref, long val)
{
    kref_init_n(&ref->kref, (int)val);
}

URCU_REF void urcu_ref_get(struct urcu_ref *ref)
{
    kref_get(&ref->kref);
}

/* Always true: at the limit the count saturates, and the object is never freed. */
URCU_REF bool urcu_ref_get_safe(struct urcu_ref *ref)
{
    kref_get(&ref->kref);
    return true;
}

URCU_REF bool urcu_ref_get_unless_zero(struct urcu_ref *ref)
{
    return kref_get_unless_zero(&ref->kref);
}

URCU_REF void urcu_ref_put(struct urcu_ref *ref, void (*release)(struct urcu_ref *))
{
    kref_put(&ref->kref, (void (*)(struct kref *))release);
}

#endif
