/*
 * Pairs of operations that order memory between two threads. One thread writes an object's data and
 * performs `give`; then the other performs `take` and writes the data. Only the two operations
 * order the two writes, so ThreadSanitizer is silent only if kref/tsan.h announces both operations
 * to it.
 *
 * The program defines struct object, which the pairs see as `object`.
 */
#ifndef ANNOUNCED_H
#define ANNOUNCED_H

#include "check.h"

#include <sched.h>

#define PAIR(name, give, take)                                                                     \
    static void give_##name(struct object *object)                                                 \
    {                                                                                              \
        give;                                                                                      \
    }                                                                                              \
    static void take_##name(struct object *object)                                                 \
    {                                                                                              \
        take;                                                                                      \
    }

struct object;

struct giver {
    void (*give)(struct object *object);
    struct object *object;
    int *data;
    int has_given;
};

static void *write_and_give(void *arg)
{
    struct giver *giver = arg;

    *giver->data = 1;
    giver->give(giver->object);
    /* Relaxed: it says that `take` may begin, and orders nothing for ThreadSanitizer. */
    __atomic_store_n(&giver->has_given, 1, __ATOMIC_RELAXED);
    return NULL;
}

static void run_pair(void (*give)(struct object *object), void (*take)(struct object *object),
                     struct object *object, int *data)
{
    struct giver giver = { give, object, data, 0 };
    pthread_t thread;

    start(&thread, write_and_give, &giver);
    while (!__atomic_load_n(&giver.has_given, __ATOMIC_RELAXED))
        sched_yield();
    take(object);
    *data = 2;
    join(thread);
}

#endif
