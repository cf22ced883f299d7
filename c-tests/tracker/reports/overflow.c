/* Gets in a loop until the count overflows. A line at the end says
 * that, and `--summary` shows the holders. It is no error: the program may be
 * right. */
#include "../object.h"

static void poll_forever(struct object *object)
{
    int i;

    for (i = 0; i < 4000100; i++)
        kref_get_as(&object->kref, "poll");
}

int main(void)
{
    struct object *object = object_new();

    poll_forever(object);
    return 0;
}
