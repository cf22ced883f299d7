/*
 * Rule 3 with a lock, and a table that holds a reference: readers look up an object while a writer
 * replaces it. The last put, by a reader or the writer, releases.
 *
 * tools: tsan
 */
#include "check.h"

#define READERS 3
#define LOOKUPS 2000

struct object {
    struct kref kref;
    int number;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct object *table; /* a table with one entry */
static int made, released;

static void release(struct kref *kref)
{
    struct object *object = kref_entry(kref, struct object, kref);

    object->number = -1;
    __atomic_fetch_add(&released, 1, __ATOMIC_RELAXED);
    free(object);
}

static struct kref *find(void *key)
{
    return table && table->number >= *(int *)key ? &table->kref : NULL;
}

static void *read_often(void *unused)
{
    int key = 1, i;

    (void)unused;
    for (i = 0; i < LOOKUPS; i++) {
        struct kref *kref = kref_lookup_mutex(&lock, find, &key);
        struct object *object = kref_entry(kref, struct object, kref);

        CHECK(object && object->number >= key);
        kref_put(kref, release);
    }
    return NULL;
}

static void replace(struct object *next)
{
    struct object *old;

    pthread_mutex_lock(&lock);
    old = table;
    table = next;
    pthread_mutex_unlock(&lock);
    if (old)
        kref_put(&old->kref, release);
}

static struct object *make(void)
{
    struct object *object = malloc(sizeof *object);

    CHECK(object);
    kref_init(&object->kref);
    object->number = ++made;
    return object;
}

int main(void)
{
    pthread_t readers[READERS];
    int i, key = 1;

    CHECK(!kref_lookup_mutex(&lock, find, &key));
    replace(make());
    for (i = 0; i < READERS; i++)
        start(&readers[i], read_often, NULL);
    for (i = 0; i < LOOKUPS / 4; i++)
        replace(make());
    for (i = 0; i < READERS; i++)
        join(readers[i]);
    replace(NULL);
    CHECK(!kref_lookup_mutex(&lock, find, &key));
    CHECK(released == made);
    return 0;
}
