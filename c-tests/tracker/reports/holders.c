/* Two named holders, of which the index leaks. With so many objects the report has a tree. */
#include "../object.h"

__attribute__((noinline)) static void serve(struct object *object, int forget)
{
    kref_get_as(&object->kref, "cache");
    kref_get_as(&object->kref, "index");
    kref_put_as(&object->kref, object_release, "cache");
    if (!forget)
        kref_put_as(&object->kref, object_release, "index");
}

int main(void)
{
    int i;

    for (i = 0; i < 20; i++) {
        struct object *object = object_new();

        serve(object, i % 4 != 3);
        object_put(object);
    }
    return 0;
}
