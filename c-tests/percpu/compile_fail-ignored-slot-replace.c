/*
 * What was published, and its reference, thrown away: a leak.
 *
 * says: unused
 */
#include <kref.h>

struct percpu_ref *f(struct percpu_ref_slot *slot);
struct percpu_ref *f(struct percpu_ref_slot *slot)
{
    struct percpu_ref *ref = NULL;

#ifdef WRONG
    percpu_ref_slot_replace(slot, NULL);
#else
    ref = percpu_ref_slot_replace(slot, NULL);
#endif
    return ref;
}
