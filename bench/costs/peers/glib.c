/*
 * GLib's counted memory, called in libglib-2.0.so.
 */
#include <glib.h>

#include "../loops.h"

static void *held;

__attribute__((constructor)) static void begin(void)
{
    /* Blocks as large as this have no neighbour on the lines that hold the count. */
    held = g_atomic_rc_box_alloc0(4096);
}

void get_put(unsigned long n)
{
    void *object = held;

    for (; n; n--) {
        FORGET(object);
        g_atomic_rc_box_acquire(object);
        FORGET(object);
        g_atomic_rc_box_release(object);
    }
}
