/* Built without debug information: the names come from the symbol table, where the test has changed them. */
#include "../object.h"

void hostile_release(struct kref *kref);
void hostile_take(struct kref *kref);

void hostile_release(struct kref *kref)
{
    object_release(kref);
}

void hostile_take(struct kref *kref)
{
    kref_get(kref);
    __asm__ volatile("");
}
