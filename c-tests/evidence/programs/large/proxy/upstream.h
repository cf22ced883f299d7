/* Connections to the servers behind the proxy. A fetch is one question to one of them. */
#ifndef UPSTREAM_H
#define UPSTREAM_H

#include "buffers.h"
#include "loop.h"

struct upstream {
    struct kref kref;
    int id, failures, asked;
};

struct fetch {
    struct kref kref;
    int path, attempts, cancelled;
    struct upstream *upstream;
    struct source *timer;
    /* Called once, with NULL if there is no answer. */
    void (*done)(void *client, struct page *page);
    void *client;
    void (*give_back)(void *client);
};

/* The fetch owns the client from now on, and gives it back by give_back(). Returns a reference. */
struct fetch *fetch_begin(struct loop *loop, int path, void (*done)(void *, struct page *),
                          void *client, void (*give_back)(void *));
void fetch_cancel(struct fetch *fetch);
void fetch_unref(struct fetch *fetch);

void upstreams_open(void);
void upstreams_close(void);

#endif
