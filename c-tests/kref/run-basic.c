/*
 * One thread: get and put change the count, the last put releases, kref_entry() finds the object.
 */
#include "check.h"

struct object {
    char before[3];
    struct kref kref;
    int number;
};

static int released;

static void release(struct kref *kref)
{
    struct object *object = kref_entry(kref, struct object, kref);

    CHECK(object->number == 42);
    released++;
    free(object);
}

static struct kref fixed = KREF_INIT(3);
static struct kref_slot empty = KREF_SLOT_INIT;

int main(void)
{
    struct object *object = malloc(sizeof *object);
    const struct kref *const_kref;
    struct kref_slot slot;

    CHECK(object);
    object->number = 42;
    kref_init(&object->kref);
    CHECK(kref_read(&object->kref) == 1 && !kref_is_tracked(&object->kref));
    kref_get(&object->kref);
    CHECK(kref_read(&object->kref) == 2);
    CHECK(kref_get_unless_zero(&object->kref));
    CHECK(kref_read(&object->kref) == 3);
    CHECK(!kref_put(&object->kref, release));
    CHECK(!kref_put(&object->kref, release) && released == 0);

    /* A slot that kref_slot_init() initialised, and one with KREF_SLOT_INIT. */
    memset(&slot, 0xa5, sizeof slot);
    kref_slot_init(&slot);
    CHECK(!kref_slot_get(&slot) && !kref_slot_get(&empty));
    kref_get(&object->kref);
    CHECK(!kref_slot_replace(&slot, &object->kref));
    CHECK(kref_slot_get(&slot) == &object->kref && kref_read(&object->kref) == 3);
    CHECK(!kref_put(&object->kref, release));
    CHECK(kref_slot_replace(&slot, NULL) == &object->kref && !kref_slot_get(&slot));
    CHECK(!kref_put(&object->kref, release) && released == 0);

    const_kref = &object->kref;
    CHECK(kref_entry(const_kref, const struct object, kref) == object);
    CHECK(kref_put(&object->kref, release) && released == 1);

    CHECK(kref_read(&fixed) == 3);
    CHECK(kref_entry((struct kref *)NULL, struct object, kref) == NULL);
    return 0;
}
