/*
 * Many threads use tracked objects, in slots, through lookups, and by hand-over. For each object
 * there is one `released` event. Before it there are as many `putting` events as `created` and
 * `got` events together, and after it no event until the memory is used for a new object.
 *
 * tools: tsan
 */
#include "check.h"

#define THREADS 4
#define ROUNDS 3000

struct object {
    struct kref kref;
    int number; /* written by the creator, and by release */
    int balance, lives; /* written by the tracker, atomically */
};

static struct object shared;
static struct kref_slot slot;
static pthread_mutex_t table = PTHREAD_MUTEX_INITIALIZER;
static struct object *listed;
static int made, freed, violations;

static struct object *object_of(const struct kref *kref)
{
    return kref_entry(kref, struct object, kref);
}

static int created(struct kref *kref, const char *type)
{
    (void)type;
    __atomic_store_n(&object_of(kref)->balance, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&object_of(kref)->lives, 1, __ATOMIC_RELAXED);
    return 1;
}

static void got(struct kref *kref, unsigned int count, const char *holder)
{
    (void)count, (void)holder;
    CHECK(__atomic_load_n(&object_of(kref)->lives, __ATOMIC_RELAXED) == 1);
    __atomic_fetch_add(&object_of(kref)->balance, 1, __ATOMIC_RELAXED);
}

static void putting(struct kref *kref, void (*release)(struct kref *), unsigned int count,
                    const char *holder)
{
    (void)holder, (void)release; /* kref_slot_replace() has no release function */
    CHECK(count >= 1);
    CHECK(__atomic_load_n(&object_of(kref)->lives, __ATOMIC_RELAXED) == 1);
    __atomic_fetch_sub(&object_of(kref)->balance, 1, __ATOMIC_RELAXED);
}

static void released(struct kref *kref, void (*release)(struct kref *))
{
    CHECK(release && __atomic_fetch_sub(&object_of(kref)->lives, 1, __ATOMIC_RELAXED) == 1);
    CHECK(__atomic_load_n(&object_of(kref)->balance, __ATOMIC_RELAXED) == 0);
}

static void violated(const struct kref_violation *violation)
{
    (void)violation;
    __atomic_fetch_add(&violations, 1, __ATOMIC_RELAXED);
}

static const struct kref_tracker tracker = { .size = sizeof tracker, .created = created,
                                             .got = got, .putting = putting,
                                             .released = released, .violated = violated };

static struct object *make(int number)
{
    struct object *object = malloc(sizeof *object);

    CHECK(object);
    kref_init(&object->kref);
    object->number = number;
    __atomic_fetch_add(&made, 1, __ATOMIC_RELAXED);
    return object;
}

static void release(struct kref *kref)
{
    object_of(kref)->number = -1;
    __atomic_fetch_add(&freed, 1, __ATOMIC_RELAXED);
    free(object_of(kref));
}

static void release_listed(struct kref *kref)
{
    if (listed == object_of(kref))
        listed = NULL;
    CHECK(!pthread_mutex_unlock(&table));
    release(kref);
}

static void release_shared(struct kref *kref)
{
    CHECK(kref == &shared.kref);
    shared.number = -1;
}

static struct kref *find(void *unused)
{
    (void)unused;
    return listed ? &listed->kref : NULL;
}

static void use_listed(int i)
{
    struct kref *kref = kref_lookup_mutex(&table, find, NULL);
    struct object *object;

    if (!kref) {
        object = make(i);
        CHECK(!pthread_mutex_lock(&table));
        if (!listed)
            listed = object;
        CHECK(!pthread_mutex_unlock(&table));
        kref = &object->kref;
    }
    CHECK(object_of(kref)->number >= 0);
    kref_put_mutex(kref, release_listed, &table);
}

static void use_slot(int i)
{
    struct kref *kref = kref_slot_get(&slot);

    if (kref) {
        CHECK(object_of(kref)->number >= 0);
        kref_get(kref);
        kref_put(kref, release);
        kref_put(kref, release);
    }
    if (i % 8 == 0) {
        kref = kref_slot_replace(&slot, i % 16 ? &make(i)->kref : NULL);
        if (kref)
            kref_put(kref, release);
    }
}

static void *work(void *unused)
{
    int i;

    (void)unused;
    for (i = 0; i < ROUNDS; i++) {
        kref_get(&shared.kref);
        kref_get_as(&shared.kref, "worker");
        CHECK(shared.number == 7 && kref_get_unless_zero(&shared.kref));
        CHECK(!kref_put(&shared.kref, release_shared));
        CHECK(!kref_put_as(&shared.kref, release_shared, "worker"));
        CHECK(!kref_put(&shared.kref, release_shared));
        use_listed(i);
        use_slot(i);
    }
    kref_put(&shared.kref, release_shared);
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    struct kref *kref;
    int i;

    CHECK(!kref_set_tracker(&tracker));
    kref_init(&shared.kref);
    shared.number = 7;
    for (i = 0; i < THREADS; i++)
        CHECK(!kref_thread_create(&threads[i], NULL, work, NULL, &shared.kref, release_shared));
    CHECK(kref_read(&shared.kref) >= 1);
    kref_put(&shared.kref, release_shared);
    for (i = 0; i < THREADS; i++)
        join(threads[i]);
    CHECK(shared.number == -1 && shared.lives == 0 && shared.balance == 0);
    CHECK(!kref_lookup_mutex(&table, find, NULL));
    kref = kref_slot_replace(&slot, NULL);
    if (kref)
        CHECK(kref_put(kref, release));
    CHECK(made && made == freed && !violations);
    return 0;
}
