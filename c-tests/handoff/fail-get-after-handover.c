/*
 * Breaks rule 1: the reference is taken after the pointer was handed over. By then the new owner
 * may have put its reference; here it has.
 *
 * caught by: asan: heap-use-after-free
 * caught by: tsan: ThreadSanitizer: heap-use-after-free
 */
#include "check.h"

struct object {
    struct kref kref;
    int number;
};

static int handed_back;

static void release(struct kref *kref)
{
    free(kref_entry(kref, struct object, kref));
}

static void *work(void *arg)
{
    struct object *object = arg;

    object->number++;
    kref_put(&object->kref, release);
    /* Relaxed: the flag makes the wrong order happen, but must not order memory by itself. */
    __atomic_store_n(&handed_back, 1, __ATOMIC_RELAXED);
    return NULL;
}

int main(void)
{
    struct object *object = malloc(sizeof *object);
    pthread_t thread;

    CHECK(object);
    kref_init(&object->kref);
    object->number = 0;
    start(&thread, work, object); /* the thread takes over our reference */
    while (!__atomic_load_n(&handed_back, __ATOMIC_RELAXED))
        ;
    kref_get(&object->kref); /* too late */
    kref_put(&object->kref, release);
    join(thread);
    return 0;
}
