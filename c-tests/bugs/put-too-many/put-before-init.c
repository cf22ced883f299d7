/*
 * A constructor fails before it has called kref_init(), and the label for errors puts the object.
 * Seen in probe functions with one label for all errors.
 *
 * found by: never-initialised
 */
#include "check.h"

struct port {
    char name[16];
    struct kref kref;
    char *buffer;
};

static void port_release(struct kref *kref)
{
    struct port *port = kref_entry(kref, struct port, kref);

    free(port->buffer);
    free(port);
}

static struct port *port_new(size_t size)
{
    struct port *port = calloc(1, sizeof *port);

    CHECK(port);
#ifdef RIGHT
    kref_init(&port->kref); /* FIX */
#endif
    if (size > 4096)
        goto failed;
    port->buffer = malloc(size);
    if (!port->buffer)
        goto failed;
#ifndef RIGHT
    kref_init(&port->kref);
#endif
    return port;

failed:
    kref_put(&port->kref, port_release); /* BLAME */
    return NULL;
}

int main(void)
{
    struct port *port = port_new(512);

    CHECK(port);
    CHECK(!port_new(1 << 20));
    kref_put(&port->kref, port_release);
    return 0;
}
