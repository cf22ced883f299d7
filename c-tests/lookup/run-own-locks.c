/*
 * The kernel's names for the last put under a lock, with a struct mutex and a spinlock_t of the program's own. One
 * object at a time is published, and the publication holds no reference: threads look the object up under the
 * lock, and the last put takes the lock. So nobody finds an object without references.
 *
 * tools: tsan helgrind
 */
#define KREF_LINUX_MUTEX_HEADER "../install/kernel/port/linux/mutex.h"
#define KREF_LINUX_SPINLOCK_HEADER "../install/kernel/port/linux/spinlock.h"
#include "../install/kernel/port/linux/spinlock.h"
#include "../tracker/recorder.h"

/* What another thread does before the calling thread has the lock. */
static void (*meanwhile)(void);

static void lock_late(struct mutex *lock)
{
    if (meanwhile)
        meanwhile();
    mutex_lock(lock);
}

#define mutex_lock(lock) lock_late(lock)
#include <kref/linux/kref.h>

#define THREADS 3
#define ROUNDS 3000

struct object {
    struct kref kref;
    refcount_t count; /* instead of the kref, for the refcount_ functions */
};

static DEFINE_MUTEX(lock);
static struct object *published;
static int made, freed;

static void release_object(struct kref *kref)
{
    struct object *object = kref_entry(kref, struct object, kref);

    CHECK(lock.is_held && pthread_equal(lock.owner, pthread_self()));
    CHECK(published == object && kref_read(kref) == 0);
    published = NULL;
    freed++;
    mutex_unlock(&lock);
    free(object);
}

static void put_mutex(struct object *object)
{
    kref_put_mutex(&object->kref, release_object, &lock);
}

static void put_lock(struct object *object)
{
    kref_put_lock(&object->kref, release_object, &lock);
}

/* After the last put of the count beside the kref. */
static void end(struct object *object, int is_last)
{
    if (is_last) {
        CHECK(lock.is_held && refcount_read(&object->count) == 0);
        CHECK(kref_put(&object->kref, release_object));
    }
}

static void count_mutex(struct object *object)
{
    end(object, refcount_dec_and_mutex_lock(&object->count, &lock));
}

static void count_lock(struct object *object)
{
    end(object, refcount_dec_and_lock(&object->count, &lock));
}

static void count_irqsave(struct object *object)
{
    unsigned long flags;
    int is_last = refcount_dec_and_lock_irqsave(&object->count, &lock, &flags);

    CHECK(!is_last || flags == 7);
    end(object, is_last);
}

static void (*give_back)(struct object *object);

static struct object *look_up(void)
{
    struct object *object;

    mutex_lock(&lock);
    object = published;
    if (!object) {
        object = published = calloc(1, sizeof *object);
        CHECK(object);
        kref_init(&object->kref);
        refcount_set(&object->count, 1);
        made++;
    } else if (give_back == put_mutex || give_back == put_lock) {
        kref_get(&object->kref); /* a violation, if the count were zero */
    } else {
        refcount_inc(&object->count);
    }
    mutex_unlock(&lock);
    return object;
}

static void *work(void *arg)
{
    int i;

    for (i = 0; i < ROUNDS; i++)
        give_back(look_up());
    return arg;
}

static void run(void (*put)(struct object *object))
{
    pthread_t threads[THREADS];
    int i;

    give_back = put;
    made = freed = 0;
    for (i = 0; i < THREADS; i++)
        start(&threads[i], work, NULL);
    for (i = 0; i < THREADS; i++)
        join(threads[i]);
    CHECK(!published && made > 0 && made == freed && !lock.is_held);
}

static void release_tracked(struct kref *kref)
{
    (void)kref;
    mutex_unlock(&lock);
}

/* A tracker learns the release function of the last put. */
static void check_tracker(void)
{
    struct kref kref;

    CHECK(!kref_set_tracker(&writes_down));
    kref_init(&kref);
    kref_get(&kref);
    *told_events = 0;
    CHECK(!kref_put_mutex(&kref, release_tracked, &lock));
    CHECK_TOLD(&kref, "putting 2; done");
    CHECK(kref_put_mutex(&kref, release_tracked, &lock));
    CHECK_TOLD(&kref, "putting 1; released; done");
    CHECK(told_release == release_tracked);
    kref_init(&kref);
    *told_events = 0;
    CHECK(kref_put_lock(&kref, release_tracked, &lock));
    CHECK_TOLD(&kref, "putting 1; released; done");
    CHECK(told_release == release_tracked);
    CHECK(!kref_set_tracker(NULL));
}

/* On misuse nothing is locked and nothing is released; a violation is reported. */
static void check_misuse(void)
{
    struct kref kref = KREF_INIT(0);
    struct told told = { 0 };
    unsigned long flags;

    kref_set_violation_handler(remember, &told);
    CHECK(!kref_put_mutex(&kref, release_object, &lock));
    CHECK(told.times == 1 && told.last.kind == KREF_PUT_ON_ZERO && told.last.kref == &kref);
    CHECK(!kref_put_lock(&kref, release_object, &lock) && told.times == 2);
    CHECK(!refcount_dec_and_mutex_lock(&kref.refcount, &lock) && told.times == 3);
    CHECK(!refcount_dec_and_lock(&kref.refcount, &lock) && told.times == 4);
    CHECK(!refcount_dec_and_lock_irqsave(&kref.refcount, &lock, &flags) && told.times == 5);
    CHECK(told.last.kind == KREF_USE_OF_SATURATED && !lock.is_held);
    kref_set_violation_handler(NULL, NULL);
}

static struct kref looked_up;

static void take_one(void)
{
    kref_get(&looked_up);
}

/* A put of the only reference, while another thread takes one before the lock is held. */
static void check_taken_meanwhile(void)
{
    struct refcount_struct *count = &looked_up.refcount;
    unsigned long flags;

    kref_init(&looked_up);
    meanwhile = take_one;
    CHECK(!kref_put_mutex(&looked_up, release_object, &lock));
    CHECK(!lock.is_held && kref_read(&looked_up) == 1);
    CHECK(!kref_put_lock(&looked_up, release_object, &lock));
    CHECK(!lock.is_held && kref_read(&looked_up) == 1);
    CHECK(!refcount_dec_and_mutex_lock(count, &lock));
    CHECK(!lock.is_held && kref_read(&looked_up) == 1);
    CHECK(!refcount_dec_and_lock(count, &lock));
    CHECK(!lock.is_held && kref_read(&looked_up) == 1);
    CHECK(!refcount_dec_and_lock_irqsave(count, &lock, &flags));
    CHECK(!lock.is_held && kref_read(&looked_up) == 1);
    meanwhile = NULL;
}

static void no_violation(const struct kref_violation *violation, void *context)
{
    (void)violation, (void)context;
    CHECK(!"a violation");
}

int main(void)
{
    check_misuse();
    kref_set_violation_handler(no_violation, NULL);
    check_taken_meanwhile();
    run(put_mutex);
    run(put_lock);
    run(count_mutex);
    run(count_lock);
    run(count_irqsave);
    check_tracker();
    return 0;
}
