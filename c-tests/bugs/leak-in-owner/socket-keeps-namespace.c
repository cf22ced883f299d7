/*
 * A namespace unregisters its devices, most of them one by one and the last ones when it is released itself. A socket
 * whose bind fails keeps its reference on the namespace, so the namespace's last devices are held, too. Their references
 * are more than the namespace's, and most references on other devices were given back before a namespace's release.
 * Modelled on the kernel's network namespaces, where a leaked socket shows as "waiting for lo to become free".
 *
 * found by: leak
 * wrappers: device_get
 */
#include "check.h"

enum { NAMESPACES = 24, DEVICES = 8, LAST = 2 };

struct device {
    struct kref kref;
};

struct namespace {
    struct kref kref;
    struct device *devices[DEVICES];
    int count;
};

static void device_release(struct kref *kref)
{
    free(kref_entry(kref, struct device, kref));
}

static void device_get(struct device *device)
{
    kref_get(&device->kref);
}

/* The namespace's reference, and the one of its routes. */
static void unregister(struct namespace *namespace)
{
    struct device *device = namespace->devices[--namespace->count];

    kref_put(&device->kref, device_release);
    kref_put(&device->kref, device_release);
}

static void namespace_release(struct kref *kref)
{
    struct namespace *namespace = kref_entry(kref, struct namespace, kref);

    while (namespace->count)
        unregister(namespace);
    free(namespace);
}

static struct namespace *namespace_new(void)
{
    struct namespace *namespace = calloc(1, sizeof *namespace);

    CHECK(namespace);
    kref_init(&namespace->kref);
    return namespace;
}

static void register_device(struct namespace *namespace)
{
    struct device *device = calloc(1, sizeof *device);

    CHECK(device);
    kref_init(&device->kref);
    device_get(device);
    namespace->devices[namespace->count++] = device;
}

/* Returns whether the port is free. */
static int socket_bind(struct namespace *namespace, int port)
{
    kref_get(&namespace->kref); /* BLAME */
    if (port == 22) {
#ifdef RIGHT
        kref_put(&namespace->kref, namespace_release); /* FIX */
#endif
        return 0;
    }
    kref_put(&namespace->kref, namespace_release);
    return 1;
}

int main(void)
{
    for (int i = 0; i < NAMESPACES; i++) {
        struct namespace *namespace = namespace_new();

        for (int j = 0; j < DEVICES; j++)
            register_device(namespace);
        CHECK(socket_bind(namespace, i == 17 ? 22 : 80) == (i != 17));
        while (namespace->count > LAST)
            unregister(namespace);
        kref_put(&namespace->kref, namespace_release);
    }
    return 0;
}
