/* 64 threads use one shared object, and objects of their own, whose release puts the shared one. */
#include "../object.h"

#define THREADS 64
#ifndef ROUNDS /* ci/boot/build.sh has a number of its own */
#define ROUNDS 500
#endif

struct pair {
    struct kref kref;
    struct object *first, *second;
};

static struct object *shared;

static void pair_release(struct kref *kref)
{
    struct pair *pair = kref_entry(kref, struct pair, kref);

    kref_get(&pair->first->kref); /* a release function may take references on other objects */
    object_put(pair->second);
    object_put(pair->first);
    object_put(pair->first);
    free(pair);
}

static void *work(void *unused)
{
    int i;

    for (i = 0; i < ROUNDS; i++) {
        struct pair *pair = calloc(1, sizeof *pair);

        CHECK(pair);
        kref_init(&pair->kref);
        pair->first = object_new();
        pair->second = shared;
        kref_get(&shared->kref);
        kref_put(&pair->kref, pair_release);
    }
    return unused;
}

int main(void)
{
    pthread_t threads[THREADS];
    int i, round;

    shared = object_new();
    for (round = 0; round < 2; round++) {
        for (i = 0; i < THREADS; i++)
            start(&threads[i], work, NULL);
        for (i = 0; i < THREADS; i++)
            join(threads[i]);
    }
    object_put(shared);
    return 0;
}
