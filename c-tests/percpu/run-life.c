/*
 * percpu_ref: the functions in both modes, from init to exit, and the reports of misuse.
 *
 * tools: static
 */
#include "check.h"

#include <errno.h>

static int released, confirmed;
static struct told told;

static void release(struct percpu_ref *ref)
{
    CHECK(percpu_ref_is_zero(ref));
    released++;
}

static void release_and_exit(struct percpu_ref *ref)
{
    release(ref);
    percpu_ref_exit(ref);
}

static void confirm(struct percpu_ref *ref)
{
    CHECK(percpu_ref_is_dying(ref) && !percpu_ref_tryget_live(ref));
    CHECK(!percpu_ref_is_zero(ref)); /* the initial reference is still there */
    confirmed++;
}

static void expect(int times, int kind, const void *ref)
{
    CHECK(told.times == times && (!times || ((int)told.last.kind == kind && told.last.kref == ref)));
    memset(&told, 0, sizeof told);
}

static void start_over(struct percpu_ref *ref, unsigned int flags)
{
    released = confirmed = 0;
    CHECK(!percpu_ref_init(ref, release, flags));
}

static void a_life(unsigned int flags)
{
    struct percpu_ref ref;

    start_over(&ref, flags);
    CHECK(!percpu_ref_is_dying(&ref) && !percpu_ref_is_zero(&ref));
    percpu_ref_get(&ref);
    percpu_ref_get_many(&ref, 5);
    CHECK(percpu_ref_tryget(&ref) && percpu_ref_tryget_many(&ref, 2) && percpu_ref_tryget_live(&ref));
    percpu_ref_put_many(&ref, 6);
    percpu_ref_put(&ref);
    CHECK(!released);
    percpu_ref_kill_and_confirm(&ref, confirm);
    CHECK(confirmed == 1 && !released && percpu_ref_is_dying(&ref));
    CHECK(!percpu_ref_tryget_live(&ref) && percpu_ref_tryget(&ref));
    percpu_ref_get(&ref);
    percpu_ref_put_many(&ref, 4);
    CHECK(!released);
    percpu_ref_put(&ref);
    CHECK(released == 1 && percpu_ref_is_zero(&ref) && !percpu_ref_tryget(&ref));
    percpu_ref_exit(&ref);
    percpu_ref_exit(&ref);
    CHECK(percpu_ref_is_zero(&ref) && percpu_ref_is_dying(&ref) && !percpu_ref_tryget(&ref));
    expect(0, 0, NULL);
}

/* percpu_ref_kill() puts the last reference, and the release function calls percpu_ref_exit(). */
static void the_killer_is_the_last(void)
{
    struct percpu_ref ref;

    released = 0;
    CHECK(!percpu_ref_init(&ref, release_and_exit, 0));
    percpu_ref_kill(&ref);
    CHECK(released == 1 && percpu_ref_is_zero(&ref));
}

static void never_killed(void)
{
    struct percpu_ref ref;

    start_over(&ref, 0);
    percpu_ref_get(&ref);
    percpu_ref_put(&ref);
    percpu_ref_exit(&ref); /* a constructor that fails never kills */
    CHECK(!released);
    expect(0, 0, NULL);
}

static void modes(void)
{
    struct percpu_ref ref;

    start_over(&ref, PERCPU_REF_ALLOW_REINIT);
    percpu_ref_get_many(&ref, 3);
    percpu_ref_switch_to_atomic_sync(&ref);
    percpu_ref_put(&ref);
    percpu_ref_switch_to_percpu(&ref);
    percpu_ref_put(&ref);
    percpu_ref_switch_to_atomic(&ref, NULL);
    percpu_ref_switch_to_atomic(&ref, NULL);
    percpu_ref_put(&ref);
    percpu_ref_kill(&ref);
    CHECK(released == 1);

    /* After percpu_ref_reinit() the count stays atomic until percpu_ref_switch_to_percpu(). */
    percpu_ref_reinit(&ref);
    CHECK(!percpu_ref_is_dying(&ref) && !percpu_ref_is_zero(&ref));
    percpu_ref_switch_to_percpu(&ref);
    percpu_ref_get(&ref);
    percpu_ref_kill(&ref);
    CHECK(released == 1);
    percpu_ref_resurrect(&ref); /* while a reference is held, which stays valid */
    CHECK(percpu_ref_tryget_live(&ref));
    percpu_ref_put_many(&ref, 2);
    percpu_ref_kill(&ref);
    CHECK(released == 2);
    percpu_ref_exit(&ref);
    expect(0, 0, NULL);
}

static void dead_from_the_start(void)
{
    struct percpu_ref ref;

    start_over(&ref, PERCPU_REF_INIT_DEAD);
    CHECK(percpu_ref_is_dying(&ref) && percpu_ref_is_zero(&ref) && !percpu_ref_tryget_live(&ref));
    percpu_ref_reinit(&ref);
    CHECK(percpu_ref_tryget_live(&ref));
    percpu_ref_put(&ref);
    percpu_ref_kill(&ref);
    CHECK(released == 1);
    percpu_ref_exit(&ref);
    expect(0, 0, NULL);
}

static void misuse(void)
{
    static struct percpu_ref ref; /* static, because a misused percpu_ref is never freed */

    CHECK(percpu_ref_init(&ref, release, 8) == -EINVAL);

    start_over(&ref, 0);
    percpu_ref_get(&ref);
    percpu_ref_kill(&ref);
    percpu_ref_kill(&ref);
    expect(1, KREF_KILLED_TWICE, &ref);
    percpu_ref_exit(&ref);
    expect(1, KREF_EXIT_WHILE_ALIVE, &ref);
    percpu_ref_put(&ref); /* the reference is still valid */
    CHECK(released == 1);
    percpu_ref_put(&ref);
    expect(1, KREF_PUT_ON_ZERO, &ref);
    percpu_ref_get(&ref);
    expect(1, KREF_USE_OF_SATURATED, &ref);
    CHECK(percpu_ref_tryget(&ref));
    expect(1, KREF_USE_OF_SATURATED, &ref);
    percpu_ref_put(&ref);
    expect(1, KREF_USE_OF_SATURATED, &ref);
    CHECK(released == 1 && !percpu_ref_is_zero(&ref));
    percpu_ref_exit(&ref);
    expect(1, KREF_EXIT_WHILE_ALIVE, &ref);
}

static void misuse_of_life(void)
{
    static struct percpu_ref ref, other, third;

    start_over(&ref, 0);
    percpu_ref_resurrect(&ref);
    expect(1, KREF_BAD_REINIT, &ref);
    percpu_ref_switch_to_atomic_sync(&ref);
    percpu_ref_switch_to_percpu(&ref); /* without ALLOW_REINIT */
    expect(1, KREF_BAD_REINIT, &ref);
    percpu_ref_kill(&ref);
    CHECK(released == 1);
    percpu_ref_get(&ref);
    expect(1, KREF_GET_ON_ZERO, &ref);
    percpu_ref_exit(&ref);
    expect(1, KREF_EXIT_WHILE_ALIVE, &ref);

    start_over(&other, PERCPU_REF_ALLOW_REINIT);
    percpu_ref_get(&other);
    percpu_ref_kill(&other);
    percpu_ref_reinit(&other); /* not at zero */
    expect(1, KREF_BAD_REINIT, &other);
    percpu_ref_put(&other);
    percpu_ref_kill(&other);
    CHECK(released == 1);
    percpu_ref_exit(&other);

    start_over(&third, PERCPU_REF_INIT_ATOMIC);
    percpu_ref_get_many(&third, LONG_MAX);
    expect(1, KREF_OVERFLOW, &third);
    CHECK(!percpu_ref_is_zero(&third));
}

/* Large steps leave zero in the shared word, and all that is left is on a CPU's counter. */
static void shared_part_is_zero(void)
{
    struct percpu_ref ref;

    start_over(&ref, 0);
    percpu_ref_get(&ref);
    percpu_ref_get_many(&ref, 2000);
    percpu_ref_put_many(&ref, 2001);
    CHECK(!percpu_ref_is_zero(&ref) && percpu_ref_tryget(&ref) && percpu_ref_tryget_many(&ref, 2000));
    percpu_ref_put_many(&ref, 2001);
    CHECK(!released && !percpu_ref_is_zero(&ref));
    percpu_ref_kill(&ref);
    CHECK(released == 1);
    percpu_ref_exit(&ref);
    expect(0, 0, NULL);
}

/* A put on a CPU's counter cannot see that it is one too many. The kill adds up and finds it. */
static void too_many_puts(void)
{
    static struct percpu_ref ref;

    start_over(&ref, 0);
    percpu_ref_get(&ref);
    percpu_ref_put_many(&ref, 2 + kref_rseq_available());
    if (kref_rseq_available())
        expect(0, 0, NULL);
    percpu_ref_kill(&ref);
    CHECK(told.times == 1 && told.last.kref == &ref);
    CHECK(told.last.kind == KREF_PUT_ON_ZERO || !kref_rseq_available());
    CHECK(!percpu_ref_tryget_live(&ref) && released == !kref_rseq_available());
    memset(&told, 0, sizeof told);
}

/* Memory filled with zeros was never initialised. */
static void never_initialised(void)
{
    static struct percpu_ref ref;

    percpu_ref_get(&ref);
    expect(1, KREF_GET_ON_ZERO, &ref);
    percpu_ref_put(&ref);
    expect(1, KREF_PUT_ON_ZERO, &ref);
    CHECK(!percpu_ref_tryget(&ref) && !percpu_ref_tryget_live(&ref) && percpu_ref_is_dying(&ref));
    percpu_ref_kill(&ref);
    expect(1, KREF_GET_ON_ZERO, &ref);
    percpu_ref_exit(&ref);
    expect(0, 0, NULL);
}

int main(void)
{
    kref_set_violation_handler(remember, &told);
    a_life(0);
    a_life(PERCPU_REF_ALLOW_REINIT);
    a_life(PERCPU_REF_INIT_ATOMIC);
    the_killer_is_the_last();
    never_killed();
    modes();
    dead_from_the_start();
    shared_part_is_zero();
    never_initialised();
    misuse();
    misuse_of_life();
    too_many_puts();
    return 0;
}
