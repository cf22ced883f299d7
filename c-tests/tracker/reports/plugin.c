/* A library that is unloaded before its leak is reported. */
#include "../object.h"

void plugin_hold(struct kref *kref)
{
    kref_get(kref);
}

void plugin_release(struct kref *kref)
{
    object_release(kref);
}
