/*
 * kref_locks.h - the last put under a lock, with the kernel's names. Included by <linux/refcount.h>.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The locks are those of pthread: a pthread_mutex_t where the kernel has a struct mutex, and a
 * pthread_spinlock_t where it has a spinlock_t. A port of kernel code often has these two types itself. Then choose
 * one of two ways for each type, and define its macro before the first include, or on the compiler's command line.
 * First way: the port's type contains a pthread lock, and nothing else must be done to lock it. Define how to reach
 * the pthread lock:
 *
 *     #define KREF_LINUX_MUTEX(m) (&(m)->lock)          a pthread_mutex_t *, for a struct mutex *m
 *     #define KREF_LINUX_SPINLOCK(l) (&(l)->lock)       a pthread_spinlock_t *, for a spinlock_t *l
 *
 * Second way: the port's own functions must be called, because they record the lock's owner or use another lock. Name
 * the header that has them:
 *
 *     #define KREF_LINUX_MUTEX_HEADER "linux/mutex.h"        struct mutex, mutex_lock(), mutex_unlock()
 *     #define KREF_LINUX_SPINLOCK_HEADER "linux/spinlock.h"  spinlock_t, spin_lock(), spin_unlock(); and the
 *                                                            macros spin_lock_irqsave() and
 *                                                            spin_unlock_irqrestore(), if there are any
 *
 * Write the name in quotation marks: gcc defines a macro named linux as 1, and would replace the word in
 * <linux/mutex.h>. If the port's header needs refcount_t, it must include <linux/refcount_types.h>. It must not
 * include <linux/refcount.h>, because <linux/refcount.h> includes the port's header. mutex_lock() and spin_lock()
 * return nothing, as in the kernel. So KREF_LOCK_FAILED is not reported in the second way.
 *
 * Then refcount_dec_and_mutex_lock(), refcount_dec_and_lock(), refcount_dec_and_lock_irqsave(), kref_put_mutex()
 * and kref_put_lock() take the port's types, so that the kernel's code compiles unchanged.
 */
#ifndef KREF_LINUX_KREF_LOCKS_H
#define KREF_LINUX_KREF_LOCKS_H

#ifdef KREF_LINUX_MUTEX_HEADER
#include KREF_LINUX_MUTEX_HEADER
typedef struct mutex kref_linux_mutex;
#else
typedef pthread_mutex_t kref_linux_mutex;
#endif

#ifdef KREF_LINUX_SPINLOCK_HEADER
#include KREF_LINUX_SPINLOCK_HEADER
typedef spinlock_t kref_linux_spinlock;
#define KREF_LINUX_HAS_SPINLOCK
/* As in kref.h: strict -std=c99 has no pthread_spinlock_t. */
#elif !defined __GLIBC__ || defined __USE_XOPEN2K
typedef pthread_spinlock_t kref_linux_spinlock;
#define KREF_LINUX_HAS_SPINLOCK
#endif

KREF_LINUX KREF_MUST_USE bool refcount_dec_and_mutex_lock(refcount_t *r, kref_linux_mutex *lock)
{
#ifdef KREF_LINUX_MUTEX_HEADER
    if (kref_count_dec_not_one(r))
        return false;
    mutex_lock(lock);
    /* Before this thread had the lock, another thread may have taken a reference. */
    if (kref_count_dec_and_test(r))
        return true;
    mutex_unlock(lock);
    return false;
#else
    return kref_count_dec_and_mutex_lock(r, lock) != 0;
#endif
}

#ifdef KREF_LINUX_HAS_SPINLOCK
KREF_LINUX KREF_MUST_USE bool refcount_dec_and_lock(refcount_t *r, kref_linux_spinlock *lock)
{
#ifdef KREF_LINUX_SPINLOCK_HEADER
    if (kref_count_dec_not_one(r))
        return false;
    spin_lock(lock);
    if (kref_count_dec_and_test(r))
        return true;
    spin_unlock(lock);
    return false;
#else
    return kref_count_dec_and_lock(r, lock) != 0;
#endif
}

/* A program has no interrupts to disable. Without a spin_lock_irqsave() of the program's own, this is
 * refcount_dec_and_lock(), and *flags becomes 0. Signals stay enabled. */
KREF_LINUX KREF_MUST_USE
bool refcount_dec_and_lock_irqsave(refcount_t *r, kref_linux_spinlock *lock, unsigned long *flags)
{
    *flags = 0;
#if defined KREF_LINUX_SPINLOCK_HEADER && defined spin_lock_irqsave
    if (kref_count_dec_not_one(r))
        return false;
    spin_lock_irqsave(lock, *flags);
    if (kref_count_dec_and_test(r))
        return true;
    spin_unlock_irqrestore(lock, *flags);
    return false;
#else
    return refcount_dec_and_lock(r, lock);
#endif
}
#endif

/*
 * kref_put_mutex() and kref_put_lock() with the program's own locks. Macros, because kref.h declares functions of
 * these names, with pthread's locks. The last put is a kref_put(), so that a tracker learns the release function.
 */
#ifdef KREF_LINUX_MUTEX_HEADER
KREF_STATIC KREF_NONNULL
int kref_linux_put_mutex(struct kref *kref, void (*release)(struct kref *kref), struct mutex *lock)
{
    if (kref_count_dec_not_one(&kref->refcount))
        return 0;
    mutex_lock(lock);
    if (kref_put(kref, release))
        return 1;
    mutex_unlock(lock);
    return 0;
}

#undef kref_put_mutex
#define kref_put_mutex(kref, release, mutex) kref_linux_put_mutex(kref, release, mutex)
#elif defined KREF_LINUX_MUTEX
KREF_STATIC KREF_NONNULL int kref_linux_put_mutex(struct kref *kref, void (*release)(struct kref *kref),
                                                  pthread_mutex_t *mutex)
{
    return kref_put_mutex(kref, release, mutex);
}

#undef kref_put_mutex
#define kref_put_mutex(kref, release, m) kref_linux_put_mutex(kref, release, KREF_LINUX_MUTEX(m))
#define refcount_dec_and_mutex_lock(r, m) refcount_dec_and_mutex_lock(r, KREF_LINUX_MUTEX(m))
#endif

#ifdef KREF_LINUX_SPINLOCK_HEADER
KREF_STATIC KREF_NONNULL
int kref_linux_put_lock(struct kref *kref, void (*release)(struct kref *kref), spinlock_t *lock)
{
    if (kref_count_dec_not_one(&kref->refcount))
        return 0;
    spin_lock(lock);
    if (kref_put(kref, release))
        return 1;
    spin_unlock(lock);
    return 0;
}

#undef kref_put_lock
#define kref_put_lock(kref, release, lock) kref_linux_put_lock(kref, release, lock)
#elif defined KREF_LINUX_SPINLOCK && defined KREF_LINUX_HAS_SPINLOCK
KREF_STATIC KREF_NONNULL int kref_linux_put_lock(struct kref *kref, void (*release)(struct kref *kref),
                                                 pthread_spinlock_t *lock)
{
    return kref_put_lock(kref, release, lock);
}

#undef kref_put_lock
#define kref_put_lock(kref, release, l) kref_linux_put_lock(kref, release, KREF_LINUX_SPINLOCK(l))
#define refcount_dec_and_lock(r, l) refcount_dec_and_lock(r, KREF_LINUX_SPINLOCK(l))
#define refcount_dec_and_lock_irqsave(r, l, flags) \
    refcount_dec_and_lock_irqsave(r, KREF_LINUX_SPINLOCK(l), flags)
#endif

#endif /* KREF_LINUX_KREF_LOCKS_H */
