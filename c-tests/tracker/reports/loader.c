/* Loads the plugin (the first argument), lets it take a reference, and unloads it. */
#include "../object.h"
#include <dlfcn.h>

int main(int argc, char **argv)
{
    struct object *object = object_new();
    void *plugin = dlopen(argc > 1 ? argv[1] : "", RTLD_NOW);
    void (*hold)(struct kref *);

    CHECK(plugin);
    *(void **)&hold = dlsym(plugin, "plugin_hold");
    CHECK(hold);
    hold(&object->kref);
    CHECK(dlclose(plugin) == 0);
    object_put(object);
    return 0;
}
