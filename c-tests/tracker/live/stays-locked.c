/*
 * A release function that leaves the mutex of kref_put_mutex() locked, so that its thread waits for ever at the next
 * lock. With an argument the release function unlocks the mutex. The program ends when its input ends.
 */
#include "../object.h"
#include <stdio.h>

static pthread_mutex_t list = PTHREAD_MUTEX_INITIALIZER;
static int is_right;

static void unlist(struct kref *kref)
{
    object_release(kref);
    if (is_right)
        pthread_mutex_unlock(&list);
}

static void *drop(void *object)
{
    kref_put_mutex(&((struct object *)object)->kref, unlist, &list); /* HERE */
    pthread_mutex_lock(&list);
    pthread_mutex_unlock(&list);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t thread;

    (void)argv;
    is_right = argc > 1;
    start(&thread, drop, object_new());
    if (is_right)
        join(thread);
    getchar();
    return 0;
}
