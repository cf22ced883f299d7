/*
 * A hand-over that fails: the error number is returned, the caller keeps the reference, and the
 * object lives on. The same while other threads use the object and put their references.
 *
 * tools: tsan
 */
#include "check.h"

#include <errno.h>

#define HOLDERS 3
#define ROUNDS 100

struct object {
    struct kref kref;
    int used_by[HOLDERS]; /* each holder writes its own element, without a lock */
};

struct holder {
    struct object *object;
    int number;
};

static pthread_attr_t impossible;
static int released;

static void release(struct kref *kref)
{
    struct object *object = kref_entry(kref, struct object, kref);
    int i;

    for (i = 0; i < HOLDERS; i++)
        CHECK(object->used_by[i] == ROUNDS);
    free(object);
    __atomic_fetch_add(&released, 1, __ATOMIC_RELAXED);
}

static void *never(void *arg)
{
    CHECK(!"the thread was started");
    return arg;
}

/* A queue that is always full. */
static int enqueue(struct kref *kref)
{
    (void)kref;
    return -1;
}

static void fail_to_hand_over(struct kref *kref)
{
    pthread_t thread;
    int error = kref_thread_create(&thread, &impossible, never, NULL, kref, release);

    CHECK(error == EAGAIN || error == EINVAL);
    kref_get(kref);
    if (enqueue(kref))
        CHECK(!kref_put(kref, release));
}

/* Uses the object, takes and puts references, and in the end puts the handed-over reference. */
static void *hold(void *arg)
{
    struct holder *holder = arg;
    struct kref *kref = &holder->object->kref;
    int i;

    for (i = 0; i < ROUNDS; i++) {
        kref_get(kref);
        holder->object->used_by[holder->number]++;
        CHECK(!kref_put(kref, release));
    }
    kref_put(kref, release);
    return NULL;
}

/* The object is released once, and not by a hand-over that failed. */
static void among_others(int before)
{
    struct object *object = calloc(1, sizeof *object);
    struct holder holders[HOLDERS];
    pthread_t threads[HOLDERS];
    int i;

    CHECK(object);
    kref_init(&object->kref);
    for (i = 0; i < HOLDERS; i++) {
        holders[i].object = object;
        holders[i].number = i;
        CHECK(!kref_thread_create(&threads[i], NULL, hold, &holders[i], &object->kref, release));
    }
    for (i = 0; i < 10; i++)
        fail_to_hand_over(&object->kref);
    CHECK(__atomic_load_n(&released, __ATOMIC_RELAXED) == before);
    kref_put(&object->kref, release);
    for (i = 0; i < HOLDERS; i++)
        join(threads[i]);
    CHECK(released == before + 1);
}

static void alone(void)
{
    struct kref kref = KREF_INIT(1);
    struct told told = { 0 };
    pthread_t thread;
    int error;

    fail_to_hand_over(&kref);
    CHECK(kref_read(&kref) == 1);

    /* The reference could not be taken, so none is put after the failure. */
    kref_set_violation_handler(remember, &told);
    kref_count_set(&kref.refcount, 0);
    error = kref_thread_create(&thread, &impossible, never, NULL, &kref, release);
    CHECK(error && told.times == 1 && told.last.kind == KREF_GET_ON_ZERO);
    kref_set_violation_handler(NULL, NULL);
}

int main(void)
{
    int round;

    /* The stack is larger than the address space, so pthread_create() must fail. */
    CHECK(!pthread_attr_init(&impossible));
    CHECK(!pthread_attr_setstacksize(&impossible, IMPOSSIBLE_STACK));
    alone();
    CHECK(!released);
    for (round = 0; round < 20; round++)
        among_others(round);
    pthread_attr_destroy(&impossible);
    return 0;
}
