/*
 * kref_put_mutex() calls the release function with the mutex held, and one of its ways out forgets to
 * unlock it. The next user waits for ever. Seen with singletons. The report has the put: the way out
 * makes no call that is recorded.
 *
 * found by: stuck
 */
#include "check.h"

struct accessor {
    int sessions;
    struct kref kref;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct accessor *instance;

static void accessor_release(struct kref *kref)
{
    struct accessor *accessor = kref_entry(kref, struct accessor, kref);

    instance = NULL;
    if (accessor->sessions == 0) {
#ifdef RIGHT
        pthread_mutex_unlock(&lock); /* FIX */
#endif
        free(accessor);
        return;
    }
    pthread_mutex_unlock(&lock);
    free(accessor);
}

static struct accessor *accessor_get(void)
{
    pthread_mutex_lock(&lock);
    if (instance) {
        kref_get(&instance->kref);
    } else {
        instance = calloc(1, sizeof *instance);
        CHECK(instance);
        kref_init(&instance->kref);
    }
    pthread_mutex_unlock(&lock);
    return instance;
}

int main(void)
{
#ifndef RIGHT
    alarm(4);
#endif
    for (int i = 0; i < 3; i++) {
        struct accessor *accessor = accessor_get();

        kref_put_mutex(&accessor->kref, accessor_release, &lock); /* BLAME */
    }
    return 0;
}
