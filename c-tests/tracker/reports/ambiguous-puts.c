/* Two functions take references, and main() puts one of them: no report can tell which. */
#include "../object.h"

static void take(struct object *object)
{
    kref_get(&object->kref);
}

static void keep(struct object *object)
{
    kref_get(&object->kref);
}

int main(void)
{
    struct object *object = object_new();

    take(object);
    keep(object);
    object_put(object);
    object_put(object);
    return 0;
}
