/*
 * The home-made header: a put that releases, and a last put that does not acquire. The release
 * function may free what another holder still writes to. This is what ThreadSanitizer says of it.
 *
 * caught by: tsan: ThreadSanitizer: data race
 */
#include "check.h"

struct object {
    int count;
    int by_thread;
};

static int put_once;

static int bad_put(struct object *object)
{
    return __atomic_fetch_sub(&object->count, 1, __ATOMIC_RELEASE) == 1;
}

static void *work(void *arg)
{
    struct object *object = arg;

    object->by_thread = 1;
    if (bad_put(object))
        free(object);
    __atomic_store_n(&put_once, 1, __ATOMIC_RELAXED);
    return NULL;
}

int main(void)
{
    struct object *object = calloc(1, sizeof *object);
    pthread_t thread;

    CHECK(object);
    object->count = 2;
    start(&thread, work, object);
    while (!__atomic_load_n(&put_once, __ATOMIC_RELAXED))
        ;
    if (bad_put(object))
        free(object);
    join(thread);
    return 0;
}
