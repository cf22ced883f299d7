/*
 * <linux/refcount_types.h> for userspace: refcount_t alone.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef KREF_LINUX_REFCOUNT_TYPES_H
#define KREF_LINUX_REFCOUNT_TYPES_H

#include <kref.h>

typedef struct refcount_struct refcount_t;

#endif /* KREF_LINUX_REFCOUNT_TYPES_H */
