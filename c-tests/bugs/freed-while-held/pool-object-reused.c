/*
 * The last user of an object marks it as free while a reader still holds a reference, and a pool
 * hands the object out again. Seen with free lists, slabs and ring buffers that have a flag beside
 * the count. Both users initialise the count at one line. Without tracking only the second user's
 * put on zero is reported, far from the cause.
 *
 * found by: free-alive
 */
#include "check.h"

struct packet {
    struct kref kref;
    int in_use, length;
};

static struct packet pool[1];

static void packet_release(struct kref *kref)
{
    kref_entry(kref, struct packet, kref)->in_use = 0;
}

static struct packet *packet_new(int length)
{
    struct packet *packet = &pool[0];

    if (packet->in_use)
        return NULL;
    kref_init(&packet->kref); /* BLAME */
    packet->in_use = 1;
    packet->length = length;
    return packet;
}

static void packet_done(struct packet *packet)
{
#ifndef RIGHT
    packet->in_use = 0; /* FIX */
#endif
    kref_put(&packet->kref, packet_release);
}

int main(void)
{
    struct packet *first = packet_new(100), *second;

    CHECK(first);
    kref_get(&first->kref); /* the reader's reference */
    packet_done(first);
    second = packet_new(200);
    kref_put(&first->kref, packet_release); /* the reader is done */
    if (second)
        packet_done(second);
    return 0;
}
