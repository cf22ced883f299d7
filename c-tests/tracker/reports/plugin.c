/* A library that is loaded later, and unloaded before its leak is told. */
#include "../object.h"

void plugin_hold(struct kref *kref)
{
    kref_get(kref);
}
