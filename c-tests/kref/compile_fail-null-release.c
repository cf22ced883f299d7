/*
 * NULL where there must be a release function.
 *
 * says: nonnull
 */
#include <kref.h>

void release(struct kref *kref);
void f(struct kref *kref);
void f(struct kref *kref)
{
#ifdef WRONG
    kref_put(kref, NULL);
#else
    kref_put(kref, release);
#endif
}
