/*
 * <linux/percpu-refcount.h> for userspace: what kernel code finds there, from libkref.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * The functions have the kernel's names in kref.h already, and stand there with what they do. What
 * the kernel does some time after percpu_ref_kill() or percpu_ref_switch_to_atomic() has happened
 * here when they return, the call of confirm included.
 */
#ifndef KREF_LINUX_PERCPU_REFCOUNT_H
#define KREF_LINUX_PERCPU_REFCOUNT_H

#include <linux/kref.h>

typedef void(percpu_ref_func_t)(struct percpu_ref *);

/* The kernel says how to allocate: gfp, which is not even looked at. */
#define percpu_ref_init(ref, release, flags, gfp) (percpu_ref_init)(ref, release, flags)

/* The caller is in an RCU section there, for the memory's sake; that is for the porter to see to. */
#define percpu_ref_tryget_live_rcu(ref) percpu_ref_tryget_live(ref)

#endif /* KREF_LINUX_PERCPU_REFCOUNT_H */
