/*
 * A libkref::ref gives its reference to C code by release(), and C code that refuses the object must give it back.
 * Nobody does. Seen where the result of release() is passed to a function that can fail.
 *
 * found by: leak
 */
#include "check.h"

#include <kref.hpp>

struct packet {
    int length;
    struct kref kref;
};

static void packet_free(packet *packet)
{
    delete packet;
}

KREF_DEFINE(packet, packet, kref, packet_free);

static int driver_send(packet *packet)
{
    if (packet->length > 3) {
#ifdef RIGHT
        packet_unref(packet); // FIX
#endif
        return -1;
    }
    packet_unref(packet);
    return 0;
}

static int send_copy(const libkref::ref<packet> &packet)
{
    return driver_send(libkref::ref<struct packet>(packet).release()); // BLAME
}

int main()
{
    for (int length = 1; length < 6; length++) {
        packet *made = new packet();

        packet_ref_init(made);
        made->length = length;
        libkref::ref<packet> held = libkref::adopt(made);
        CHECK(send_copy(held) == (length > 3 ? -1 : 0));
    }
    return 0;
}
