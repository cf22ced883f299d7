/*
 * Without a look at the result nobody knows whether the object may be used.
 *
 * says: unused
 */
#include <kref.h>

int f(struct kref *kref);
int f(struct kref *kref)
{
#ifdef WRONG
    kref_get_unless_zero(kref);
    return 1;
#else
    return kref_get_unless_zero(kref);
#endif
}
