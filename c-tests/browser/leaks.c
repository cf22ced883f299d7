/*
 * A page has to sort what this program leaks: 3, 20 and 100 references by three functions, whose names are in another
 * order than their numbers. And a put on a released object.
 */
#include "../tracker/object.h"

__attribute__((noinline)) static void pear(struct object *object)
{
    kref_get(&object->kref); /* HERE */
}

__attribute__((noinline)) static void apple(struct object *object)
{
    kref_get(&object->kref);
}

__attribute__((noinline)) static void quince(struct object *object)
{
    kref_get_as(&object->kref, "the market");
}

int main(void)
{
    struct object *object = object_new(), *gone = object_new();
    volatile int i; /* no loop is unrolled: each call stays one line */

    for (i = 0; i < 100; i++)
        pear(object);
    for (i = 0; i < 20; i++)
        apple(object);
    for (i = 0; i < 3; i++)
        quince(object);
    object_put(gone);
    object_put(gone);
    return 0;
}
