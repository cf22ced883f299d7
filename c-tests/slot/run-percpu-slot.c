/*
 * Rule 3 with percpu_ref_slot: readers take references from a slot while a writer replaces the
 * published object and kills the old one.
 *
 * tools: tsan static
 */
#include "check.h"

#define READERS 3
#ifndef ROUNDS /* fewer on an emulated machine, where a fence takes long */
#define ROUNDS 2000
#endif

struct object {
    struct percpu_ref ref;
    int number, twice;
};

static struct percpu_ref_slot slot = PERCPU_REF_SLOT_INIT;
static int made, released, stop;

static void release(struct percpu_ref *ref)
{
    struct object *object = (struct object *)ref; /* its first member */

    object->number = object->twice = -1;
    percpu_ref_exit(ref);
    free(object);
    __atomic_fetch_add(&released, 1, __ATOMIC_RELAXED);
}

static void *read_often(void *unused)
{
    (void)unused;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        struct object *object = (struct object *)percpu_ref_slot_get(&slot);

        if (object) {
            CHECK(object->number >= 0 && object->twice == 2 * object->number);
            percpu_ref_put(&object->ref);
        }
    }
    return NULL;
}

static void publish(struct object *next)
{
    struct percpu_ref *old = percpu_ref_slot_replace(&slot, next ? &next->ref : NULL);

    if (old)
        percpu_ref_kill(old); /* puts the initial reference, which the slot had */
}

static void slot_in_used_memory(void)
{
    struct percpu_ref_slot used;

    memset(&used, 0xa5, sizeof used);
    percpu_ref_slot_init(&used);
    CHECK(!percpu_ref_slot_get(&used) && !percpu_ref_slot_replace(&used, NULL));
}

int main(void)
{
    pthread_t threads[READERS];
    int i;

    slot_in_used_memory();
    CHECK(!percpu_ref_slot_get(&slot));
    for (i = 0; i < READERS; i++)
        start(&threads[i], read_often, NULL);
    for (i = 0; i < ROUNDS; i++) {
        struct object *next = i % 5 ? malloc(sizeof *next) : NULL;

        if (next) {
            /* Every third object counts atomically, so the readers also take that path. */
            CHECK(!percpu_ref_init(&next->ref, release, i % 3 ? 0 : PERCPU_REF_INIT_ATOMIC));
            next->number = i;
            next->twice = 2 * i;
            made++;
        }
        publish(next);
    }
    publish(NULL);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (i = 0; i < READERS; i++)
        join(threads[i]);
    CHECK(made && released == made);
    return 0;
}
