/*
 * A get on memory that is filled with 0x2a. No kref_init() was called, but to libkref the bytes look like a
 * tracked count.
 */
#include "../object.h"

int main(void)
{
    struct object *object = object_new(), wrong;

    memset(&wrong, 0x2a, sizeof wrong);
    kref_get(&wrong.kref); /* HERE */
    kref_get(&object->kref);
    kref_put(&object->kref, object_release);
    kref_put(&object->kref, object_release);
    return 0;
}
