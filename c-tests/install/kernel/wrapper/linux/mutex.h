/* A port's struct mutex with a pthread mutex in it, and nothing else. */
#ifndef WRAPPER_MUTEX_H
#define WRAPPER_MUTEX_H

#include <pthread.h>

struct mutex {
	pthread_mutex_t lock;
};

#define DEFINE_MUTEX(name) struct mutex name = { PTHREAD_MUTEX_INITIALIZER }
#define mutex_unlock(m) ((void)pthread_mutex_unlock(&(m)->lock))

static __inline__ int mutex_is_locked(struct mutex *m)
{
	return pthread_mutex_trylock(&m->lock) || pthread_mutex_unlock(&m->lock);
}

#endif
