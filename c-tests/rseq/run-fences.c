/*
 * Counts the calls of membarrier() of each operation.
 *
 * tools: static
 */
#include "check.h"
#include "fence.h"

static int released;

static void release(struct kref *kref)
{
    (void)kref;
    released++;
}

static void release_percpu(struct percpu_ref *ref)
{
    percpu_ref_exit(ref);
    released++;
}

/* Without restartable sequences no fence is needed. */
static void costs(unsigned long fences)
{
    CHECK(fenced == (kref_rseq_available() ? fences : 0));
    fenced = 0;
}

static void slots(void)
{
    struct kref_slot slot = KREF_SLOT_INIT;
    struct kref a, b;

    kref_init(&a);
    kref_init(&b);
    CHECK(kref_slot_replace(&slot, NULL) == NULL);
    costs(0);
    CHECK(kref_slot_replace(&slot, &a) == NULL);
    costs(0);
    CHECK(kref_slot_get(&slot) == &a);
    costs(0);
    CHECK(kref_slot_replace(&slot, &b) == &a);
    costs(1);
    CHECK(kref_slot_replace(&slot, NULL) == &b);
    costs(1);
    kref_put(&a, release);
    kref_put(&a, release);
    kref_put(&b, release);
    CHECK(released == 2);
}

static void percpu_slots(void)
{
    struct percpu_ref_slot slot = PERCPU_REF_SLOT_INIT;
    struct percpu_ref a, b;

    CHECK(percpu_ref_init(&a, release_percpu, 0) == 0);
    CHECK(percpu_ref_init(&b, release_percpu, PERCPU_REF_INIT_ATOMIC) == 0);
    CHECK(percpu_ref_slot_replace(&slot, NULL) == NULL);
    CHECK(percpu_ref_slot_replace(&slot, &a) == NULL);
    CHECK(percpu_ref_slot_get(&slot) == &a);
    percpu_ref_put(&a);
    costs(0);
    CHECK(percpu_ref_slot_replace(&slot, &b) == &a);
    costs(1);
    CHECK(percpu_ref_slot_replace(&slot, NULL) == &b);
    costs(1);
    percpu_ref_kill(&a);
    costs(1);
    percpu_ref_kill(&b); /* its count was always atomic */
    costs(0);
    CHECK(released == 4);
}

static void modes(void)
{
    struct percpu_ref ref;

    CHECK(percpu_ref_init(&ref, release_percpu, PERCPU_REF_ALLOW_REINIT) == 0);
    percpu_ref_get(&ref);
    CHECK(percpu_ref_tryget(&ref));
    CHECK(percpu_ref_tryget_live(&ref));
    percpu_ref_put_many(&ref, 3);
    costs(0);
    percpu_ref_switch_to_atomic_sync(&ref);
    costs(1);
    percpu_ref_switch_to_atomic(&ref, NULL); /* it is atomic already */
    percpu_ref_switch_to_percpu(&ref);
    costs(0);
    percpu_ref_get(&ref);
    percpu_ref_kill(&ref);
    costs(1);
    percpu_ref_resurrect(&ref);
    percpu_ref_put(&ref);
    costs(0);
    percpu_ref_switch_to_atomic_sync(&ref);
    costs(1);
    percpu_ref_kill(&ref);
    costs(0);
    CHECK(released == 5);

    CHECK(percpu_ref_init(&ref, release_percpu, 0) == 0);
    percpu_ref_exit(&ref); /* must add up the counters of all CPUs */
    costs(1);
}

int main(void)
{
    slots();
    percpu_slots();
    modes();
    return 0;
}
