/*
 * A list that holds no references, in two variants. In the first, the last put takes the list's
 * mutex, and release removes the object, while other threads look it up. In the second, release
 * itself takes the mutex, so a lookup may find an object whose count is zero, and ignores it.
 *
 * The mutex orders all accesses, so helgrind and drd, which know locks but not atomics, report
 * nothing. One access is different: each holder writes to the object before its put, and only the
 * put orders the write. The write is compiled for ThreadSanitizer only.
 *
 * tools: tsan helgrind drd
 */
#include "check.h"

#define THREADS 3
#define KEYS 4
#define ROUNDS 2000

struct object {
    struct kref kref;
    int key;
    struct object *next, **link;
    int held_by[THREADS]; /* each thread writes its own element, without a lock */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct object *list;
static int made, released;
static int (*give_back)(struct object *object);

static void hold(struct object *object, int thread)
{
#ifdef KREF_TSAN
    object->held_by[thread]++;
#else
    (void)object, (void)thread;
#endif
}

static void take_out(struct object *object)
{
    int i;

    for (i = 0; i < THREADS; i++)
        CHECK(object->held_by[i] >= 0);
    *object->link = object->next;
    if (object->next)
        object->next->link = object->link;
    released++;
    pthread_mutex_unlock(&lock);
    free(object);
}

static void release_locked(struct kref *kref)
{
    take_out(kref_entry(kref, struct object, kref));
}

static void release_and_lock(struct kref *kref)
{
    pthread_mutex_lock(&lock);
    take_out(kref_entry(kref, struct object, kref));
}

static int put_mutex(struct object *object)
{
    return kref_put_mutex(&object->kref, release_locked, &lock);
}

static int put_then_lock(struct object *object)
{
    return kref_put(&object->kref, release_and_lock);
}

static struct kref *find(void *key)
{
    struct object *object;

    for (object = list; object; object = object->next)
        if (object->key == *(int *)key) {
            /* If the last put takes the lock first, no object in the list has the count zero. */
            CHECK(give_back == put_then_lock || kref_read(&object->kref));
            if (kref_read(&object->kref))
                return &object->kref;
        }
    return NULL;
}

static void insert(int key, int thread)
{
    struct object *object = calloc(1, sizeof *object);

    CHECK(object);
    kref_init(&object->kref);
    object->key = key;
    pthread_mutex_lock(&lock);
    object->next = list;
    object->link = &list;
    if (list)
        list->link = &object->next;
    list = object;
    made++;
    pthread_mutex_unlock(&lock);
    hold(object, thread);
    give_back(object);
}

static void *work(void *arg)
{
    int thread = *(int *)arg, i;
    unsigned int next = (unsigned int)thread + 1;

    for (i = 0; i < ROUNDS; i++) {
        int key = (int)(next = next * 1103515245 + 12345) >> 16 & (KEYS - 1);
        struct kref *kref = kref_lookup_mutex(&lock, find, &key);

        if (kref) {
            hold(kref_entry(kref, struct object, kref), thread);
            give_back(kref_entry(kref, struct object, kref));
        } else {
            insert(key, thread);
        }
    }
    return NULL;
}

static void run(int (*put)(struct object *object))
{
    pthread_t threads[THREADS];
    int numbers[THREADS], i;

    give_back = put;
    made = released = 0;
    for (i = 0; i < THREADS; i++) {
        numbers[i] = i;
        start(&threads[i], work, &numbers[i]);
    }
    for (i = 0; i < THREADS; i++)
        join(threads[i]);
    CHECK(!list && made > 0 && made == released);
}

int main(void)
{
    run(put_mutex);
    run(put_then_lock);
    return 0;
}
