/*
 * kref_put_mutex() returns 1, and its caller takes that for "the release function has run and unlocked the
 * mutex". This release function leaves the unlock to the caller. Seen where two conventions of the kernel's meet.
 *
 * found by: stuck
 */
#include "check.h"

struct device {
    int open;
    struct kref kref;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void device_release(struct kref *kref)
{
    free(kref_entry(kref, struct device, kref));
}

static void device_close(struct device *device)
{
    int released = kref_put_mutex(&device->kref, device_release, &lock); /* BLAME */

#ifdef RIGHT
    if (released)
        pthread_mutex_unlock(&lock); /* FIX */
#else
    (void)released;
#endif
}

static struct device *device_open(void)
{
    struct device *device;

    pthread_mutex_lock(&lock);
    device = calloc(1, sizeof *device);
    CHECK(device);
    kref_init(&device->kref);
    pthread_mutex_unlock(&lock);
    return device;
}

int main(void)
{
#ifndef RIGHT
    alarm(4);
#endif
    device_close(device_open());
    device_close(device_open());
    return 0;
}
