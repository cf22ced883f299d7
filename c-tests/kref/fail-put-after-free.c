/*
 * One reference with two owners: each of them puts it.
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
