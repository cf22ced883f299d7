/*
 * observer.c - subjects notify observers, and name each observer by a handle.
 *
 *   cc observer.c $(pkg-config --cflags --libs kref) -o observer && ./observer
 *
 * An observer may end at any time, and it does not know which subjects have it in their lists. With references
 * in the lists, no observer would end. With pointers, an observer must leave each list before it ends. With
 * handles, the next notification drops the observer from the list: a list of weak references.
 */
#include <kref.h>
#include <stdio.h>

#define SUBJECTS 2
#define OBSERVERS 3

struct observer {
    struct kref kref;
    int number;
    int told; /* atomic: two subjects may notify the observer at the same time */
};

static void observer_cleanup(struct observer *observer)
{
    printf("observer %d: ends, was told %d times\n", observer->number, observer->told);
}

KREF_POOL_DEFINE(observer, struct observer, kref, observer_cleanup);

struct subject {
    pthread_mutex_t lock; /* protects the list */
    int count;
    uint64_t observers[OBSERVERS]; /* handles: the subject holds no reference */
};

static struct subject subjects[SUBJECTS] = {
    { PTHREAD_MUTEX_INITIALIZER, 0, { 0 } },
    { PTHREAD_MUTEX_INITIALIZER, 0, { 0 } },
};

static void subscribe(struct subject *subject, struct observer *observer)
{
    pthread_mutex_lock(&subject->lock);
    subject->observers[subject->count++] = observer_handle(observer);
    pthread_mutex_unlock(&subject->lock);
}

/* A thread for each subject. */
static void *notify(void *arg)
{
    struct subject *subject = (struct subject *)arg;
    struct observer *alive[OBSERVERS];
    int i, n = 0;

    pthread_mutex_lock(&subject->lock);
    for (i = 0; i < subject->count; i++) {
        alive[n] = observer_by_handle(subject->observers[i]); /* rule 3: with a reference, or NULL */
        if (alive[n])
            subject->observers[n++] = subject->observers[i];
    }
    subject->count = n; /* without those that are gone */
    pthread_mutex_unlock(&subject->lock);

    for (i = 0; i < n; i++) {
        __atomic_fetch_add(&alive[i]->told, 1, __ATOMIC_RELAXED);
        observer_unref(alive[i]); /* without the lock: a last put runs observer_cleanup() */
    }
    return NULL;
}

static int notify_all(void)
{
    pthread_t threads[SUBJECTS];
    int i;

    for (i = 0; i < SUBJECTS; i++)
        if (pthread_create(&threads[i], NULL, notify, &subjects[i]))
            return -1;
    for (i = 0; i < SUBJECTS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}

/* Returns an observer, with one reference, which the caller holds. */
static struct observer *observer_new(int number)
{
    struct observer *observer = observer_alloc();

    if (!observer)
        return NULL;
    observer->number = number;
    observer->told = 0;
    observer_publish(observer);
    return observer;
}

int main(void)
{
    struct observer *observers[OBSERVERS];
    int i, k, wrong = 0;

    for (i = 0; i < OBSERVERS; i++) {
        observers[i] = observer_new(i);
        if (!observers[i])
            return 1;
        for (k = 0; k < SUBJECTS; k++)
            subscribe(&subjects[k], observers[i]);
    }
    wrong += notify_all();
    observer_unref(observers[1]); /* the observer ends, and no subject hears of it */
    observers[1] = observer_new(OBSERVERS); /* often in the same memory, and in no list */
    if (!observers[1])
        return 1;
    wrong += notify_all();
    for (k = 0; k < SUBJECTS; k++) {
        printf("subject %d: %d observers\n", k, subjects[k].count);
        wrong += subjects[k].count != OBSERVERS - 1;
    }
    for (i = 0; i < OBSERVERS; i++) {
        wrong += observers[i]->told != (i == 1 ? 0 : 2 * SUBJECTS);
        observer_unref(observers[i]);
    }
    return wrong || kref_pool_destroy(&observer_pool) ? 1 : 0;
}
