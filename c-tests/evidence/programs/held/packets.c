/*
 * Packets on their way through a network stack. Headers are cloned, data is shared; the send
 * queue, a retransmission list and taps each hold what they may still need.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PACKETS = 140, QUEUE = 16, WINDOW = 8, TAP = 4 };

struct data {
    struct kref kref;
    int length;
    unsigned char bytes[64];
};

struct packet {
    struct kref kref;
    struct packet *next;
    struct data *data;
    int sequence, mark;
};

static struct packet *queue, **queue_end = &queue;
static struct packet *window[WINDOW], *tap[TAP];
static int queued, sent, dropped, tapped, resent;

static void data_release(struct kref *kref)
{
    free(kref_entry(kref, struct data, kref));
}

static void packet_release(struct kref *kref)
{
    struct packet *packet = kref_entry(kref, struct packet, kref);

    kref_put(&packet->data->kref, data_release); /* put: header */
    free(packet);
}

static void packet_put(struct packet *packet)
{
    kref_put(&packet->kref, packet_release);
}

static struct packet *packet_header(int sequence)
{
    struct packet *packet = calloc(1, sizeof *packet);

    if (!packet)
        abort();
    kref_init(&packet->kref);
    packet->sequence = sequence;
    return packet;
}

static struct packet *packet_new(int sequence)
{
    struct packet *packet = packet_header(sequence); /* get: path */
    struct data *data = malloc(sizeof *data);

    if (!data)
        abort();
    kref_init(&data->kref); /* get: header */
    data->length = 20 + sequence % 40;
    memset(data->bytes, sequence, sizeof data->bytes);
    packet->data = data;
    return packet;
}

static void tap_see(struct packet *packet)
{
    struct packet **place = &tap[tapped++ % TAP], *clone;

    if (*place)
        packet_put(*place); /* put: tap */
    clone = packet_header(packet->sequence); /* get: tap */
    clone->data = packet->data;
    kref_get(&clone->data->kref); /* get: header */
    *place = clone;
}

static void keep_for_resend(struct packet *packet)
{
    struct packet **place = &window[packet->sequence % WINDOW];

    if (*place)
        packet_put(*place); /* put: window */
    kref_get(&packet->kref); /* get: window */
    *place = packet;
}

static int enqueue(struct packet *packet)
{
    if (queued == QUEUE)
        return -1;
    kref_get(&packet->kref); /* get: queue */
    packet->next = NULL;
    *queue_end = packet;
    queue_end = &packet->next;
    queued++;
    return 0;
}

/* Filters may stop a packet; the path's reference ends here in any case. */
static void transmit(struct packet *packet)
{
    if (packet->sequence % 17 == 5) {
        dropped++;
        goto out;
    }
    if (packet->sequence % 4 == 0)
        tap_see(packet);
    keep_for_resend(packet);
    if (enqueue(packet))
        dropped++;
out:
    packet_put(packet); /* put: path */
}

static void interrupt(int most)
{
    while (queue && most-- > 0) {
        struct packet *packet = queue;

        if (!(queue = packet->next))
            queue_end = &queue;
        queued--;
        sent++;
        packet_put(packet); /* put: queue */
    }
}

static void acknowledge(int sequence)
{
    struct packet **place = &window[sequence % WINDOW];

    if (*place && (*place)->sequence == sequence) {
        packet_put(*place); /* put: window */
        *place = NULL;
    }
}

static void time_out(void)
{
    int i;

    for (i = 0; i < WINDOW; i++)
        if (window[i] && window[i]->mark++ == 1) {
            struct packet *again = packet_header(window[i]->sequence); /* get: path */

            again->data = window[i]->data;
            kref_get(&again->data->kref); /* get: header */
            resent++;
            transmit(again);
        }
}

int main(void)
{
    int i;

    for (i = 0; i < PACKETS; i++) {
        transmit(packet_new(i));
        interrupt(i % 3);
        if (i % 5 != 4)
            acknowledge(i);
        if (i % 4 == 3)
            time_out();
    }
    interrupt(QUEUE);
    for (i = 0; i < WINDOW; i++)
        if (window[i])
            packet_put(window[i]); /* put: window */
    for (i = 0; i < TAP; i++)
        packet_put(tap[i]); /* put: tap */
    printf("%d sent, %d dropped, %d sent again\n", sent, dropped, resent);
    return 0;
}
