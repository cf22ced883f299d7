/*
 * percpu_ref and percpu_ref_slot, disturbed in all ways of torture.h. Objects are published,
 * replaced and killed. One more percpu_ref, `lasting`, lives from the start to the end and changes
 * its mode.
 *
 * With -DWITHOUT_FENCE the membarrier does nothing, and the program must fail.
 */
#include "poison.h"
#ifdef WITHOUT_FENCE
#include "fence.h"
#endif

#define SLOTS 2

static struct percpu_ref_slot slots[SLOTS]; /* zero is PERCPU_REF_SLOT_INIT */
static struct percpu_ref_slot empty;

static struct percpu_ref lasting;
static unsigned long lasting_drained, lasting_released;

/* ---- The published objects. ---- */

static void release(struct percpu_ref *ref)
{
    percpu_ref_exit(ref);
    object_release((struct object *)ref);
}

static void no_more_live(struct percpu_ref *ref)
{
    CHECK(percpu_ref_is_dying(ref) && !percpu_ref_tryget_live(ref));
}

/* A thread that holds a reference may change the mode. */
static void switch_mode(struct object *object)
{
    percpu_ref_switch_to_atomic_sync(&object->count.percpu);
    object_check(object);
    if (object->flags)
        percpu_ref_switch_to_percpu(&object->count.percpu);
}

static void use(struct seat *seat, struct object *object)
{
    struct percpu_ref *ref = &object->count.percpu;

    object_check(object);
    switch (any(seat, 64)) {
    case 0:
        switch_mode(object);
        seat->switches++;
        break;
    case 1:
        CHECK(percpu_ref_tryget_many(ref, 3)); /* succeeds, because a reference is held */
        object_check(object);
        percpu_ref_put_many(ref, 3);
        break;
    case 2:
        if (percpu_ref_tryget_live(ref))
            percpu_ref_put(ref);
        break;
    default:
        percpu_ref_get(ref);
        object_check(object);
        percpu_ref_put(ref);
    }
    object_check(object);
}

static void leave_slots(struct seat *seat)
{
    struct object *object = seat->held;

    if (!object)
        return;
    object_check(object);
    percpu_ref_put(&object->count.percpu);
    seat->held = NULL;
}

/* An empty slot's get does nothing but the sequence, so many signals interrupt sequences here. */
static void read_nothing(void)
{
    int i;

    for (i = 0; i < 64; i++)
        CHECK(!percpu_ref_slot_get(&empty));
}

static void read_slots(struct seat *seat)
{
    int i;

    read_nothing();
    for (i = 0; i < 16; i++) {
        struct percpu_ref *ref = percpu_ref_slot_get(&slots[any(seat, SLOTS)]);

        if (!ref)
            continue;
        seat->gets++;
        use(seat, (struct object *)ref);
        if (any(seat, 2)) {
            percpu_ref_put(ref);
            continue;
        }
        leave_slots(seat);
        seat->held = ref;
    }
}

/* The slot had the object's initial reference, or another one if is_killed is set. */
static void replace(struct seat *seat, struct percpu_ref_slot *slot, struct object *next)
{
    struct percpu_ref *old = percpu_ref_slot_replace(slot, next ? &next->count.percpu : NULL);
    struct object *object = (struct object *)old;

    seat->replaces++;
    if (!old)
        return;
    object_check(object);
    if (object->is_killed) {
        percpu_ref_put(old);
        return;
    }
    seat->kills++;
    percpu_ref_kill_and_confirm(old, any(seat, 2) ? no_more_live : NULL);
}

static void write_slots(struct seat *seat)
{
    static const unsigned int flags[] = {
        0, 0, 0, PERCPU_REF_ALLOW_REINIT, PERCPU_REF_INIT_ATOMIC,
    };
    struct percpu_ref_slot *slot = &slots[any(seat, SLOTS)];
    struct object *next;

    if (!any(seat, 6)) {
        replace(seat, slot, NULL);
        return;
    }
    next = object_new(!any(seat, 4));
    next->flags = flags[any(seat, 5)];
    next->is_killed = !any(seat, 4);
    CHECK(percpu_ref_init(&next->count.percpu, release, next->flags) == 0);
    if (!next->is_killed) {
        replace(seat, slot, next);
        return;
    }
    percpu_ref_get(&next->count.percpu); /* for the slot; the kill below puts the initial one */
    replace(seat, slot, next);
    percpu_ref_kill(&next->count.percpu);
    seat->kills++;
}

/* ---- The lasting percpu_ref. ---- */

static void lasting_release(struct percpu_ref *ref)
{
    CHECK(percpu_ref_is_zero(ref));
    ADD(lasting_released, 1);
}

/* Also called in signal handlers. */
static void get_lasting(void)
{
    if (!percpu_ref_tryget_live(&lasting))
        return;
    CHECK(!percpu_ref_is_zero(&lasting));
    percpu_ref_put(&lasting);
}

static void leave_lasting(struct seat *seat)
{
    if (seat->held)
        percpu_ref_put(&lasting);
    seat->held = NULL;
}

static void share(struct seat *seat)
{
    int i;

    for (i = 0; i < 64; i++)
        get_lasting();
    leave_lasting(seat);
    if (any(seat, 8) ? percpu_ref_tryget_live(&lasting) : percpu_ref_tryget(&lasting)) {
        percpu_ref_get_many(&lasting, 5);
        percpu_ref_put_many(&lasting, 5);
        seat->held = &lasting;
    }
}

static void kill_and_resurrect(void)
{
    percpu_ref_get(&lasting);
    percpu_ref_kill_and_confirm(&lasting, no_more_live);
    CHECK(!percpu_ref_tryget_live(&lasting) && !percpu_ref_is_zero(&lasting));
    percpu_ref_resurrect(&lasting);
    CHECK(!percpu_ref_is_dying(&lasting));
    percpu_ref_put(&lasting);
}

static void drain_and_reinit(void)
{
    lasting_drained++;
    percpu_ref_kill(&lasting);
    while (READ(lasting_released) != lasting_drained) {
        if (READ(all.stop))
            return; /* a wrong count must not make the thread wait for ever */
        sched_yield();
    }
    CHECK(percpu_ref_is_zero(&lasting) && !percpu_ref_tryget(&lasting));
    percpu_ref_reinit(&lasting);
}

static void not_zero(struct percpu_ref *ref)
{
    CHECK(!percpu_ref_is_zero(ref));
}

/* Only one thread changes the mode, as the functions require. */
static void change_lasting(struct seat *seat)
{
    seat->switches++;
    switch (any(seat, 4)) {
    case 0:
        percpu_ref_switch_to_atomic(&lasting, not_zero);
        break;
    case 1:
        percpu_ref_switch_to_percpu(&lasting);
        break;
    case 2:
        kill_and_resurrect();
        seat->kills++;
        break;
    default:
        drain_and_reinit();
        seat->kills++;
    }
}

int main(void)
{
    static struct seat seats[] = {
        {.work = read_slots, .leave = leave_slots}, {.work = write_slots},
        {.work = share, .leave = leave_lasting},    {.work = change_lasting},
        {.work = read_slots, .leave = leave_slots}, {.work = write_slots},
        {.work = share, .leave = leave_lasting},    {.work = read_slots, .leave = leave_slots},
    };
    const unsigned int number = sizeof seats / sizeof seats[0];
    unsigned long gets = 0, replaces = 0, kills = 0, switches = 0;
    unsigned int i;

    torture_begin();
    CHECK(percpu_ref_init(&lasting, lasting_release, PERCPU_REF_ALLOW_REINIT) == 0);
    more_in_handlers = get_lasting;
    CHECK(!percpu_ref_slot_replace(&empty, NULL)); /* from now on its gets use sequences */
    torture_run(seats, number);
    for (i = 0; i < SLOTS; i++)
        replace(&seats[0], &slots[i], NULL);
    objects_are_all_released();
    if (!percpu_ref_is_dying(&lasting)) {
        lasting_drained++;
        percpu_ref_kill(&lasting);
    }
    CHECK(lasting_released == lasting_drained);
    percpu_ref_exit(&lasting);
    for (i = 0; i < number; i++) {
        gets += seats[i].gets;
        replaces += seats[i].replaces;
        kills += seats[i].kills;
        switches += seats[i].switches;
    }
    torture_happened("torture-percpu: gets", gets);
    torture_happened("replaces", replaces);
    torture_happened("kills", kills);
    torture_happened("switches", switches);
    torture_report(seats, number);
    return 0;
}
