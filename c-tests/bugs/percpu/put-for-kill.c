/*
 * A table of routes is published in a slot, and its successor takes its place. The old table is
 * put, as an object with a kref would be. The initial reference of a percpu_ref must be given back
 * by percpu_ref_kill(): after a put the counters are still in use, so no put is the last one. Seen
 * where a kref was replaced by a percpu_ref.
 *
 * found by: put-of-initial
 */
#include "check.h"

struct routes {
    struct percpu_ref ref;
    int generation;
};

static struct percpu_ref_slot current = PERCPU_REF_SLOT_INIT;

static void routes_release(struct percpu_ref *ref)
{
    percpu_ref_exit(ref);
    free(ref);
}

static struct percpu_ref *routes_new(int generation)
{
    struct routes *routes = calloc(1, sizeof *routes);

    CHECK(routes);
    CHECK(percpu_ref_init(&routes->ref, routes_release, 0) == 0);
    routes->generation = generation;
    return &routes->ref;
}

static void publish(struct percpu_ref *next)
{
    struct percpu_ref *old = percpu_ref_slot_replace(&current, next);

    if (!old)
        return;
#ifdef RIGHT
    percpu_ref_kill(old); /* FIX */
#else
    percpu_ref_put(old); /* BLAME */
#endif
}

static void look_up(void)
{
    struct percpu_ref *routes = percpu_ref_slot_get(&current);

    CHECK(routes);
    percpu_ref_put(routes);
}

int main(void)
{
    publish(routes_new(1));
    look_up();
    publish(routes_new(2));
    look_up();
    percpu_ref_kill(percpu_ref_slot_replace(&current, NULL));
    return 0;
}
