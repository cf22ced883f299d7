/*
 * Watches of files. Clients watch paths; a path has one watch, which its clients share; changes
 * are merged into one event for each client, and an event holds the watch until the client has
 * read it.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATHS = 12, CLIENTS = 6, PER_CLIENT = 8, CHANGES = 170, EVENTS = 10 };

struct watch {
    struct kref kref;
    int path, changes;
};

struct event {
    struct watch *watch;
    int count;
};

struct client {
    struct watch *watches[PER_CLIENT];
    int nwatches;
    struct event events[EVENTS];
    int nevents;
};

/* Holds nothing: watch_release() takes the watch out. */
static struct watch *by_path[PATHS];
static struct client clients[CLIENTS];
static struct watch *last_change;
static int merged, read_events, overflows, kernel_watches;

static void watch_release(struct kref *kref)
{
    struct watch *watch = kref_entry(kref, struct watch, kref);

    by_path[watch->path] = NULL;
    kernel_watches--;
    free(watch);
}

static void watch_put(struct watch *watch)
{
    kref_put(&watch->kref, watch_release);
}

/* Adds a watch to the client: one that exists, or a new one. */
static void client_watch(struct client *client, int path)
{
    struct watch *watch = by_path[path];
    int i;

    for (i = 0; i < client->nwatches; i++)
        if (client->watches[i]->path == path)
            return;
    if (client->nwatches == PER_CLIENT)
        return;
    if (watch) {
        kref_get(&watch->kref); /* get: client */
    } else {
        watch = calloc(1, sizeof *watch);
        if (!watch)
            abort();
        kref_init(&watch->kref); /* get: client */
        watch->path = path;
        by_path[path] = watch;
        kernel_watches++;
    }
    client->watches[client->nwatches++] = watch;
}

static void client_unwatch(struct client *client, int i)
{
    struct watch *watch = client->watches[i];

    client->watches[i] = client->watches[--client->nwatches];
    watch_put(watch); /* put: client */
}

static void client_tell(struct client *client, struct watch *watch)
{
    int i;

    for (i = 0; i < client->nevents; i++)
        if (client->events[i].watch == watch) {
            client->events[i].count++;
            merged++;
            return;
        }
    if (client->nevents == EVENTS) {
        overflows++;
        return;
    }
    kref_get(&watch->kref); /* get: event */
    client->events[client->nevents++] = (struct event){ watch, 1 };
}

static void client_read(struct client *client)
{
    int i;

    for (i = 0; i < client->nevents; i++) {
        read_events += client->events[i].count;
        watch_put(client->events[i].watch); /* put: event */
    }
    client->nevents = 0;
}

static void note_last(struct watch *watch)
{
    if (last_change == watch)
        return;
    if (last_change)
        watch_put(last_change); /* put: status line */
    kref_get(&watch->kref); /* get: status line */
    last_change = watch;
}

static void changed(int path)
{
    struct watch *watch = by_path[path];
    int i, j;

    if (!watch)
        return;
    kref_get(&watch->kref); /* get: dispatch */
    watch->changes++;
    for (i = 0; i < CLIENTS; i++)
        for (j = 0; j < clients[i].nwatches; j++)
            if (clients[i].watches[j] == watch)
                client_tell(&clients[i], watch);
    if (watch->changes % 4 == 0)
        note_last(watch);
    watch_put(watch); /* put: dispatch */
}

static void client_gone(struct client *client)
{
    while (client->nwatches > 0)
        client_unwatch(client, client->nwatches - 1);
    client_read(client);
}

int main(void)
{
    int i;

    for (i = 0; i < CHANGES; i++) {
        struct client *client = &clients[i % CLIENTS];

        if (i % 2 == 0)
            client_watch(client, i * 5 % PATHS);
        changed((i * i + 3) % PATHS);
        if (i % 9 == 8)
            client_read(client);
        if (i % 11 == 10 && client->nwatches)
            client_unwatch(client, i % client->nwatches);
        if (i % 60 == 59)
            client_gone(client);
    }
    for (i = 0; i < CLIENTS; i++)
        client_gone(&clients[i]);
    if (last_change)
        watch_put(last_change); /* put: status line */
    printf("%d read, %d merged, %d lost\n", read_events, merged, overflows);
    return 0;
}
