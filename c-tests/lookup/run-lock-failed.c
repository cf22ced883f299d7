/*
 * The mutex cannot be locked: nothing is looked up, no reference is put, and the failure is
 * reported.
 */
#include "check.h"

static void release(struct kref *kref)
{
    (void)kref;
    CHECK(!"released without the lock");
}

static struct kref *find(void *key)
{
    CHECK(!"looked up without the lock");
    return key;
}

int main(void)
{
    struct kref kref = KREF_INIT(1);
    struct told told = { 0 };
    pthread_mutexattr_t attr;
    pthread_mutex_t mutex;

    kref_set_violation_handler(remember, &told);
    CHECK(!pthread_mutexattr_init(&attr));
    CHECK(!pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK));
    CHECK(!pthread_mutex_init(&mutex, &attr));
    CHECK(!pthread_mutex_lock(&mutex));

    CHECK(!kref_put_mutex(&kref, release, &mutex));
    CHECK(told.times == 1 && told.last.kind == KREF_LOCK_FAILED && told.last.kref == &kref);
    CHECK(kref_read(&kref) == 1);

    CHECK(!kref_count_dec_and_mutex_lock(&kref.refcount, &mutex));
    CHECK(told.times == 2 && told.last.kind == KREF_LOCK_FAILED && kref_read(&kref) == 1);

    CHECK(!kref_lookup_mutex(&mutex, find, &kref));
    CHECK(told.times == 3 && told.last.kind == KREF_LOCK_FAILED && !told.last.kref);
    CHECK(!pthread_mutex_unlock(&mutex));
    return 0;
}
