/*
 * NULL where there must be a kref.
 *
 * says: nonnull
 */
#include <kref.h>

void f(struct kref *kref);
void f(struct kref *kref)
{
#ifdef WRONG
    kref_get(NULL);
#endif
    kref_get(kref);
}
