/*
 * Each disk takes a reference on its host when it is made, and gives it back when it is released. Disks and hosts are
 * devices: one type. A disk that is removed is taken out of the table, but its reference is not given back. So each
 * lost disk still holds one reference on the host: as many references as lost disks, and none of them is given back
 * either. Modelled on device trees.
 *
 * found by: leak
 */
#include "check.h"

enum { DISKS = 20 };

struct device {
    struct kref kref;
    struct device *parent;
    int number;
};

static struct device *disks[DISKS];

static void device_release(struct kref *kref)
{
    struct device *device = kref_entry(kref, struct device, kref);

    if (device->parent)
        kref_put(&device->parent->kref, device_release);
    free(device);
}

static struct device *device_get(struct device *device)
{
    kref_get(&device->kref);
    return device;
}

static struct device *host_new(void)
{
    struct device *host = calloc(1, sizeof *host);

    CHECK(host);
    kref_init(&host->kref);
    return host;
}

static void disk_add(struct device *host, int number)
{
    struct device *disk = calloc(1, sizeof *disk);

    CHECK(disk);
    kref_init(&disk->kref); /* BLAME */
    disk->parent = device_get(host);
    disk->number = number;
    disks[number] = disk;
}

static void disk_remove(int number)
{
    struct device *disk = disks[number];

    disks[number] = NULL;
    disk->number = -1;
#ifdef RIGHT
    kref_put(&disk->kref, device_release); /* FIX */
#endif
}

int main(void)
{
    struct device *host = host_new();

    for (int i = 0; i < DISKS; i++)
        disk_add(host, i);
    for (int i = 0; i < DISKS; i++)
        disk_remove(i);
    kref_put(&host->kref, device_release);
    return 0;
}
