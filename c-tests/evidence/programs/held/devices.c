/*
 * Buses, drivers and devices. Binding keeps the driver for the device; an open file keeps the
 * device; a removed device lives until the last file is closed. Classes link devices.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

enum { DRIVERS = 5, DEVICES = 40, FILES = 8, CLASS = 64 };

struct driver {
    struct kref kref;
    int id, bound;
};

struct device {
    struct kref kref;
    int id, removed;
    struct driver *driver;
    struct device *parent;
};

static struct driver *drivers[DRIVERS];
static struct device *bus[DEVICES], *class_list[CLASS], *files[FILES];
static int class_count, opened, refused, gone;

static void driver_release(struct kref *kref)
{
    free(kref_entry(kref, struct driver, kref));
}

static void put_driver(struct driver *driver)
{
    kref_put(&driver->kref, driver_release);
}

static void device_release(struct kref *kref)
{
    struct device *device = kref_entry(kref, struct device, kref);

    gone++;
    if (device->parent)
        kref_put(&device->parent->kref, device_release); /* put: parent */
    free(device);
}

static struct device *get_device(struct device *device)
{
    kref_get(&device->kref);
    return device;
}

static void put_device(struct device *device)
{
    kref_put(&device->kref, device_release);
}

static struct driver *find_driver(int id)
{
    struct driver *driver = drivers[id % DRIVERS];

    if (driver)
        kref_get(&driver->kref); /* get: found driver */
    return driver;
}

static int bind(struct device *device)
{
    struct driver *driver = find_driver(device->id);
    int error = 0;

    if (!driver)
        return -1;
    if (driver->bound > 2) {
        error = -1;
        goto out;
    }
    kref_get(&driver->kref); /* get: bound */
    device->driver = driver;
    driver->bound++;
out:
    put_driver(driver); /* put: found driver */
    return error;
}

static void unbind(struct device *device)
{
    struct driver *driver = device->driver;

    if (!driver)
        return;
    device->driver = NULL;
    driver->bound--;
    put_driver(driver); /* put: bound */
}

static void class_add(struct device *device)
{
    class_list[class_count++] = get_device(device); /* get: class */
}

static void class_remove(struct device *device)
{
    int i;

    for (i = 0; i < class_count; i++)
        if (class_list[i] == device) {
            class_list[i] = class_list[--class_count];
            put_device(device); /* put: class */
            return;
        }
}

static void device_add(int id)
{
    struct device *device = calloc(1, sizeof *device);

    if (!device)
        abort();
    kref_init(&device->kref); /* get: bus */
    device->id = id;
    if (id >= 10 && bus[id - 10])
        device->parent = get_device(bus[id - 10]); /* get: parent */
    bus[id] = device;
    if (bind(device))
        refused++;
    else if (id % 2)
        class_add(device);
}

static void device_remove(int id)
{
    struct device *device = bus[id];

    if (!device)
        return;
    bus[id] = NULL;
    device->removed = 1;
    class_remove(device);
    unbind(device);
    put_device(device); /* put: bus */
}

static void file_open(int file, int id)
{
    struct device *old = files[file];

    if (old)
        put_device(old); /* put: file */
    files[file] = bus[id];
    if (!bus[id])
        return;
    get_device(bus[id]); /* get: file */
    opened++;
}

int main(void)
{
    int i;

    for (i = 0; i < DRIVERS; i++) {
        drivers[i] = calloc(1, sizeof *drivers[i]);
        if (!drivers[i])
            return 1;
        kref_init(&drivers[i]->kref); /* get: module */
        drivers[i]->id = i;
    }
    for (i = 0; i < DEVICES; i++) {
        device_add(i);
        file_open(i % FILES, i * 3 / 4);
        if (i % 3 == 2)
            device_remove(i * 2 / 3);
    }
    for (i = 0; i < DEVICES; i++)
        device_remove(i);
    for (i = 0; i < FILES; i++)
        if (files[i])
            put_device(files[i]); /* put: file */
    for (i = 0; i < DRIVERS; i++)
        put_driver(drivers[i]); /* put: module */
    printf("%d opened, %d refused, %d gone\n", opened, refused, gone);
    return 0;
}
