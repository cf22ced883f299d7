/*
 * kref_put_lock(): the last put takes the spin lock, and release unlocks it.
 *
 * tools: tsan
 */
#include "check.h"

#define THREADS 2
#define ROUNDS 500

struct object {
    struct kref kref;
    int by_thread[THREADS];
};

static pthread_spinlock_t lock;
static struct object *published;
static int released;

static void release(struct kref *kref)
{
    struct object *object = kref_entry(kref, struct object, kref);

    CHECK(pthread_spin_trylock(&lock) != 0);
    CHECK(published == object && object->by_thread[0] == 1 && object->by_thread[1] == 1);
    published = NULL;
    released++;
    CHECK(!pthread_spin_unlock(&lock));
    free(object);
}

static void *work(void *arg)
{
    int number = *(int *)arg;
    struct object *object = published;

    object->by_thread[number] = 1;
    kref_put_lock(&object->kref, release, &lock);
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    int numbers[THREADS] = { 0, 1 }, round, i;

    CHECK(!pthread_spin_init(&lock, PTHREAD_PROCESS_PRIVATE));
    for (round = 0; round < ROUNDS; round++) {
        published = calloc(1, sizeof *published);
        CHECK(published);
        kref_count_set(&published->kref.refcount, THREADS);
        for (i = 0; i < THREADS; i++)
            start(&threads[i], work, &numbers[i]);
        for (i = 0; i < THREADS; i++)
            join(threads[i]);
        CHECK(!published && released == round + 1);
    }
    pthread_spin_destroy(&lock);
    return 0;
}
