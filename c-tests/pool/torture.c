/*
 * The free entries of a pool, disturbed in all ways of torture.h. Threads take objects and give them back: many at a
 * time, so that the CPUs' caches become empty and full; and those of other threads, so that entries move from CPU to
 * CPU. Signal handlers and child processes do so, too.
 *
 * Each object is in one place at a time: its owner marks it, and must not find a mark. No entry is lost: otherwise
 * the pool needs more and more of them.
 */
#include "torture.h"

#define BURST 200
#define BOXES 64

struct object {
    struct kref kref;
    unsigned int owned;
    uintptr_t secret; /* not atomic: ThreadSanitizer finds two owners, and a missing order */
};

static unsigned long made;
static struct object *boxes[BOXES];

static void object_cleanup(struct object *object)
{
    CHECK(object->secret == (uintptr_t)object);
    object->secret = 0;
    CHECK(__atomic_exchange_n(&object->owned, 0, __ATOMIC_RELAXED) == 1);
}

KREF_POOL_DEFINE(object, struct object, kref, object_cleanup);

static struct object *take(void)
{
    struct object *object = object_alloc();

    CHECK(object && !__atomic_exchange_n(&object->owned, 1, __ATOMIC_RELAXED));
    object->secret = (uintptr_t)object;
    object_publish(object);
    ADD(made, 1);
    return object;
}

/* Also called in signal handlers, and in child processes. */
static void take_one(void)
{
    object_unref(take());
}

static void take_many(struct seat *seat)
{
    struct object *objects[BURST];
    unsigned int number = any(seat, 4) ? 1 + any(seat, 4) : 1 + any(seat, BURST), i;

    for (i = 0; i < number; i++)
        objects[i] = take();
    for (i = 0; i < number; i++)
        object_unref(objects[i]);
    seat->gets += number;
}

/* Leaves an object for another thread, and gives back what another thread has left. */
static void put_in_box(struct seat *seat, struct object *next)
{
    object_unref(__atomic_exchange_n(&boxes[any(seat, BOXES)], next, __ATOMIC_ACQ_REL));
}

static void make(struct seat *seat)
{
    put_in_box(seat, take());
    seat->replaces++;
}

static void clear(struct seat *seat)
{
    put_in_box(seat, NULL);
}

int main(void)
{
    static struct seat seats[] = {
        {.work = take_many}, {.work = make}, {.work = take_many}, {.work = clear},
        {.work = take_many}, {.work = make}, {.work = take_many}, {.work = clear},
    };
    const unsigned int number = sizeof seats / sizeof seats[0];
    /* Entries that are in use at a time, by handlers too; that lie in caches; and that move to or from a cache. */
    const unsigned long most = BOXES + number * (BURST + 2 + 3 * 32) + 63 * (unsigned long)sysconf(_SC_NPROCESSORS_CONF);
    unsigned long gets = 0, replaces = 0;
    unsigned int i;

    torture_begin();
    more_in_handlers = take_one;
    torture_run(seats, number);
    for (i = 0; i < BOXES; i++)
        object_unref(boxes[i]);
    kref_pool_drain(&object_pool);
    CHECK(object_pool.fresh - 256 <= 4 * most); /* a thread that looks for a free entry may miss one that moves */
    CHECK(kref_pool_destroy(&object_pool) == 0);
    for (i = 0; i < number; i++) {
        gets += seats[i].gets;
        replaces += seats[i].replaces;
    }
    torture_happened("torture-pool: objects", gets);
    torture_happened("given away", replaces);
    torture_report(seats, number, made);
    return 0;
}
