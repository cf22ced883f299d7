/*
 * Threads create objects of a pool, look them up by fresh and by stale handles, and walk over the pool. For each
 * object there is one `released` event. Before it there are as many `putting` events as `created` and `got` events
 * together, so a stale lookup that takes a reference on another object for a moment leaves no trace.
 *
 * tools: tsan
 */
#include "check.h"

#define THREADS 4
#define ROUNDS 5000
#define HANDLES 4

struct object {
    uint64_t secret; /* written by the creator, and by the cleanup */
    struct kref kref;
    int balance, lives; /* written by the tracker, atomically */
};

static int made, ended, found, missing, cleaned, left, walked, violations;
static uint64_t handles[HANDLES + 1]; /* the last one is of an object that lives as long as the threads */

static int add(int *number, int n)
{
    return __atomic_add_fetch(number, n, __ATOMIC_RELAXED);
}

static struct object *object_of(const struct kref *kref)
{
    return kref_entry(kref, struct object, kref);
}

static int created(struct kref *kref, const char *type)
{
    CHECK(!strcmp(type, "object") && add(&object_of(kref)->lives, 1) == 1);
    CHECK(add(&object_of(kref)->balance, 1) == 1);
    add(&made, 1);
    return 1;
}

/* Between a lookup's first comparison and its get: often enough, the object ends here. */
static void getting(struct kref *kref)
{
    (void)kref;
    sched_yield();
}

static void got(struct kref *kref, unsigned int count, const char *holder)
{
    CHECK(count >= 1 && __atomic_load_n(&object_of(kref)->lives, __ATOMIC_RELAXED) == 1);
    add(&object_of(kref)->balance, 1);
    if (holder)
        add(&left, 1);
}

static void putting(struct kref *kref, void (*release)(struct kref *), unsigned int count,
                    const char *holder)
{
    CHECK(release && count >= 1);
    CHECK(__atomic_load_n(&object_of(kref)->lives, __ATOMIC_RELAXED) == 1);
    CHECK(add(&object_of(kref)->balance, -1) >= 0);
    if (holder)
        add(&left, -1);
}

static void released(struct kref *kref, void (*release)(struct kref *))
{
    CHECK(release && add(&object_of(kref)->lives, -1) == 0);
    CHECK(__atomic_load_n(&object_of(kref)->balance, __ATOMIC_RELAXED) == 0);
    add(&ended, 1);
}

static void violated(const struct kref_violation *violation)
{
    (void)violation;
    add(&violations, 1);
}

static void missed(struct kref_pool *pool, uint64_t handle, int given)
{
    CHECK(pool && handle && given);
    add(&missing, -1);
}

static const struct kref_tracker tracker = { .size = sizeof tracker, .created = created,
                                             .getting = getting, .got = got, .putting = putting,
                                             .released = released, .violated = violated,
                                             .missed = missed };

static void object_cleanup(struct object *object)
{
    object->secret = 0;
    add(&cleaned, 1);
}

KREF_POOL_DEFINE(object, struct object, kref, object_cleanup);

static struct object *create(unsigned at)
{
    struct object *object = object_alloc();
    uint64_t handle;

    CHECK(object);
    handle = object->secret = object_handle(object);
    object_publish(object);
    __atomic_store_n(&handles[at], handle, __ATOMIC_RELAXED);
    return object;
}

static void look(unsigned at)
{
    uint64_t handle = __atomic_load_n(&handles[at % (HANDLES + 1)], __ATOMIC_RELAXED);
    struct object *object = handle ? object_by_handle(handle) : NULL;

    if (object) {
        CHECK(object->secret == handle);
        add(&found, 1);
        object_unref(object);
    } else if (handle) {
        add(&missing, 1);
    }
}

static void walk(void)
{
    struct object *object;
    unsigned cursor = 0;

    while ((object = object_next(&cursor))) {
        CHECK(object->secret);
        add(&walked, 1);
        object_unref(object);
    }
}

static void *work(void *seed)
{
    unsigned random = (unsigned)(uintptr_t)seed;
    struct object *object;
    int i;

    for (i = 0; i < ROUNDS; i++) {
        random = random * 1103515245u + 12345u;
        switch (random >> 16 & 7) {
        case 0: case 1: case 2:
            object = create((random >> 20) % HANDLES);
            sched_yield();
            object_unref(object);
            break;
        case 3: walk(); break;
        default: look(random >> 20);
        }
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    struct object *object;
    uintptr_t i;

    CHECK(!kref_set_tracker(&tracker));
    object = create(HANDLES);
    for (i = 0; i < THREADS; i++)
        start(&threads[i], work, (void *)(i + 1));
    for (i = 0; i < THREADS; i++)
        join(threads[i]);
    object_unref(object);
    kref_pool_drain(&object_pool);
    CHECK(made && made == ended && made == cleaned && found && walked);
    CHECK(!left && !missing && !violations);
    CHECK(kref_pool_destroy(&object_pool) == 0);
    return 0;
}
