/*
 * A reference that nobody took note of: a leak.
 *
 * says: unused
 */
#include <kref.h>

struct kref *find(void *key);
struct kref *f(pthread_mutex_t *mutex);
struct kref *f(pthread_mutex_t *mutex)
{
    struct kref *kref = NULL;

#ifdef WRONG
    kref_lookup_mutex(mutex, find, NULL);
#else
    kref = kref_lookup_mutex(mutex, find, NULL);
#endif
    return kref;
}
