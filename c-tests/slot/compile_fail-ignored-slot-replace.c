/*
 * What was published, and its reference, thrown away: a leak.
 *
 * says: unused
 */
#include <kref.h>

struct kref *f(struct kref_slot *slot);
struct kref *f(struct kref_slot *slot)
{
    struct kref *kref = NULL;

#ifdef WRONG
    kref_slot_replace(slot, NULL);
#else
    kref = kref_slot_replace(slot, NULL);
#endif
    return kref;
}
