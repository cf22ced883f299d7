#include "loop.h"

#include <stdlib.h>

enum { MOST_AT_ONCE = 64 };

static void source_free(struct kref *kref)
{
    struct source *source = kref_entry(kref, struct source, kref);

    if (source->destroy)
        source->destroy(source->data);
    free(source);
}

void source_unref(struct source *source)
{
    kref_put(&source->kref, source_free);
}

static struct source *source_ref(struct source *source)
{
    kref_get(&source->kref);
    return source;
}

static struct source *source_new(enum source_kind kind, source_callback *call, void *data,
                                 void (*destroy)(void *))
{
    struct source *source = calloc(1, sizeof *source);

    if (!source)
        abort();
    kref_init(&source->kref); /* get: source's owner */
    source->kind = kind;
    source->call = call;
    source->data = data;
    source->destroy = destroy;
    return source;
}

static void loop_attach(struct loop *loop, struct source *source)
{
    source->next = loop->sources;
    loop->sources = source_ref(source); /* get: loop */
    loop->count++;
}

struct source *loop_add_io(struct loop *loop, int channel, source_callback *call, void *data,
                           void (*destroy)(void *))
{
    struct source *source = source_new(SOURCE_IO, call, data, destroy);

    source->channel = channel;
    loop_attach(loop, source);
    return source;
}

struct source *loop_add_timer(struct loop *loop, int delay, int period, source_callback *call,
                              void *data, void (*destroy)(void *))
{
    struct source *source = source_new(SOURCE_TIMER, call, data, destroy);

    source->due = loop->now + delay;
    source->period = period;
    loop_attach(loop, source);
    return source;
}

void loop_add_idle(struct loop *loop, source_callback *call, void *data, void (*destroy)(void *))
{
    struct source *source = source_new(SOURCE_IDLE, call, data, destroy);

    loop_attach(loop, source);
    source_unref(source); /* put: source's owner */
}

void loop_remove(struct loop *loop, struct source *source)
{
    struct source **place = &loop->sources;

    if (source->removed)
        return;
    source->removed = 1;
    while (*place != source)
        place = &(*place)->next;
    *place = source->next;
    loop->count--;
    source_unref(source); /* put: loop */
}

static int is_ready(const struct loop *loop, const struct source *source)
{
    switch (source->kind) {
    case SOURCE_IO:
        return loop->ready >> source->channel & 1;
    case SOURCE_TIMER:
        return source->due <= loop->now;
    default:
        return 1;
    }
}

static void dispatch(struct loop *loop, struct source *source)
{
    loop->dispatched++;
    if (!source->call(source->data))
        loop_remove(loop, source);
    else if (source->kind == SOURCE_TIMER)
        source->due = loop->now + source->period;
}

/* Callbacks may remove any source, so those that are ready are kept until all have run. */
int loop_turn(struct loop *loop)
{
    struct source *ready[MOST_AT_ONCE], *source;
    int i, n = 0;

    loop->now++;
    for (source = loop->sources; source && n < MOST_AT_ONCE; source = source->next)
        if (is_ready(loop, source))
            ready[n++] = source_ref(source); /* get: dispatch */
    loop->ready = 0;
    for (i = 0; i < n; i++) {
        if (!ready[i]->removed)
            dispatch(loop, ready[i]);
        source_unref(ready[i]); /* put: dispatch */
    }
    return loop->count;
}

void loop_end(struct loop *loop)
{
    while (loop->sources)
        loop_remove(loop, loop->sources);
}
