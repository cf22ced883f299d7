/*
 * A reference that nobody took note of.
 *
 * says: unused
 */
#include <kref.h>

void f(struct kref_slot *slot, struct kref *kref);
void f(struct kref_slot *slot, struct kref *kref)
{
#ifdef WRONG
    kref_slot_get(slot);
    kref_slot_replace(slot, kref);
#else
    kref = kref_slot_replace(slot, kref);
#endif
}
