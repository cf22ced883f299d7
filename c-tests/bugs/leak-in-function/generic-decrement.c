/*
 * A macro decrements the count of any type and calls the function that frees it, so kref-track never
 * learns of a release function. Two types are counted so. The first configuration is put once too
 * seldom. Seen in libraries with one reference count for all objects.
 *
 * found by: leak
 */
#include "check.h"

#define PUT(object, free_function)                                                                 \
    do {                                                                                           \
        if (kref_count_dec_and_test(&(object)->kref.refcount))                                     \
            free_function(object);                                                                 \
    } while (0)

struct config {
    int value;
    struct kref kref;
};

struct index {
    int value;
    struct kref kref;
};

static struct config *config_new(void)
{
    struct config *config = calloc(1, sizeof *config);

    CHECK(config);
    kref_init(&config->kref); /* BLAME */
    return config;
}

static struct index *index_new(void)
{
    struct index *index = calloc(1, sizeof *index);

    CHECK(index);
    kref_init(&index->kref);
    return index;
}

int main(void)
{
    for (int i = 0; i < 4; i++) {
        struct config *config = config_new();
        struct index *index = index_new();

        kref_get(&config->kref);
        PUT(index, free);
        PUT(config, free);
#ifndef RIGHT
        if (i == 0)
            continue;
#endif
        PUT(config, free); /* LEFT OUT */
    }
    return 0;
}
