/*
 * Rule 1 with pthread_create(): each holder writes its own field before its put, without a lock,
 * and the release function reads all fields. ThreadSanitizer reports nothing only if each put
 * happens before the release.
 *
 * tools: tsan
 */
#include "check.h"

#define THREADS 4
#define ROUNDS 100

struct object {
    struct kref kref;
    int by_creator;
    int by_thread[THREADS];
};

struct errand {
    struct object *object;
    int number;
};

static int released;

static void release(struct kref *kref)
{
    struct object *object = kref_entry(kref, struct object, kref);
    int i, sum = 0;

    for (i = 0; i < THREADS; i++)
        sum += object->by_thread[i];
    CHECK(sum == THREADS && object->by_creator == 2);
    __atomic_fetch_add(&released, 1, __ATOMIC_RELAXED);
    free(object);
}

static void *work(void *arg)
{
    struct errand *errand = arg;
    struct object *object = errand->object;

    object->by_thread[errand->number] = 1;
    kref_put(&object->kref, release);
    return NULL;
}

int main(void)
{
    struct errand errands[THREADS];
    pthread_t threads[THREADS];
    int round, i;

    for (round = 0; round < ROUNDS; round++) {
        struct object *object = calloc(1, sizeof *object);

        CHECK(object);
        kref_init(&object->kref);
        object->by_creator = 1;
        for (i = 0; i < THREADS; i++) {
            errands[i].object = object;
            errands[i].number = i;
            if (i % 2) {
                kref_get(&object->kref); /* before the hand-over */
                start(&threads[i], work, &errands[i]);
            } else {
                CHECK(!kref_thread_create(&threads[i], NULL, work, &errands[i], &object->kref,
                                          release));
            }
        }
        object->by_creator = 2;
        kref_put(&object->kref, release);
        for (i = 0; i < THREADS; i++)
            join(threads[i]);
    }
    CHECK(released == ROUNDS);
    return 0;
}
