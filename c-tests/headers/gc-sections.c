/*
 * Two functions that nobody calls. The linker must drop them: what the inline functions keep out of line is in
 * the function's own section, or in a section of its own for each place.
 */
#include <kref.h>

int dead_kref(struct kref *kref);
void dead_percpu(struct percpu_ref *ref);

static void release(struct kref *kref)
{
    (void)kref;
}

int dead_kref(struct kref *kref)
{
    kref_get(kref);
    return kref_put(kref, release);
}

void dead_percpu(struct percpu_ref *ref)
{
    percpu_ref_put(ref);
}

int main(void)
{
    static struct percpu_ref ref;
    struct kref kref = KREF_INIT(1);

    percpu_ref_get(&ref);
    return !kref_put(&kref, release);
}
