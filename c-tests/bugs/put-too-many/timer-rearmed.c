/*
 * To arm a timer takes a reference, unless the timer is pending, which has one already. Between this
 * test and the arming, the pending timer fires and gives its reference back: the new one runs without.
 * Seen where a lock was given up between a test and an act.
 *
 * found by: put-after-release
 */
#include "check.h"

struct device {
    int pending;
    struct kref kref;
};

static void device_release(struct kref *kref)
{
    free(kref_entry(kref, struct device, kref));
}

static void *fire(void *arg)
{
    struct device *device = arg;

    device->pending = 0;
    kref_put(&device->kref, device_release); /* BLAME */
    return NULL;
}

/* The timer's time has come: another thread runs its function. */
static void expire(struct device *device)
{
    pthread_t thread;

    start(&thread, fire, device);
    join(thread);
}

static void arm(struct device *device, int fires_meanwhile)
{
    int pending = device->pending;

    if (fires_meanwhile)
        expire(device);
#ifdef RIGHT
    pending = device->pending; /* FIX */
#endif
    if (!pending)
        kref_get(&device->kref);
    device->pending = 1;
}

int main(void)
{
    struct device *device = calloc(1, sizeof *device);

    CHECK(device);
    kref_init(&device->kref);
    arm(device, 0);
    arm(device, 1);
    expire(device);
    kref_put(&device->kref, device_release);
    return 0;
}
