/*
 * The memory of a pool begins with a page, so a pool cannot give objects a larger alignment.
 *
 * says: negative
 */
#include "../harness/check.h"

#ifdef WRONG
#define ALIGNMENT 8192
#else
#define ALIGNMENT 4096
#endif

struct object {
    struct kref kref;
    char buffer[10] __attribute__((aligned(ALIGNMENT)));
};

static void object_cleanup(struct object *object)
{
    (void)object;
}

KREF_POOL_DEFINE(object, struct object, kref, object_cleanup);

int main(void)
{
    return 0;
}
