/*
 * <linux/kref.h> for userspace: the names that kernel code expects in this header.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The kref functions have the kernel's names in kref.h already. kref_put_mutex() takes a
 * pthread_mutex_t here, and kref_put_lock() a pthread_spinlock_t; or the program's own struct mutex and
 * spinlock_t: kref_locks.h says how.
 */
#ifndef KREF_LINUX_KREF_H
#define KREF_LINUX_KREF_H

#include "refcount.h"

/* A program may have its own container_of(), from kernel code that was copied earlier. */
#ifndef container_of
#define container_of(ptr, type, member) \
    KREF_CAST(reinterpret_cast, type *, \
              KREF_CAST(reinterpret_cast, size_t, ptr) - offsetof(type, member))
#endif

#endif /* KREF_LINUX_KREF_H */
