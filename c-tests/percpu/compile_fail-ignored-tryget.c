/*
 * A reference taken for granted that may not have been taken.
 *
 * says: unused
 */
#include <kref.h>

int f(struct percpu_ref *ref);
int f(struct percpu_ref *ref)
{
    int got = 1;

#ifdef WRONG
    percpu_ref_tryget_live(ref);
#else
    got = percpu_ref_tryget_live(ref);
#endif
    return got;
}
