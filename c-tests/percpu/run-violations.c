/*
 * A misuse of a percpu_ref is reported with an address in the function that misused it. For the
 * functions on a kref see violations/run-misuse-of-each-function.c.
 */
#include "misuse.h"

static struct percpu_ref ref, other;
static struct percpu_ref_slot slot;
static struct told told;
static int sink;

static void release(struct percpu_ref *released)
{
    (void)released;
}

OPERATION(get, percpu_ref_get(&ref))
OPERATION(get_many, percpu_ref_get_many(&ref, 3))
OPERATION(put, percpu_ref_put(&ref))
OPERATION(put_many, percpu_ref_put_many(&ref, 3))
OPERATION(tryget, sink = percpu_ref_tryget(&ref))
OPERATION(tryget_many, sink = percpu_ref_tryget_many(&ref, 3))
OPERATION(kill_it, percpu_ref_kill(&ref))
OPERATION(kill_and_confirm, percpu_ref_kill_and_confirm(&ref, release))
OPERATION(exit_it, percpu_ref_exit(&ref))
OPERATION(slot_get, sink = !percpu_ref_slot_get(&slot))
OPERATION(resurrect, percpu_ref_resurrect(&other))
OPERATION(reinit, percpu_ref_reinit(&other))
OPERATION(switch_to_percpu, percpu_ref_switch_to_percpu(&other))

static void check(const char *name, void (*misuse)(void), int kind, const void *whose)
{
    told.times = 0;
    misuse();
    if (told.times != 1 || (int)told.last.kind != kind || told.last.kref != whose ||
        !is_in(told.last.caller, misuse)) {
        fprintf(stderr, "%s: told %d times, kind %d, ref %p, caller %p (ref %p, in %#zx)\n", name,
                told.times, told.last.kind, told.last.kref, told.last.caller, whose,
                (size_t)misuse);
        exit(1);
    }
}

int main(void)
{
    kref_set_violation_handler(remember, &told);
    CHECK(!percpu_ref_init(&ref, release, 0) && !percpu_ref_init(&other, release, 0));
    if (percpu_ref_slot_replace(&slot, &ref))
        return 1;

    check("resurrect", resurrect, KREF_BAD_REINIT, &other);
    check("reinit", reinit, KREF_BAD_REINIT, &other);
    percpu_ref_switch_to_atomic_sync(&other);
    check("switch_to_percpu", switch_to_percpu, KREF_BAD_REINIT, &other);

    percpu_ref_kill(&ref);
    check("kill", kill_it, KREF_KILLED_TWICE, &ref);
    check("kill_and_confirm", kill_and_confirm, KREF_KILLED_TWICE, &ref);
    check("slot_get", slot_get, KREF_GET_ON_ZERO, &ref);
    CHECK(sink == 1); /* NULL was returned */
    check("get", get, KREF_USE_OF_SATURATED, &ref);
    check("get_many", get_many, KREF_USE_OF_SATURATED, &ref);
    check("put", put, KREF_USE_OF_SATURATED, &ref);
    check("put_many", put_many, KREF_USE_OF_SATURATED, &ref);
    check("tryget", tryget, KREF_USE_OF_SATURATED, &ref);
    check("tryget_many", tryget_many, KREF_USE_OF_SATURATED, &ref);
    check("exit", exit_it, KREF_EXIT_WHILE_ALIVE, &ref);
    percpu_ref_exit(&other);
    return 0;
}
