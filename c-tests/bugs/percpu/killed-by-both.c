/*
 * A device is removed by the user and by the driver's unload at nearly the same time, and both shut it down.
 * Seen in hotplug code: each path alone is right.
 *
 * found by: killed-twice
 */
#include "check.h"

static struct percpu_ref users;
static int removed;

static void users_release(struct percpu_ref *ref)
{
    percpu_ref_exit(ref);
}

static void device_remove(void)
{
#ifdef RIGHT
    if (removed) /* FIX */
        return;
#endif
    removed = 1;
    percpu_ref_kill(&users); /* BLAME */
}

int main(void)
{
    CHECK(percpu_ref_init(&users, users_release, 0) == 0);
    percpu_ref_get(&users);
    device_remove();
    device_remove();
    percpu_ref_put(&users);
    CHECK(removed);
    return 0;
}
