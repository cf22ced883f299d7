/*
 * An event loop as GUI toolkits and servers have it: sources with callbacks. The data of a source
 * is given back by the function that was named with it.
 */
#ifndef LOOP_H
#define LOOP_H

#include <kref.h>

enum source_kind { SOURCE_IO, SOURCE_TIMER, SOURCE_IDLE };

/* Returns 0 to be removed from the loop. */
typedef int source_callback(void *data);

struct source {
    struct kref kref;
    enum source_kind kind;
    int channel; /* of SOURCE_IO */
    int due;     /* of SOURCE_TIMER */
    int period;
    int removed;
    source_callback *call;
    void *data;
    void (*destroy)(void *data);
    struct source *next;
};

struct loop {
    struct source *sources;
    int now, dispatched, count;
    unsigned long ready; /* a bit for each channel that can be read */
};

/* Each returns the source with a reference that the caller owns. The loop has one of its own. */
struct source *loop_add_io(struct loop *loop, int channel, source_callback *call, void *data,
                           void (*destroy)(void *));
struct source *loop_add_timer(struct loop *loop, int delay, int period, source_callback *call,
                              void *data, void (*destroy)(void *));

/* Nobody but the loop keeps this source. */
void loop_add_idle(struct loop *loop, source_callback *call, void *data, void (*destroy)(void *));

void loop_remove(struct loop *loop, struct source *source);
int loop_turn(struct loop *loop);
void loop_end(struct loop *loop);

void source_unref(struct source *source);

#endif
