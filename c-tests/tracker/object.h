/* The counted object of the programs that kref-track runs. */
#ifndef OBJECT_H
#define OBJECT_H

#include "check.h"

struct object {
    char name[16];
    struct kref kref;
};

__attribute__((unused)) static void object_release(struct kref *kref)
{
    free(kref_entry(kref, struct object, kref));
}

__attribute__((unused)) static struct object *object_new(void)
{
    struct object *object = (struct object *)calloc(1, sizeof *object);

    CHECK(object);
    kref_init(&object->kref);
    return object;
}

__attribute__((unused)) static void object_put(struct object *object)
{
    kref_put(&object->kref, object_release);
}

#endif
