/* A port's struct mutex: it knows its owner, so nothing may lock the pthread mutex in it directly. */
#ifndef PORT_MUTEX_H
#define PORT_MUTEX_H

#include <pthread.h>
#include <stdlib.h>

struct mutex {
	pthread_mutex_t lock;
	pthread_t owner;
	int is_held;
};

#define DEFINE_MUTEX(name) struct mutex name = { PTHREAD_MUTEX_INITIALIZER, 0, 0 }

static __inline__ int mutex_is_locked(struct mutex *m)
{
	return m->is_held;
}

static __inline__ void mutex_lock(struct mutex *m)
{
	if (pthread_mutex_lock(&m->lock))
		abort();
	m->owner = pthread_self();
	m->is_held = 1;
}

static __inline__ void mutex_unlock(struct mutex *m)
{
	if (!m->is_held || !pthread_equal(m->owner, pthread_self()))
		abort();
	m->is_held = 0;
	if (pthread_mutex_unlock(&m->lock))
		abort();
}

#endif
