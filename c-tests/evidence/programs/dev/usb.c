/*
 * A bus of hubs and devices, ported from a kernel. Devices are plugged in and out, drivers come and go and bind to
 * their interfaces.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

#define MAXCHILD 4
#define MAXINTF 3

enum usb_class { USB_HID, USB_STORAGE, USB_AUDIO, USB_VENDOR };

struct usb_device {
    struct kref kref;
    struct usb_device *parent, *children[MAXCHILD];
    struct usb_interface *intf[MAXINTF];
    int maxchild;
};

struct usb_driver {
    struct kref kref;
};

struct usb_interface {
    struct kref kref;
    struct usb_device *udev;
    struct usb_driver *driver;
    struct usb_poll *poll;
    enum usb_class class;
};

/* What a driver allocates for an interface that it drives. */
struct usb_poll {
    struct usb_interface *intf;
};

static struct usb_device *root_hub;
static struct usb_driver *drivers[USB_VENDOR + 1];
static int probe_errors, devices;

static unsigned int rnd(unsigned int n)
{
    static unsigned int state = 20011;

    state = state * 1664525u + 1013904223u;
    return (state >> 16) % n;
}

static void *kzalloc(size_t size)
{
    void *memory = calloc(1, size);

    return memory ? memory : (abort(), NULL);
}

static void usb_release_dev(struct kref *kref);

static void usb_put_dev(struct usb_device *dev)
{
    if (dev)
        kref_put(&dev->kref, usb_release_dev);
}

static void usb_release_dev(struct kref *kref)
{
    struct usb_device *udev = kref_entry(kref, struct usb_device, kref);

    usb_put_dev(udev->parent); /* put: parent */
    devices--;
    free(udev);
}

static void usb_release_interface(struct kref *kref)
{
    struct usb_interface *intf = kref_entry(kref, struct usb_interface, kref);

    usb_put_dev(intf->udev); /* put: interface's device */
    free(intf);
}

static void usb_put_intf(struct usb_interface *intf)
{
    kref_put(&intf->kref, usb_release_interface);
}

static void usb_release_driver(struct kref *kref)
{
    free(kref_entry(kref, struct usb_driver, kref));
}

static int poll_probe(struct usb_interface *intf)
{
    struct usb_poll *poll = kzalloc(sizeof *poll);

    kref_get(&intf->kref); /* get: probed */
    poll->intf = intf;
    if (rnd(9) == 0) {
        usb_put_intf(intf); /* put: probed */
        free(poll);
        return -1;
    }
    intf->poll = poll;
    return 0;
}

static void usb_bind(struct usb_interface *intf)
{
    struct usb_driver *driver = drivers[intf->class];

    if (!driver)
        return;
    kref_get(&driver->kref); /* get: bound */
    intf->driver = driver;
    if (poll_probe(intf) < 0) {
        probe_errors++;
        intf->driver = NULL;
        kref_put(&driver->kref, usb_release_driver); /* put: bound */
    }
}

static void usb_register(enum usb_class class)
{
    drivers[class] = kzalloc(sizeof *drivers[class]);
    kref_init(&drivers[class]->kref); /* get: registered */
}

/* Interfaces that are bound stay bound, until their device is unplugged. */
static void usb_deregister(enum usb_class class)
{
    kref_put(&drivers[class]->kref, usb_release_driver); /* put: registered */
    drivers[class] = NULL;
}

static struct usb_device *usb_new_device(struct usb_device *hub, int ports)
{
    struct usb_device *udev = kzalloc(sizeof *udev);
    int i, count = ports ? 0 : 1 + rnd(MAXINTF);

    devices++;
    kref_init(&udev->kref); /* get: port */
    udev->maxchild = ports;
    if (hub)
        kref_get(&hub->kref); /* get: parent */
    udev->parent = hub;
    if (hub && rnd(13) == 0) {
        usb_put_dev(udev); /* put: port */
        return NULL;
    }
    for (i = 0; i < count; i++) {
        struct usb_interface *intf = kzalloc(sizeof *intf);

        kref_init(&intf->kref); /* get: configuration */
        intf->class = rnd(USB_VENDOR + 1);
        kref_get(&udev->kref); /* get: interface's device */
        intf->udev = udev;
        udev->intf[i] = intf;
        usb_bind(intf);
    }
    return udev;
}

static void usb_disable_interface(struct usb_interface *intf)
{
    if (intf->driver) {
        usb_put_intf(intf->poll->intf); /* put: probed */
        free(intf->poll);
        kref_put(&intf->driver->kref, usb_release_driver); /* put: bound */
        intf->driver = NULL;
    }
    usb_put_intf(intf); /* put: configuration */
}

static void usb_disconnect(struct usb_device **port)
{
    struct usb_device *udev = *port;
    int i;

    for (i = 0; i < udev->maxchild; i++)
        if (udev->children[i])
            usb_disconnect(&udev->children[i]);
    for (i = 0; i < MAXINTF && udev->intf[i]; i++)
        usb_disable_interface(udev->intf[i]);
    *port = NULL;
    usb_put_dev(udev); /* put: port */
}

static void hub_event(void)
{
    struct usb_device *hub = root_hub, **port;

    while (*(port = &hub->children[rnd(MAXCHILD)]) && (*port)->maxchild && rnd(4))
        hub = *port;
    if (!*port)
        *port = usb_new_device(hub, rnd(3) ? 0 : MAXCHILD);
    else if (rnd(3) == 0)
        usb_disconnect(port);
}

int main(void)
{
    enum usb_class class;
    int i;

    root_hub = usb_new_device(NULL, MAXCHILD);
    for (class = USB_HID; class < USB_VENDOR; class++)
        usb_register(class);
    for (i = 0; i < 700; i++) {
        hub_event();
        if (rnd(40) == 0) {
            class = rnd(USB_VENDOR);
            usb_deregister(class);
            usb_register(class);
        }
    }
    usb_disconnect(&root_hub);
    for (class = USB_HID; class < USB_VENDOR; class++)
        usb_deregister(class);
    printf("%d devices left, %d probe errors\n", devices, probe_errors);
    return 0;
}
