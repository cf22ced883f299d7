/*
 * kref_entry() with a member that is not the kref: the pointer to the object would be wrong.
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
