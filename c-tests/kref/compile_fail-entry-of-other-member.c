/*
 * kref_entry with a member that is no kref: the pointer would be off.
 *
 * says: pointer type mismatch
 */
#include <kref.h>

struct object {
    struct kref kref;
    int number;
};

struct object *f(struct kref *kref);
struct object *f(struct kref *kref)
{
#ifdef WRONG
    return kref_entry(kref, struct object, number);
#else
    return kref_entry(kref, struct object, kref);
#endif
}
