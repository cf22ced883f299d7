/*
 * Breaks rule 3: the object is found under the lock, but the reference is taken after the unlock.
 * The last put may come between the two; here it does.
 *
 * caught by: asan: heap-use-after-free
 * caught by: tsan: ThreadSanitizer: heap-use-after-free
 */
#include "check.h"

static struct kref *table;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int found, taken_out;

static void release(struct kref *kref)
{
    free(kref);
}

static void *take_out(void *unused)
{
    struct kref *kref;

    (void)unused;
    while (!__atomic_load_n(&found, __ATOMIC_RELAXED))
        ;
    pthread_mutex_lock(&lock);
    kref = table;
    table = NULL;
    pthread_mutex_unlock(&lock);
    kref_put(kref, release);
    __atomic_store_n(&taken_out, 1, __ATOMIC_RELAXED);
    return NULL;
}

int main(void)
{
    struct kref *kref;
    pthread_t thread;

    table = malloc(sizeof *table);
    CHECK(table);
    kref_init(table);
    start(&thread, take_out, NULL);

    pthread_mutex_lock(&lock);
    kref = table;
    pthread_mutex_unlock(&lock);
    __atomic_store_n(&found, 1, __ATOMIC_RELAXED);
    while (!__atomic_load_n(&taken_out, __ATOMIC_RELAXED))
        ;
    kref_get(kref); /* of freed memory */
    kref_put(kref, release);
    join(thread);
    return 0;
}
