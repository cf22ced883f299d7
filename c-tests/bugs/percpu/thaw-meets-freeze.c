/*
 * A queue is frozen by percpu_ref_kill() and thawed by percpu_ref_resurrect(). A counter decides who
 * is the first to freeze and the last to thaw, but no lock makes the counter and the call one step:
 * a freeze kills the queue again before the thaw has resurrected it. Seen in block layers: then the
 * freezer waits for ever.
 *
 * found by: killed-twice
 */
#include "check.h"

#include <stdatomic.h>

static struct percpu_ref usage;
static atomic_int depth;
static int frozen;

static void usage_release(struct percpu_ref *ref)
{
    (void)ref;
}

static void freeze(void)
{
    if (atomic_fetch_add(&depth, 1) == 0) {
        percpu_ref_kill(&usage); /* BLAME */
        frozen++;
    }
}

/* Another thread freezes between the two steps of the thaw. */
static void thaw(int meets)
{
#ifdef RIGHT
    if (atomic_fetch_sub(&depth, 1) == 1)
        percpu_ref_resurrect(&usage);
    if (meets)
        freeze();
#else
    int is_last = atomic_fetch_sub(&depth, 1) == 1;

    if (meets)
        freeze();
    if (is_last)
        percpu_ref_resurrect(&usage);
#endif
}

int main(void)
{
    CHECK(percpu_ref_init(&usage, usage_release, PERCPU_REF_ALLOW_REINIT) == 0);
    freeze();
    thaw(1);
    thaw(0);
    percpu_ref_kill(&usage);
    percpu_ref_exit(&usage);
    return 0;
}
