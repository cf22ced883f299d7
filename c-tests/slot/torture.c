/*
 * Readers and writers of kref_slot, disturbed in all ways of torture.h.
 *
 * With -DWITHOUT_FENCE the membarrier does nothing, and the program must fail.
 */
#include "poison.h"
#ifdef WITHOUT_FENCE
#include "fence.h"
#endif

#define SLOTS 3

static struct kref_slot slots[SLOTS]; /* zero is KREF_SLOT_INIT */
static struct kref_slot empty;

static void release(struct kref *kref)
{
    object_release((struct object *)kref);
}

static void put(void *object)
{
    object_check(object);
    kref_put(&((struct object *)object)->count.kref, release);
}

/* An empty slot's get does nothing but the sequence, so many signals interrupt sequences here. */
static void read_nothing(void)
{
    int i;

    for (i = 0; i < 64; i++)
        CHECK(!kref_slot_get(&empty));
}

/* Puts the held reference and keeps the new one. */
static void read_slots(struct seat *seat)
{
    int i;

    read_nothing();
    for (i = 0; i < 16; i++) {
        struct kref *kref = kref_slot_get(&slots[any(seat, SLOTS)]);

        if (!kref)
            continue;
        seat->gets++;
        object_check((struct object *)kref);
        if (!any(seat, 4)) {
            kref_get(kref);
            object_check((struct object *)kref);
            put(kref);
        }
        if (any(seat, 2)) {
            put(kref);
            continue;
        }
        if (seat->held)
            put(seat->held);
        seat->held = kref;
    }
}

static void leave(struct seat *seat)
{
    if (seat->held)
        put(seat->held);
    seat->held = NULL;
}

static void replace(struct kref_slot *slot, struct object *next)
{
    struct kref *old = kref_slot_replace(slot, next ? &next->count.kref : NULL);

    if (old)
        put(old);
}

static void write_slots(struct seat *seat)
{
    struct object *next = any(seat, 6) ? object_new(!any(seat, 4)) : NULL;

    if (next)
        kref_init(&next->count.kref);
    replace(&slots[any(seat, SLOTS)], next);
    seat->replaces++;
}

/* A reader that also replaces, so that readers, too, wait for a fence. */
static void do_both(struct seat *seat)
{
    read_slots(seat);
    write_slots(seat);
}

int main(void)
{
    static struct seat seats[] = {
        {.work = read_slots, .leave = leave},  {.work = write_slots},
        {.work = read_slots, .leave = leave},  {.work = do_both, .leave = leave},
        {.work = read_slots, .leave = leave},
    };
    const unsigned int number = sizeof seats / sizeof seats[0];
    unsigned long gets = 0, replaces = 0;
    unsigned int i;

    torture_begin();
    torture_run(seats, number);
    for (i = 0; i < SLOTS; i++)
        replace(&slots[i], NULL);
    objects_are_all_released();
    for (i = 0; i < number; i++) {
        gets += seats[i].gets;
        replaces += seats[i].replaces;
    }
    torture_happened("torture-slot: gets", gets);
    torture_happened("replaces", replaces);
    torture_report(seats, number);
    return 0;
}
