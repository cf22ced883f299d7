// The second file of the program in use.cpp.
#include "hot.hpp"

bool touch_elsewhere(percpu_ref *ref, percpu_ref_slot *slot);

bool touch_elsewhere(percpu_ref *ref, percpu_ref_slot *slot)
{
    percpu_ref *found = look(slot);
    bool same = found == ref;

    if (found)
        percpu_ref_put(found);
    return touch(ref) && same;
}
