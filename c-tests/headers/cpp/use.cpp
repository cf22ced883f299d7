// Uses libkref from C++: inline functions, exported functions, and the kernel's names.
#include <kref.h>
#include <linux/percpu-refcount.h>

#include "hot.hpp"

#include <stdlib.h>

struct object {
    int before;
    struct kref kref;
};

static int released;
static struct kref_slot slot = KREF_SLOT_INIT;
static struct kref fixed = KREF_INIT(2);
static refcount_t users = REFCOUNT_INIT(1);

static void release(struct kref *kref)
{
    released++;
    free(kref_entry(kref, object, kref));
}

bool touch_elsewhere(percpu_ref *ref, percpu_ref_slot *slot);

static void hot_release(percpu_ref *ref)
{
    percpu_ref_exit(ref);
    released += 10;
}

static bool hot_objects()
{
    percpu_ref ref;
    percpu_ref_slot hot = PERCPU_REF_SLOT_INIT;

    if (percpu_ref_init(&ref, hot_release, 0, GFP_KERNEL) || percpu_ref_slot_replace(&hot, &ref))
        return false;
    if (!touch(&ref) || !touch_elsewhere(&ref, &hot) || look(&hot) != &ref)
        return false;
    percpu_ref_put(&ref);
    if (percpu_ref_slot_replace(&hot, NULL) != &ref)
        return false;
    percpu_ref_kill(&ref);
    return released == 10 && percpu_ref_is_zero(&ref);
}

int main()
{
    if (!hot_objects())
        return 7;
    released = 0;
    object *o = static_cast<object *>(calloc(1, sizeof(object)));
    void (*get)(struct kref *) = kref_get; // the exported function

    kref_init(&o->kref);
    kref_get(&o->kref);
    get(&o->kref);
    if (kref_slot_replace(&slot, &o->kref))
        return 1;
    struct kref *found = kref_slot_get(&slot);
    if (kref_entry(found, object, kref) != o || container_of(found, object, kref) != o)
        return 2;
    if (kref_read(found) != 4 || !kref_get_unless_zero(found) || kref_read(&fixed) != 2)
        return 3;
    for (int i = 0; i < 4; i++)
        if (kref_put(&o->kref, release))
            return 4;
    refcount_inc(&users);
    if (refcount_dec_and_test(&users) || !refcount_dec_and_test(&users))
        return 5;
    return kref_put(&o->kref, release) && released == 1 ? 0 : 6;
}
