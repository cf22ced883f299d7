/*
 * Each way out of a sequence clears the area's pointer to the descriptor. Otherwise the kernel reads the
 * descriptor at the thread's next preemption, which may be after the library was unloaded.
 */
#include "rseq.h"

static void release(struct kref *kref)
{
    (void)kref;
}

static void release_percpu(struct percpu_ref *ref)
{
    percpu_ref_exit(ref);
}

#ifdef HAS_RSEQ

/* The pointer to the descriptor, behind the two CPU numbers. */
static void has_left(void)
{
    CHECK(*(volatile unsigned long *)(rseq_area() + 8) == 0);
}

#else

static void has_left(void)
{
}

#endif

/* The kernel clears the pointer, too, when it preempts the thread. So once would not be enough. */
#define TIMES 1000

int main(void)
{
    static struct kref_slot slot = KREF_SLOT_INIT, empty = KREF_SLOT_INIT;
    static struct percpu_ref_slot percpu_slot = PERCPU_REF_SLOT_INIT, percpu_empty = PERCPU_REF_SLOT_INIT;
    static struct kref kref;
    static struct percpu_ref ref;
    int i;

    if (!kref_rseq_available())
        return 0;
    kref_init(&kref);
    CHECK(!percpu_ref_init(&ref, release_percpu, PERCPU_REF_ALLOW_REINIT));
    CHECK(!kref_slot_replace(&slot, &kref) && !percpu_ref_slot_replace(&percpu_slot, &ref));
    CHECK(!kref_slot_replace(&empty, NULL) && !percpu_ref_slot_replace(&percpu_empty, NULL));
    for (i = 0; i < TIMES; i++) {
        CHECK(kref_slot_get(&slot) == &kref);
        has_left();
        kref_put(&kref, release);
        CHECK(!kref_slot_get(&empty));
        has_left();
        CHECK(percpu_ref_slot_get(&percpu_slot) == &ref);
        has_left();
        CHECK(!percpu_ref_slot_get(&percpu_empty));
        has_left();
        percpu_ref_put(&ref);
        has_left();
        percpu_ref_get(&ref);
        has_left();
        percpu_ref_put(&ref);
    }
    percpu_ref_switch_to_atomic_sync(&ref); /* each sequence gives up */
    for (i = 0; i < TIMES; i++) {
        percpu_ref_get(&ref);
        has_left();
        CHECK(percpu_ref_slot_get(&percpu_slot) == &ref);
        has_left();
        percpu_ref_put_many(&ref, 2);
        has_left();
    }
    if (kref_slot_replace(&slot, NULL))
        kref_put(&kref, release);
    if (percpu_ref_slot_replace(&percpu_slot, NULL))
        percpu_ref_kill(&ref);
    return 0;
}
