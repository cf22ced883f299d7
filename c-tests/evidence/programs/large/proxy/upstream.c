#include "upstream.h"

#include <stdlib.h>

enum { SERVERS = 3, ATTEMPTS = 3 };

static struct upstream *servers[SERVERS];
static int next_server, next_id;
static struct loop *main_loop;

static void upstream_free(struct kref *kref)
{
    free(kref_entry(kref, struct upstream, kref));
}

static void upstream_unref(struct upstream *upstream)
{
    kref_put(&upstream->kref, upstream_free);
}

static struct upstream *upstream_connect(void)
{
    struct upstream *upstream = calloc(1, sizeof *upstream);

    if (!upstream)
        abort();
    kref_init(&upstream->kref); /* get: servers */
    upstream->id = next_id++;
    return upstream;
}

/* Returns the next one of the servers, with a reference. */
static struct upstream *upstream_choose(void)
{
    struct upstream *upstream = servers[next_server++ % SERVERS];

    kref_get(&upstream->kref);
    return upstream;
}

/* Fetches that use the old connection keep it. */
static void upstream_reconnect(struct upstream *broken)
{
    int i;

    for (i = 0; i < SERVERS; i++)
        if (servers[i] == broken) {
            servers[i] = upstream_connect();
            upstream_unref(broken); /* put: servers */
            return;
        }
}

void upstreams_open(void)
{
    int i;

    for (i = 0; i < SERVERS; i++)
        servers[i] = upstream_connect();
}

void upstreams_close(void)
{
    int i;

    for (i = 0; i < SERVERS; i++)
        upstream_unref(servers[i]); /* put: servers */
}

static void fetch_free(struct kref *kref)
{
    struct fetch *fetch = kref_entry(kref, struct fetch, kref);

    if (fetch->upstream)
        upstream_unref(fetch->upstream); /* put: fetch's server */
    fetch->give_back(fetch->client);
    free(fetch);
}

void fetch_unref(struct fetch *fetch)
{
    kref_put(&fetch->kref, fetch_free);
}

static void fetch_timer_gone(void *data)
{
    fetch_unref(data); /* put: fetch's timer */
}

static void fetch_again(struct fetch *fetch)
{
    struct upstream *before = fetch->upstream;

    fetch->upstream = upstream_choose(); /* get: fetch's server */
    if (!before)
        return;
    if (++before->failures > 2)
        upstream_reconnect(before);
    upstream_unref(before); /* put: fetch's server */
}

static void fetch_finish(struct fetch *fetch, struct page *page)
{
    struct source *timer = fetch->timer;

    fetch->timer = NULL;
    if (!fetch->cancelled)
        fetch->done(fetch->client, page);
    loop_remove(main_loop, timer);
    source_unref(timer); /* put: source's owner */
}

/* The servers are played: each answers after one turn, or not at all. */
static int fetch_turn(void *data)
{
    struct fetch *fetch = data;
    struct page *page;

    if (fetch->cancelled) {
        fetch_finish(fetch, NULL);
        return 1;
    }
    fetch->upstream->asked++;
    if ((fetch->path + fetch->upstream->id + fetch->attempts) % 4 == 1) {
        if (++fetch->attempts == ATTEMPTS)
            fetch_finish(fetch, NULL);
        else
            fetch_again(fetch);
        return 1;
    }
    page = page_new(fetch->path, 100 + fetch->path * 13);
    cache_add(page);
    fetch_finish(fetch, page);
    page_unref(page); /* put: fetched */
    return 1;
}

struct fetch *fetch_begin(struct loop *loop, int path, void (*done)(void *, struct page *),
                          void *client, void (*give_back)(void *))
{
    struct fetch *fetch = calloc(1, sizeof *fetch);

    if (!fetch)
        abort();
    main_loop = loop;
    kref_init(&fetch->kref); /* get: asker */
    fetch->path = path;
    fetch->done = done;
    fetch->client = client;
    fetch->give_back = give_back;
    fetch_again(fetch);
    kref_get(&fetch->kref); /* get: fetch's timer */
    fetch->timer = loop_add_timer(loop, 1, 1, fetch_turn, fetch, fetch_timer_gone);
    return fetch;
}

void fetch_cancel(struct fetch *fetch)
{
    fetch->cancelled = 1;
}
