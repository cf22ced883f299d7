/*
 * Two owners of one reference: both put it.
 *
 * caught by: asan: heap-use-after-free
 */
#include "check.h"

static void release(struct kref *kref)
{
    free(kref);
}

int main(void)
{
    struct kref *kref = malloc(sizeof *kref);

    CHECK(kref);
    kref_init(kref);
    kref_put(kref, release);
    kref_put(kref, release);
    return 0;
}
