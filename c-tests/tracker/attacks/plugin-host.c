/* A plugin takes a reference under a name of its own, and is unloaded. A put has to be matched with this get. */
#include "../object.h"
#include <dlfcn.h>

int main(int argc, char **argv)
{
    struct object *object = object_new();
    void *plugin;
    void (*hold)(struct kref *);

    CHECK(argc == 2);
    plugin = dlopen(argv[1], RTLD_NOW);
    CHECK(plugin);
    *(void **)&hold = dlsym(plugin, "plugin_hold");
    hold(&object->kref);
    kref_get_as(&object->kref, "cache");
    CHECK(dlclose(plugin) == 0);
    kref_put_as(&object->kref, object_release, "cache");
    object_put(object);
    return 0;
}
