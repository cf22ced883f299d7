/*
 * The release function notifies the listeners that the object closes, and the notifying function
 * takes and puts a reference as always. Seen where release calls code that is meant for living
 * objects.
 *
 * found by: get-after-release
 */
#include "check.h"

struct device {
    char name[16];
    struct kref kref;
};

static int events;

static void device_release(struct kref *kref);

static void emit(struct device *device)
{
    events += device->name[0] != 0;
}

static void notify(struct device *device)
{
    kref_get(&device->kref); /* BLAME */
    emit(device);
    kref_put(&device->kref, device_release);
}

static void device_release(struct kref *kref)
{
    struct device *device = kref_entry(kref, struct device, kref);

#ifdef RIGHT
    emit(device); /* FIX */
#else
    notify(device);
#endif
    free(device);
}

int main(void)
{
    struct device *device = calloc(1, sizeof *device);

    CHECK(device);
    kref_init(&device->kref);
    strcpy(device->name, "usb1");
    notify(device); /* the device was opened */
    kref_put(&device->kref, device_release);
    CHECK(events == 2);
    return 0;
}
