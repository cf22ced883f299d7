/*
 * A device is killed while a request is on its way. A later request fails to get a reference, and
 * its way out gives one back all the same. Seen with goto labels that clean up.
 *
 * found by: put-after-release
 */
#include "check.h"

struct device {
    struct percpu_ref ref;
    int requests;
};

static struct device device;

static void device_release(struct percpu_ref *ref)
{
    percpu_ref_exit(ref);
}

static int request(int length)
{
    int error = -1;

    if (!percpu_ref_tryget_live(&device.ref))
#ifdef RIGHT
        return error; /* FIX */
#else
        goto out;
#endif
    if (length < 0)
        goto out;
    device.requests++;
    error = 0;
out:
    percpu_ref_put(&device.ref); /* BLAME */
    return error;
}

int main(void)
{
    CHECK(percpu_ref_init(&device.ref, device_release, 0) == 0);
    CHECK(request(1) == 0);
    percpu_ref_get(&device.ref); /* one that is on its way */
    percpu_ref_kill(&device.ref);
    percpu_ref_put(&device.ref);
    CHECK(request(1) == -1);
    return 0;
}
