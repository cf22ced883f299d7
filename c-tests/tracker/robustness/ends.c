/*
 * Objects, threads and programs that end in unusual ways: a release function takes references on
 * other objects, threads end by pthread_exit() or are cancelled between get and put, and the
 * program executes itself again.
 */
#include "../object.h"

#define CHILDREN 50

struct child {
    char name[16];
    struct kref kref;
    struct object *parent; /* a reference */
};

static struct object *shared;
static int at_work;

static void child_release(struct kref *kref)
{
    struct child *child = kref_entry(kref, struct child, kref);

    kref_get(&child->parent->kref);
    object_put(child->parent);
    object_put(child->parent);
    free(child);
}

static void *leave(void *arg)
{
    struct child *child = arg;

    kref_put(&child->kref, child_release);
    pthread_exit(NULL);
}

static void give_back(void *object)
{
    object_put(object);
}

static void *work_on(void *object)
{
    __atomic_store_n(&at_work, 1, __ATOMIC_RELAXED);
    for (;;) {
        kref_get(&shared->kref);
        pthread_cleanup_push(give_back, object);
        pthread_testcancel();
        pthread_cleanup_pop(1);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[CHILDREN], worker;
    int i;

    shared = object_new();
    start(&worker, work_on, shared);
    for (i = 0; i < CHILDREN; i++) {
        struct child *child = calloc(1, sizeof *child);

        CHECK(child);
        kref_init(&child->kref);
        kref_get(&shared->kref);
        child->parent = shared;
        CHECK(!kref_thread_create(&threads[i], NULL, leave, child, &child->kref, child_release));
        kref_put(&child->kref, child_release);
    }
    for (i = 0; i < CHILDREN; i++)
        join(threads[i]);
    while (!__atomic_load_n(&at_work, __ATOMIC_RELAXED))
        ;
    CHECK(!pthread_cancel(worker));
    join(worker);
    object_put(shared);
    if (argc == 1)
        CHECK(!execl("/proc/self/exe", argv[0], "again", NULL));
    return 0;
}
