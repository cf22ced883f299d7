/*
 * Breaks rule 2: a thread puts its reference and uses the object, while another thread puts the
 * last one.
 *
 * caught by: asan: heap-use-after-free
 * caught by: tsan: ThreadSanitizer: heap-use-after-free
 */
#include "check.h"

struct object {
    struct kref kref;
    int number;
};

static int gone;

static void release(struct kref *kref)
{
    free(kref_entry(kref, struct object, kref));
}

static void *work(void *arg)
{
    struct object *object = arg;

    while (kref_read(&object->kref) > 1)
        ;
    kref_put(&object->kref, release);
    __atomic_store_n(&gone, 1, __ATOMIC_RELAXED);
    return NULL;
}

int main(void)
{
    struct object *object = malloc(sizeof *object);
    pthread_t thread;

    CHECK(object);
    kref_init(&object->kref);
    object->number = 0;
    CHECK(!kref_thread_create(&thread, NULL, work, object, &object->kref, release));
    kref_put(&object->kref, release);
    while (!__atomic_load_n(&gone, __ATOMIC_RELAXED))
        ;
    object->number++; /* after the put */
    join(thread);
    return 0;
}
