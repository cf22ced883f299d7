/*
 * Three violations of one kind: two at one place, one at another. unknown_callers.rs runs this program with a libkref
 * that does not find its caller. The functions, with one to six arguments, return what they should.
 */
#include "check.h"

static int released;

static void release(struct kref *kref)
{
    (void)kref;
    released++;
}

static void never(struct percpu_ref *ref)
{
    (void)ref;
    CHECK(!"released");
}

static struct kref *find(void *found)
{
    return found;
}

static void *put(void *arg)
{
    kref_put(arg, release);
    return NULL;
}

int main(void)
{
    static struct told told;
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    struct kref kref = KREF_INIT(1);
    struct percpu_ref percpu = { 0 };
    pthread_t thread;
    int i;

    kref_get(&kref);
    CHECK(kref_read(&kref) == 2 && kref_get_unless_zero(&kref));
    CHECK(!kref_put(&kref, release) && !kref_put_mutex(&kref, release, &mutex) && !released);
    CHECK(kref_lookup_mutex(&mutex, find, &kref) == &kref);
    CHECK(kref_lookup_mutex(&mutex, find, NULL) == NULL);
    CHECK(kref_thread_create(&thread, NULL, put, &kref, &kref, release) == 0);
    join(thread);
    CHECK(!kref_put(&kref, release) && kref_put_mutex(&kref, release, &mutex) && released == 1);
    pthread_mutex_unlock(&mutex);
    CHECK(percpu_ref_init(&percpu, never, ~0u) < 0);

    for (i = 0; i < 2; i++) {
        kref = (struct kref)KREF_INIT(0);
        kref_get(&kref);
    }
    kref = (struct kref)KREF_INIT(0);
    kref_get(&kref);
    CHECK(kref_read(&kref) == (unsigned int)KREF_SATURATED);

    kref_set_violation_handler(remember, &told);
    kref_get(&kref);
    CHECK(told.times == 1 && !told.last.caller && told.last.kref == &kref);
    return 0;
}
