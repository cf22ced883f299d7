/*
 * Inline functions in a cold function, which the compiler puts into a section of its own. The
 * sequence's abort handler must not lie on the normal path there.
 */
#include "check.h"

static struct percpu_ref ref;
static struct percpu_ref_slot slot; /* zero is PERCPU_REF_SLOT_INIT */
static int released;

static void release(struct percpu_ref *percpu)
{
    percpu_ref_exit(percpu);
    released++;
}

__attribute__((cold, noinline)) static void use(void)
{
    percpu_ref_get(&ref);
    CHECK(percpu_ref_tryget(&ref));
    CHECK(percpu_ref_tryget_live(&ref));
    percpu_ref_put(&ref);
    CHECK(percpu_ref_slot_get(&slot) == &ref);
    percpu_ref_put_many(&ref, 3);
}

int main(void)
{
    CHECK(percpu_ref_init(&ref, release, 0) == 0);
    CHECK(percpu_ref_slot_replace(&slot, &ref) == NULL);
    use();
    CHECK(percpu_ref_slot_replace(&slot, NULL) == &ref);
    percpu_ref_kill(&ref);
    CHECK(released == 1);
    return 0;
}
