/*
 * Rule 3 with slots: readers take references from slots while writers replace the published
 * objects.
 *
 * tools: tsan static
 */
#include "check.h"

#define SLOTS 2
#define READERS 2
#define WRITERS 2
#ifndef ROUNDS /* fewer on an emulated machine, where a fence takes long */
#define ROUNDS 4000
#endif

struct object {
    struct kref kref;
    int number, twice;
};

static struct kref_slot slots[SLOTS]; /* zero is KREF_SLOT_INIT */
static int made, released;

static void release(struct kref *kref)
{
    struct object *object = kref_entry(kref, struct object, kref);

    object->number = object->twice = -1;
    __atomic_fetch_add(&released, 1, __ATOMIC_RELAXED);
    free(object);
}

static void *read_often(void *unused)
{
    int i;

    (void)unused;
    for (i = 0; i < ROUNDS; i++) {
        struct kref *kref = kref_slot_get(&slots[i % SLOTS]);
        struct object *object = kref_entry(kref, struct object, kref);

        if (object) {
            CHECK(object->number >= 0 && object->twice == 2 * object->number);
            kref_put(kref, release);
        }
    }
    return NULL;
}

static void *write_often(void *unused)
{
    int i;

    (void)unused;
    for (i = 0; i < ROUNDS; i++) {
        struct object *next = NULL;
        struct kref *old;

        if (i % 5) {
            next = malloc(sizeof *next);
            CHECK(next);
            kref_init(&next->kref);
            next->number = i;
            next->twice = 2 * i;
            __atomic_fetch_add(&made, 1, __ATOMIC_RELAXED);
        }
        old = kref_slot_replace(&slots[i % SLOTS], next ? &next->kref : NULL);
        if (old)
            kref_put(old, release);
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[READERS + WRITERS];
    int i;

    for (i = 0; i < READERS + WRITERS; i++)
        start(&threads[i], i < READERS ? read_often : write_often, NULL);
    for (i = 0; i < READERS + WRITERS; i++)
        join(threads[i]);
    for (i = 0; i < SLOTS; i++) {
        struct kref *old = kref_slot_replace(&slots[i], NULL);

        if (old)
            kref_put(old, release);
    }
    CHECK(made && released == made);
    return 0;
}
