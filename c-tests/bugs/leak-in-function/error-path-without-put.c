/*
 * A driver's probe function takes a reference on the bus. The return for a bad interrupt line does
 * not put it. Seen in probe, open and accept functions that can fail in several places.
 *
 * found by: leak
 */
#include "check.h"

struct bus {
    char name[16];
    struct kref kref;
};

struct device {
    struct bus *bus;
    int irq;
};

static void bus_release(struct kref *kref)
{
    free(kref_entry(kref, struct bus, kref));
}

static int probe(struct device *device, struct bus *bus, int irq)
{
    kref_get(&bus->kref); /* BLAME */
    if (irq < 0) {
#ifdef RIGHT
        kref_put(&bus->kref, bus_release); /* FIX */
#endif
        return -1;
    }
    device->bus = bus;
    device->irq = irq;
    return 0;
}

static void remove_device(struct device *device)
{
    kref_put(&device->bus->kref, bus_release);
}

int main(void)
{
    static const int irqs[] = { 3, -1, 5 };
    struct device device;
    struct bus *bus = calloc(1, sizeof *bus);
    size_t i;

    CHECK(bus);
    kref_init(&bus->kref);
    for (i = 0; i < sizeof irqs / sizeof irqs[0]; i++)
        if (probe(&device, bus, irqs[i]) == 0)
            remove_device(&device);
    kref_put(&bus->kref, bus_release);
    return 0;
}
