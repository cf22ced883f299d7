/*
 * Rule 1 broken: the reference is taken after the pointer was handed on. The new owner may be done
 * by then; here it is made to be.
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
    /* Relaxed: it makes the bad order happen, and gives the program no order that it has not. */
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
    start(&thread, work, object); /* the thread puts the reference that we had */
    while (!__atomic_load_n(&handed_back, __ATOMIC_RELAXED))
        ;
    kref_get(&object->kref); /* too late */
    kref_put(&object->kref, release);
    join(thread);
    return 0;
}
