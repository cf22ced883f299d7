/* Gives a reference back with a release function of a plugin (the first argument), and unloads the plugin. No function of
   the plugin ever runs. Another reference is leaked. */
#include "../object.h"
#include <dlfcn.h>

int main(int argc, char **argv)
{
    struct object *object = object_new();
    void *plugin = dlopen(argc > 1 ? argv[1] : "", RTLD_NOW);
    void (*release)(struct kref *);

    CHECK(plugin);
    *(void **)&release = dlsym(plugin, "plugin_release");
    CHECK(release);
    kref_get(&object->kref);
    kref_put(&object->kref, release);
    CHECK(dlclose(plugin) == 0);
    return 0;
}
