// Inline functions of two files: the linker keeps one of each, and the sequence in it.
#include <kref.h>

inline bool touch(percpu_ref *ref)
{
    percpu_ref_get(ref);
    bool got = percpu_ref_tryget_live(ref);
    percpu_ref_put(ref);
    if (got)
        percpu_ref_put(ref);
    return got;
}

template <class Slot> percpu_ref *look(Slot *slot)
{
    return percpu_ref_slot_get(slot);
}
