/*
 * The events that a tracker gets of a percpu_ref: each operation's events in their order, with the
 * counts, the holders and the release functions.
 */
#include "recorder.h"

#include <errno.h>

#define FIRST "the initial reference"

static struct percpu_ref ref;
static struct percpu_ref_slot slot;
static struct told told;

static void release(struct percpu_ref *released)
{
    CHECK(released == &ref);
    write_down(released, "release");
}

static void release_and_exit(struct percpu_ref *released)
{
    release(released);
    percpu_ref_exit(released);
}

static void confirm(struct percpu_ref *killed)
{
    write_down(killed, "confirm");
}

static void begin(void (*by)(struct percpu_ref *), unsigned int flags)
{
    CHECK(!percpu_ref_init(&ref, by, flags));
    *told_events = '\0';
}

static void a_life(void)
{
    CHECK(!percpu_ref_init(&ref, release_and_exit, 0));
    CHECK_TOLD(&ref, "init; getting; got 1 " FIRST);
    percpu_ref_get(&ref);
    CHECK_TOLD(&ref, "getting; got 2");
    percpu_ref_get_many(&ref, 2);
    CHECK_TOLD(&ref, "getting; got 3; got 4");
    CHECK(percpu_ref_tryget(&ref) && percpu_ref_tryget_live(&ref));
    CHECK_TOLD(&ref, "getting; got 5; getting; got 6");
    CHECK(percpu_ref_tryget_many(&ref, 2));
    CHECK_TOLD(&ref, "getting; got 7; got 8");
    percpu_ref_put(&ref);
    CHECK_TOLD(&ref, "putting 8; done");
    CHECK((void (*)(void))told_release == (void (*)(void))release_and_exit);
    percpu_ref_put_many(&ref, 5);
    CHECK_TOLD(&ref, "putting 7; putting 6; putting 5; putting 4; putting 3; done");
    percpu_ref_kill_and_confirm(&ref, confirm);
    CHECK_TOLD(&ref, "kill; confirm; putting 2 " FIRST "; done");
    CHECK(!percpu_ref_tryget_live(&ref) && percpu_ref_is_dying(&ref));
    CHECK_TOLD(&ref, "getting");
    CHECK(percpu_ref_tryget(&ref));
    CHECK_TOLD(&ref, "getting; got 2");
    percpu_ref_put_many(&ref, 2);
    CHECK_TOLD(&ref, "putting 2; putting 1; released; release; exit; done");
    percpu_ref_exit(&ref);
    CHECK(!percpu_ref_tryget(&ref));
    CHECK_TOLD(&ref, "");
}

static void an_end_without_kill(void)
{
    begin(release, 0);
    percpu_ref_exit(&ref);
    CHECK_TOLD(&ref, "exit");
}

static void several_lives(void)
{
    CHECK(!percpu_ref_init(&ref, release, PERCPU_REF_INIT_DEAD));
    CHECK_TOLD(&ref, "init");
    percpu_ref_reinit(&ref);
    CHECK_TOLD(&ref, "revive; getting; got 1 " FIRST);
    percpu_ref_get(&ref);
    percpu_ref_kill(&ref);
    CHECK_TOLD(&ref, "getting; got 2; kill; putting 2 " FIRST "; done");
    percpu_ref_resurrect(&ref);
    CHECK_TOLD(&ref, "revive; getting; got 2 " FIRST);
    percpu_ref_put(&ref);
    percpu_ref_kill(&ref);
    CHECK_TOLD(&ref, "putting 2; done; kill; putting 1 " FIRST "; released; release; done");
    percpu_ref_reinit(&ref);
    percpu_ref_exit(&ref);
    CHECK_TOLD(&ref, "revive; getting; got 1 " FIRST "; exit");
}

/* A tracked percpu_ref stays in atomic mode, whatever the program does: no get and no put is missed. */
static void modes(void)
{
    begin(release, PERCPU_REF_ALLOW_REINIT | PERCPU_REF_INIT_ATOMIC);
    percpu_ref_switch_to_percpu(&ref);
    percpu_ref_get(&ref);
    CHECK_TOLD(&ref, "getting; got 2");
    percpu_ref_switch_to_atomic(&ref, confirm);
    CHECK_TOLD(&ref, "confirm");
    percpu_ref_switch_to_percpu(&ref);
    percpu_ref_put(&ref);
    CHECK_TOLD(&ref, "putting 2; done");
    percpu_ref_kill(&ref);
    percpu_ref_reinit(&ref);
    *told_events = '\0';
    percpu_ref_get(&ref);
    percpu_ref_put(&ref);
    CHECK_TOLD(&ref, "getting; got 2; putting 2; done");
    percpu_ref_exit(&ref);
    *told_events = '\0';
}

static void slots(void)
{
    begin(release, 0);
    CHECK(!percpu_ref_slot_get(&slot) && !percpu_ref_slot_replace(&slot, &ref));
    CHECK_TOLD(&ref, "");
    CHECK(percpu_ref_slot_get(&slot) == &ref);
    CHECK_TOLD(&ref, "getting; got 2");
    CHECK(percpu_ref_slot_replace(&slot, NULL) == &ref);
    CHECK_TOLD(&ref, "");
    percpu_ref_put(&ref);
    percpu_ref_exit(&ref);
    CHECK_TOLD(&ref, "putting 2; done; exit");
}

/* The operation was a violation, reported once to the tracker and once to the handler. */
static void CHECK_VIOLATION(const char *events, enum kref_violation_kind kind)
{
    CHECK_TOLD(&ref, events);
    CHECK(told.times == 1 && told.last.kind == kind && told.last.kref == &ref);
    told.times = 0;
}

static void misuse(void)
{
    begin(release, 0);
    percpu_ref_get(&ref);
    percpu_ref_exit(&ref);
    CHECK_VIOLATION("getting; got 2; violated 8", KREF_EXIT_WHILE_ALIVE);
    percpu_ref_resurrect(&ref);
    CHECK_VIOLATION("violated 9", KREF_BAD_REINIT);
    percpu_ref_put(&ref);
    percpu_ref_kill(&ref);
    *told_events = '\0';
    percpu_ref_kill(&ref);
    CHECK_VIOLATION("violated 7", KREF_KILLED_TWICE);
    percpu_ref_exit(&ref);
    CHECK_TOLD(&ref, "exit");
    percpu_ref_get(&ref);
    CHECK_VIOLATION("violated 1", KREF_GET_ON_ZERO);

    /* Without a tracker nobody knows of this before the kill. */
    begin(release, 0);
    percpu_ref_put_many(&ref, 2);
    CHECK_VIOLATION("violated 3", KREF_PUT_ON_ZERO);
}

/* In steps that a percpu_ref of 32 bits allows, too. */
static void in_steps(void (*step)(struct percpu_ref *, unsigned long), unsigned long n)
{
    const unsigned long most = 32767;

    for (; n > most; n -= most)
        step(&ref, most);
    step(&ref, n);
}

/* More references than are told of: the percpu_ref goes on as an untracked one does. */
static void goes_on(void)
{
    const unsigned long more = 1ul << 24;

    static const struct kref_tracker quiet = { .size = sizeof quiet, .percpu = percpu };

    CHECK(!kref_set_tracker(&quiet));
    begin(release, PERCPU_REF_ALLOW_REINIT);
    in_steps(percpu_ref_get_many, 3999999);
    CHECK(!kref_set_tracker(&writes_down));
    percpu_ref_get(&ref);
    CHECK_TOLD(&ref, "let go");
    in_steps(percpu_ref_get_many, more);
    in_steps(percpu_ref_put_many, more);
    in_steps(percpu_ref_put_many, 4000000);
    percpu_ref_kill(&ref);
    percpu_ref_exit(&ref);
    CHECK_TOLD(&ref, "release");
}

/* The tracker does not want it, or has no function for it, or there is none. */
static void untracked(void)
{
    static struct kref_tracker shorter;

    track_next = 0;
    CHECK(!percpu_ref_init(&ref, release_and_exit, 0));
    CHECK_TOLD(&ref, "init");
    track_next = 1;
    percpu_ref_get(&ref);
    percpu_ref_kill(&ref);
    percpu_ref_put(&ref);
    CHECK_TOLD(&ref, "release");
    CHECK(percpu_ref_init(&ref, release, 1u << 31) == -EINVAL);
    CHECK_TOLD(&ref, "");

    shorter = writes_down;
    shorter.size = offsetof(struct kref_tracker, percpu);
    CHECK(!kref_set_tracker(&shorter));
    CHECK(!percpu_ref_init(&ref, release_and_exit, 0));
    percpu_ref_kill(&ref);
    CHECK_TOLD(&ref, "release");

    /* A tracked one goes on counting without a tracker. */
    CHECK(!kref_set_tracker(&writes_down));
    begin(release_and_exit, 0);
    CHECK(!kref_set_tracker(NULL));
    percpu_ref_get(&ref);
    percpu_ref_kill(&ref);
    CHECK_TOLD(&ref, "");
    percpu_ref_put(&ref);
    CHECK_TOLD(&ref, "release");
    CHECK(!kref_set_tracker(&writes_down));
}

int main(void)
{
    told_percpu = &ref;
    kref_set_violation_handler(remember, &told);
    CHECK(!kref_set_tracker(&writes_down));
    a_life();
    an_end_without_kill();
    several_lives();
    modes();
    slots();
    goes_on();
    untracked();
    misuse();
    return told.times;
}
