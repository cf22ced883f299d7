/*
 * <linux/kref.h> for userspace: what kernel code finds there, from libkref.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The kref functions have the kernel's names in kref.h already. kref_put_mutex() takes a
 * pthread_mutex_t here, and kref_put_lock() a pthread_spinlock_t.
 */
#ifndef KREF_LINUX_KREF_H
#define KREF_LINUX_KREF_H

#include <linux/refcount.h>

/* Kernel headers of one's own may have it, and may have checks in it that are not needed here. */
#ifndef container_of
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))
#endif

#endif /* KREF_LINUX_KREF_H */
