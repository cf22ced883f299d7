/*
 * Many threads use tracked percpu_refs: in a slot, where another one replaces each soon, and one that is killed and
 * resurrected all the time. A percpu_ref in the slot has one `released` event. Before it there are as many `putting`
 * events as `got` events, and after it no event.
 *
 * tools: tsan
 */
#include "check.h"

#define THREADS 4
#define ROUNDS 3000

struct object {
    struct percpu_ref ref;
    int number;                 /* written by the creator, and by release */
    int balance, lives, revived; /* written by the tracker, atomically */
};

static struct object frozen;
static struct percpu_ref_slot slot;
static int made, freed, releases, violations, over;

static struct object *object_of(const void *ref)
{
    return (struct object *)((char *)(size_t)ref - offsetof(struct object, ref));
}

static int percpu(struct percpu_ref *ref, enum kref_percpu_event event,
                  void (*release)(struct percpu_ref *))
{
    struct object *object = object_of(ref);

    (void)release;
    if (event == KREF_PERCPU_INIT) {
        __atomic_store_n(&object->balance, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&object->revived, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&object->lives, 1, __ATOMIC_RELAXED);
    }
    if (event == KREF_PERCPU_REVIVE)
        __atomic_fetch_add(&object->revived, 1, __ATOMIC_RELAXED);
    return 1;
}

static void is_alive(struct kref *kref)
{
    struct object *object = object_of(kref);

    CHECK(object == &frozen || __atomic_load_n(&object->lives, __ATOMIC_RELAXED) == 1);
}

static void got(struct kref *kref, unsigned int count, const char *holder)
{
    (void)holder;
    CHECK(count);
    is_alive(kref);
    __atomic_fetch_add(&object_of(kref)->balance, 1, __ATOMIC_RELAXED);
}

static void putting(struct kref *kref, void (*release)(struct kref *), unsigned int count,
                    const char *holder)
{
    (void)holder;
    CHECK(release && count);
    is_alive(kref);
    __atomic_fetch_sub(&object_of(kref)->balance, 1, __ATOMIC_RELAXED);
}

static void released(struct kref *kref, void (*release)(struct kref *))
{
    struct object *object = object_of(kref);

    CHECK(release);
    __atomic_fetch_add(&releases, 1, __ATOMIC_RELAXED);
    if (object == &frozen)
        return;
    CHECK(__atomic_fetch_sub(&object->lives, 1, __ATOMIC_RELAXED) == 1);
    CHECK(__atomic_load_n(&object->balance, __ATOMIC_RELAXED) == 0 && !object->revived);
}

static void violated(const struct kref_violation *violation)
{
    (void)violation;
    __atomic_fetch_add(&violations, 1, __ATOMIC_RELAXED);
}

static const struct kref_tracker tracker = { .size = sizeof tracker, .got = got, .putting = putting,
                                             .released = released, .violated = violated,
                                             .percpu = percpu };

static void release(struct percpu_ref *ref)
{
    percpu_ref_exit(ref);
    object_of(ref)->number = -1;
    __atomic_fetch_add(&freed, 1, __ATOMIC_RELAXED);
    free(object_of(ref));
}

static void melt(struct percpu_ref *ref)
{
    CHECK(ref == &frozen.ref);
}

static struct percpu_ref *make(int number)
{
    struct object *object = malloc(sizeof *object);

    CHECK(object && !percpu_ref_init(&object->ref, release, 0));
    object->number = number;
    __atomic_fetch_add(&made, 1, __ATOMIC_RELAXED);
    return &object->ref;
}

static void *work(void *unused)
{
    struct percpu_ref *ref;
    int i;

    (void)unused;
    for (i = 0; i < ROUNDS; i++) {
        ref = percpu_ref_slot_get(&slot);
        if (ref) {
            CHECK(object_of(ref)->number >= 0);
            percpu_ref_get_many(ref, 2);
            percpu_ref_put_many(ref, 2);
            percpu_ref_put(ref);
        }
        if (i % 8 == 0) {
            ref = percpu_ref_slot_replace(&slot, i % 16 ? make(i) : NULL);
            if (ref)
                percpu_ref_kill(ref);
        }
        if (percpu_ref_tryget_live(&frozen.ref))
            percpu_ref_put(&frozen.ref);
    }
    return NULL;
}

static void *freeze(void *unused)
{
    while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
        percpu_ref_kill(&frozen.ref);
        while (!percpu_ref_is_zero(&frozen.ref))
            sched_yield();
        percpu_ref_reinit(&frozen.ref);
    }
    return unused;
}

int main(void)
{
    pthread_t threads[THREADS], freezer;
    struct percpu_ref *ref;
    int i;

    CHECK(!kref_set_tracker(&tracker));
    CHECK(!percpu_ref_init(&frozen.ref, melt, PERCPU_REF_ALLOW_REINIT));
    CHECK(!pthread_create(&freezer, NULL, freeze, NULL));
    for (i = 0; i < THREADS; i++)
        CHECK(!pthread_create(&threads[i], NULL, work, NULL));
    for (i = 0; i < THREADS; i++)
        join(threads[i]);
    __atomic_store_n(&over, 1, __ATOMIC_RELAXED);
    join(freezer);
    ref = percpu_ref_slot_replace(&slot, NULL);
    if (ref)
        percpu_ref_kill(ref);
    CHECK(made && made == freed && releases == made + frozen.revived && !violations);
    CHECK(frozen.balance == 1);
    percpu_ref_exit(&frozen.ref);
    return 0;
}
