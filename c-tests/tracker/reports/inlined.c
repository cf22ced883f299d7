/* A leak in a function that the compiler inlines into main(). */
#include "../object.h"

static inline __attribute__((always_inline)) void keep(struct object *object)
{
    kref_get(&object->kref); /* HERE */
}

int main(void)
{
    struct object *object = object_new();

    keep(object);
    object_put(object);
    return 0;
}
