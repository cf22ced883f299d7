/* A port's spinlock_t with a pthread spinlock in it, and nothing else. */
#ifndef WRAPPER_SPINLOCK_H
#define WRAPPER_SPINLOCK_H

#include <pthread.h>

typedef struct {
	pthread_spinlock_t lock;
} spinlock_t;

#define DEFINE_SPINLOCK(name)                                               \
	spinlock_t name;                                                    \
	static void __attribute__((__constructor__)) init_##name(void)      \
	{                                                                   \
		pthread_spin_init(&name.lock, PTHREAD_PROCESS_PRIVATE);     \
	}                                                                   \
	struct name
#define spin_unlock(l) ((void)pthread_spin_unlock(&(l)->lock))
#define spin_unlock_irqrestore(l, flags) ((void)(flags), spin_unlock(l))

static __inline__ int spin_is_locked(spinlock_t *l)
{
	return pthread_spin_trylock(&l->lock) || pthread_spin_unlock(&l->lock);
}

#endif
