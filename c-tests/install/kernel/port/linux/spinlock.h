/* A port's spinlock_t, over a mutex, and flags that stand for interrupts. */
#ifndef PORT_SPINLOCK_H
#define PORT_SPINLOCK_H

#include "mutex.h"

#define spinlock_t struct mutex
#define DEFINE_SPINLOCK(name) DEFINE_MUTEX(name)

#define spin_is_locked(l) mutex_is_locked(l)
#define spin_lock(l) mutex_lock(l)
#define spin_unlock(l) mutex_unlock(l)

/* 7 stands for the interrupts that were enabled. */
#define spin_lock_irqsave(l, flags) \
	do {                        \
		mutex_lock(l);      \
		(flags) = 7;        \
	} while (0)
#define spin_unlock_irqrestore(l, flags) \
	do {                             \
		if ((flags) != 7)        \
			abort();         \
		mutex_unlock(l);         \
	} while (0)

#endif
