/*
 * The owner of a robust mutex dies. The next function of libkref that locks the mutex makes it
 * consistent, so the mutex can be locked again later.
 *
 * without: qemu-user, which does not pass set_robust_list() on: no kernel marks a dead owner's mutex
 */
#include "check.h"

static struct kref kref;
static pthread_mutex_t mutex;
static int released;

static void release(struct kref *last)
{
    CHECK(last == &kref);
    released++;
    CHECK(!pthread_mutex_unlock(&mutex));
}

static struct kref *find(void *key)
{
    return key;
}

static void put(void)
{
    CHECK(kref_put_mutex(&kref, release, &mutex) && released == 1);
}

static void dec(void)
{
    CHECK(kref_count_dec_and_mutex_lock(&kref.refcount, &mutex));
    CHECK(!pthread_mutex_unlock(&mutex));
}

static void look_up(void)
{
    CHECK(kref_lookup_mutex(&mutex, find, &kref) == &kref);
}

static void *die_with_it(void *arg)
{
    CHECK(!pthread_mutex_lock(&mutex));
    return arg;
}

int main(void)
{
    static void (*const take[])(void) = { put, dec, look_up };
    pthread_mutexattr_t attr;
    struct told told = { 0 };
    pthread_t owner;
    size_t i;

    kref_set_violation_handler(remember, &told);
    CHECK(!pthread_mutexattr_init(&attr));
    CHECK(!pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST));
    for (i = 0; i < sizeof take / sizeof *take; i++) {
        CHECK(!pthread_mutex_init(&mutex, &attr));
        kref_init(&kref);
        start(&owner, die_with_it, NULL);
        join(owner);
        take[i]();
        CHECK(!pthread_mutex_lock(&mutex) && !pthread_mutex_unlock(&mutex));
        CHECK(!pthread_mutex_destroy(&mutex));
    }
    CHECK(!told.times);
    return 0;
}
