/*
 * A reference that nobody took note of: a leak.
 *
 * says: unused
 */
#include <kref.h>

struct kref *f(struct kref_slot *slot);
struct kref *f(struct kref_slot *slot)
{
    struct kref *kref = NULL;

#ifdef WRONG
    kref_slot_get(slot);
#else
    kref = kref_slot_get(slot);
#endif
    return kref;
}
