/*
 * <linux/percpu-refcount.h> for userspace: the names that kernel code expects in this header.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The functions have the kernel's names in kref/percpu.h already, where they are documented. In the
 * kernel, percpu_ref_kill() and percpu_ref_switch_to_atomic() return before they have changed the
 * mode and called confirm. Here they return afterwards.
 */
#ifndef KREF_LINUX_PERCPU_REFCOUNT_H
#define KREF_LINUX_PERCPU_REFCOUNT_H

#include <linux/kref.h>

typedef void(percpu_ref_func_t)(struct percpu_ref *);

/* In the kernel, gfp says how to allocate memory. Here it is ignored. */
#define percpu_ref_init(ref, release, flags, gfp) (percpu_ref_init)(ref, release, flags)

/* In the kernel, the caller is in an RCU read-side critical section, which keeps the object's
 * memory from being freed. Here the caller must make sure of that in another way. */
#define percpu_ref_tryget_live_rcu(ref) percpu_ref_tryget_live(ref)

#endif /* KREF_LINUX_PERCPU_REFCOUNT_H */
