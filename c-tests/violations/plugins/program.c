/* Loads each plugin that an argument names, calls misuse() of it, and unloads it. */
#define _GNU_SOURCE
#include "check.h"

#include <dlfcn.h>

int main(int argc, char **argv)
{
    void *place = NULL;

    kref_set_violation_handler(NULL, NULL); /* libkref is the program's: it stays loaded */
    CHECK(dlsym(RTLD_DEFAULT, "_dl_find_object") || !puts("no _dl_find_object"));
    for (int n = 1; n < argc; n++) {
        struct kref released = KREF_INIT(0);
        void *plugin = dlopen(argv[n], RTLD_NOW), *misuse = plugin ? dlsym(plugin, "misuse") : NULL;

        /* Of one size, the plugins get one address in turn. */
        CHECK(misuse && (!place || misuse == place));
        place = misuse;
        ((void (*)(struct kref *))misuse)(&released);
        CHECK(!dlclose(plugin) && !dlopen(argv[n], RTLD_NOW | RTLD_NOLOAD));
    }
    return 0;
}
