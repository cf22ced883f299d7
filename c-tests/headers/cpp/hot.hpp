// Inline functions that two files use. The linker keeps one copy of each, with its sequence.
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
