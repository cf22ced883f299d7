#include "client.h"

#include <stdlib.h>

#include "buffers.h"
#include "upstream.h"

enum { IDLE_TURNS = 40 };

struct client {
    struct kref kref;
    int channel, closed, quiet;
    struct loop *loop;
    struct source *io, *timer;
    struct fetch *fetch;
    struct output output;
};

struct counters counters;

static struct client *clients[CHANNELS];
static int played[CHANNELS];

static void client_free(struct kref *kref)
{
    struct client *client = kref_entry(kref, struct client, kref);

    output_clear(&client->output);
    counters.closed++;
    free(client);
}

static struct client *client_ref(struct client *client)
{
    kref_get(&client->kref);
    return client;
}

static void client_unref(struct client *client)
{
    kref_put(&client->kref, client_free);
}

static void io_gone(void *data)
{
    client_unref(data); /* put: client's io */
}

static void timer_gone(void *data)
{
    client_unref(data); /* put: client's timer */
}

static void fetch_gone(void *data)
{
    client_unref(data); /* put: fetch's client */
}

static void flush_gone(void *data)
{
    client_unref(data); /* put: flush */
}

static void client_close(struct client *client)
{
    struct source *io = client->io, *timer = client->timer;
    struct fetch *fetch = client->fetch;

    if (client->closed)
        return;
    client->closed = 1;
    client->fetch = NULL;
    if (fetch) {
        fetch_cancel(fetch);
        fetch_unref(fetch); /* put: asker */
    }
    loop_remove(client->loop, io);
    source_unref(io); /* put: source's owner */
    loop_remove(client->loop, timer);
    source_unref(timer); /* put: source's owner */
    clients[client->channel] = NULL;
    client_unref(client); /* put: clients */
}

static int on_flush(void *data)
{
    struct client *client = data;

    if (client->closed)
        return 0;
    output_send(&client->output, 300);
    return client->output.count > 0;
}

static void client_send(struct client *client, struct page *page)
{
    int was_empty = client->output.count == 0;

    if (output_add(&client->output, page)) {
        counters.failed++;
        return;
    }
    if (was_empty)
        loop_add_idle(client->loop, on_flush, client_ref(client), flush_gone); /* get: flush */
}

static void on_fetched(void *data, struct page *page)
{
    struct client *client = data;
    struct fetch *fetch = client->fetch;

    client->fetch = NULL;
    if (page)
        client_send(client, page);
    else
        counters.failed++;
    fetch_unref(fetch); /* put: asker */
}

static void client_ask(struct client *client, int path)
{
    struct page *page = cache_find(path);

    if (page) {
        counters.hits++;
        client_send(client, page);
        page_unref(page); /* put: found page */
        return;
    }
    if (client->fetch) {
        counters.failed++;
        return;
    }
    counters.misses++;
    client_ref(client); /* get: fetch's client */
    client->fetch = fetch_begin(client->loop, path, on_fetched, client, fetch_gone);
}

static int on_readable(void *data)
{
    struct client *client = data;
    int path = played[client->channel];

    client->quiet = 0;
    if (path < 0)
        client_close(client);
    else
        client_ask(client, path);
    return 1;
}

static int on_idle(void *data)
{
    struct client *client = data;

    client->quiet += 10;
    if (client->quiet < IDLE_TURNS)
        return 1;
    counters.idle++;
    client_close(client);
    return 1;
}

void client_accept(struct loop *loop, int channel)
{
    struct client *client = calloc(1, sizeof *client);

    if (!client)
        abort();
    kref_init(&client->kref); /* get: clients */
    client->channel = channel;
    client->loop = loop;
    client_ref(client); /* get: client's io */
    client->io = loop_add_io(loop, channel, on_readable, client, io_gone);
    client_ref(client); /* get: client's timer */
    client->timer = loop_add_timer(loop, 10, 10, on_idle, client, timer_gone);
    clients[channel] = client;
    counters.opened++;
}

void peer_plays(struct loop *loop, int channel, int path)
{
    if (!clients[channel])
        client_accept(loop, channel);
    played[channel] = path;
    loop->ready |= 1UL << channel;
}

void clients_close(void)
{
    int i;

    for (i = 0; i < CHANNELS; i++)
        if (clients[i])
            client_close(clients[i]);
}
