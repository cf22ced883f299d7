/*
 * A hand-over that fails: the reference comes back, the object lives on, the error number is told.
 *
 * tools: tsan
 */
#include "check.h"

#include <errno.h>

static int released;

static void release(struct kref *kref)
{
    (void)kref;
    released++;
}

static void *never(void *arg)
{
    CHECK(!"the thread was started");
    return arg;
}

/* A queue that takes nothing. */
static int enqueue(struct kref *kref)
{
    (void)kref;
    return -1;
}

int main(void)
{
    struct kref kref;
    struct told told = { 0 };
    pthread_attr_t attr;
    pthread_t thread;
    int error;

    kref_set_violation_handler(remember, &told);
    kref_init(&kref);

    /* More stack than there are addresses: pthread_create must refuse. */
    CHECK(!pthread_attr_init(&attr));
    CHECK(!pthread_attr_setstacksize(&attr, (size_t)1 << 60));
    error = kref_thread_create(&thread, &attr, never, NULL, &kref, release);
    CHECK(error == EAGAIN || error == EINVAL);
    CHECK(kref_read(&kref) == 1 && !released);

    kref_get(&kref);
    if (enqueue(&kref))
        CHECK(!kref_put(&kref, release));
    CHECK(kref_read(&kref) == 1 && !released);

    /* Nothing is given back of a reference that could not be taken. */
    kref_count_set(&kref.refcount, 0);
    error = kref_thread_create(&thread, &attr, never, NULL, &kref, release);
    CHECK(error && told.times == 1 && told.last.kind == KREF_GET_ON_ZERO && !released);
    pthread_attr_destroy(&attr);
    return 0;
}
