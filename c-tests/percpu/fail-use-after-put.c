/*
 * Breaks rule 2 with a percpu_ref: a thread puts its reference and uses the object, while another
 * thread kills the percpu_ref.
 *
 * caught by: asan: heap-use-after-free
 * caught by: tsan: ThreadSanitizer: heap-use-after-free
 */
#include "check.h"

struct object {
    struct percpu_ref ref;
    int number;
};

static int put, gone;

static void release(struct percpu_ref *ref)
{
    percpu_ref_exit(ref);
    free(ref); /* the object's first member */
}

static void *work(void *arg)
{
    struct object *object = arg;

    percpu_ref_put(&object->ref);
    /* Relaxed: the flag makes the wrong order happen, but must not order memory by itself. */
    __atomic_store_n(&put, 1, __ATOMIC_RELAXED);
    while (!__atomic_load_n(&gone, __ATOMIC_RELAXED))
        ;
    object->number++; /* after the put */
    return NULL;
}

int main(void)
{
    struct object *object = malloc(sizeof *object);
    pthread_t thread;

    CHECK(object && !percpu_ref_init(&object->ref, release, 0));
    object->number = 0;
    percpu_ref_get(&object->ref);
    start(&thread, work, object);
    while (!__atomic_load_n(&put, __ATOMIC_RELAXED))
        ;
    percpu_ref_kill(&object->ref);
    __atomic_store_n(&gone, 1, __ATOMIC_RELAXED);
    join(thread);
    return 0;
}
