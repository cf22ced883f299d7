/*
 * What kref/tsan.h announces to ThreadSanitizer about percpu_ref: in each pair one thread writes
 * and puts or publishes. The other thread sees a count of zero, puts the last reference, or gets
 * from a slot, and then writes. See announced.h.
 *
 * tools: tsan
 */
#include "announced.h"

struct object {
    struct percpu_ref ref;
    struct percpu_ref_slot slot;
    int data; /* written by one thread before give, by the other after take; no lock */
};

#define REF (&object->ref)

/* Writes nothing: a thread that sees zero without a put of its own is not ordered after release. */
static void release(struct percpu_ref *ref)
{
    (void)ref;
}

static void confirm(struct percpu_ref *ref)
{
    CHECK(percpu_ref_is_dying(ref));
}

/* There are two references. Each thread puts one of them. */
PAIR(put, percpu_ref_put(REF), percpu_ref_kill(REF))
PAIR(put_many, percpu_ref_put_many(REF, 1), percpu_ref_kill(REF))
PAIR(kill, percpu_ref_kill(REF), percpu_ref_put(REF))
PAIR(kill_and_confirm, percpu_ref_kill_and_confirm(REF, confirm), percpu_ref_put(REF))
PAIR(is_zero, percpu_ref_put(REF); percpu_ref_kill(REF), CHECK(percpu_ref_is_zero(REF)))
/* Writes once more after the kill: kill and reinit take one lock, which orders earlier writes. */
PAIR(reinit, percpu_ref_kill(REF); object->data = 1; percpu_ref_put(REF),
     percpu_ref_reinit(REF); percpu_ref_get(REF))
PAIR(exit, percpu_ref_put(REF), percpu_ref_exit(REF))
PAIR(slot_get, CHECK(!percpu_ref_slot_replace(&object->slot, REF)),
     CHECK(percpu_ref_slot_get(&object->slot) == REF); percpu_ref_put(REF))
PAIR(slot_replace, CHECK(!percpu_ref_slot_replace(&object->slot, REF)),
     CHECK(percpu_ref_slot_replace(&object->slot, NULL) == REF))

static const struct pair {
    void (*give)(struct object *object), (*take)(struct object *object);
} pairs[] = {
    { give_put, take_put },
    { give_put_many, take_put_many },
    { give_kill, take_kill },
    { give_kill_and_confirm, take_kill_and_confirm },
    { give_is_zero, take_is_zero },
    { give_reinit, take_reinit },
    { give_exit, take_exit },
    { give_slot_get, take_slot_get },
    { give_slot_replace, take_slot_replace },
};

static void one(const struct pair *pair, unsigned int flags)
{
    struct object *object = calloc(1, sizeof *object);

    CHECK(object && !percpu_ref_init(REF, release, flags));
    percpu_ref_get(REF);
    run_pair(pair->give, pair->take, object, &object->data);
    if (!percpu_ref_is_dying(REF)) {
        percpu_ref_kill(REF);
        percpu_ref_put(REF);
    }
    percpu_ref_exit(REF);
    free(object);
}

int main(void)
{
    size_t i;

    for (i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        one(&pairs[i], PERCPU_REF_ALLOW_REINIT);
        one(&pairs[i], PERCPU_REF_INIT_ATOMIC);
    }
    return 0;
}
