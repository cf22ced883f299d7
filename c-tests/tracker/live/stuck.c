/*
 * A put with a mutex held, and a release function that takes the same mutex: the thread waits for itself. With an
 * argument another thread holds the mutex, until somebody writes to standard input.
 */
#include "../object.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t list = PTHREAD_MUTEX_INITIALIZER;
static struct object *other;

static void unlist(struct kref *kref)
{
    pthread_mutex_lock(&list);
    pthread_mutex_unlock(&list);
    object_release(kref);
}

static void *hold(void *ready)
{
    pthread_mutex_lock(&list);
    kref_get(&other->kref); /* OTHER */
    object_put(other);
    __atomic_store_n((int *)ready, 1, __ATOMIC_RELEASE);
    getchar();
    pthread_mutex_unlock(&list);
    return NULL;
}

static void drop(struct object *object)
{
    kref_put(&object->kref, unlist); /* HERE */
}

int main(int argc, char **argv)
{
    struct object *object = object_new();
    pthread_t thread;
    int ready = 0;

    other = object_new();
    if (argc > 1 && !strcmp(argv[1], "other")) {
        start(&thread, hold, &ready);
        while (!__atomic_load_n(&ready, __ATOMIC_ACQUIRE))
            ;
        drop(object);
        join(thread);
    } else {
        pthread_mutex_lock(&list);
        drop(object);
    }
    object_put(other);
    return 0;
}
