/* Objects with up to five references each, all of which are given back. */
#include "../object.h"

__attribute__((noinline)) static void collect(struct object *object)
{
    kref_get(&object->kref);
}

int main(void)
{
    int round, reference;

    for (round = 0; round < 3; round++) {
        struct object *object = object_new();

        for (reference = 2; reference <= 5; reference++)
            collect(object);
        for (reference = 1; reference <= 5; reference++)
            object_put(object);
    }
    return 0;
}
