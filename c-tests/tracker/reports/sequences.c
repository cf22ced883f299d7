/* Publishes an object in a slot, gets it, and prints whether this thread has restartable sequences. */
#include "check.h"

static struct kref_slot slot = KREF_SLOT_INIT;

static void release(struct kref *kref)
{
    (void)kref;
}

int main(void)
{
    struct kref kref;
    struct kref *taken;

    kref_init(&kref);
    CHECK(!kref_slot_replace(&slot, &kref));
    taken = kref_slot_get(&slot);
    CHECK(taken == &kref);
    CHECK(!kref_put(taken, release));
    CHECK(kref_slot_replace(&slot, NULL) == &kref);
    CHECK(kref_put(&kref, release));
    printf("sequences: %d\n", kref_rseq_available());
    return 0;
}
