/*
 * Two threads pass objects on through a queue, keep some in a table and publish some in a slot. One
 * lookup in five thousand is not given back. Seen after days of load: all paths are right nearly always.
 *
 * found by: leak
 */
#include "check.h"

#define OBJECTS 5000
#define ROOM 64

struct item {
    int number;
    struct kref kref;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct item *queue[ROOM];
static unsigned int added, removed;
static struct kref_slot newest;

static void item_release(struct kref *kref)
{
    free(kref_entry(kref, struct item, kref));
}

static void send(struct item *item)
{
    pthread_mutex_lock(&lock);
    while (added - removed == ROOM)
        pthread_cond_wait(&changed, &lock);
    queue[added++ % ROOM] = item;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static struct item *receive(void)
{
    struct item *item;

    pthread_mutex_lock(&lock);
    while (added == removed)
        pthread_cond_wait(&changed, &lock);
    item = queue[removed++ % ROOM];
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return item;
}

static void publish(struct item *item)
{
    struct kref *old;

    kref_get(&item->kref);
    old = kref_slot_replace(&newest, &item->kref);
    if (old)
        kref_put(old, item_release);
}

static void look(int number)
{
    struct kref *kref = kref_slot_get(&newest); /* BLAME */

    if (!kref)
        return;
#ifndef RIGHT
    if (number == 777)
        return;
#endif
    kref_put(kref, item_release);
}

static void *consume(void *unused)
{
    for (int i = 0; i < OBJECTS; i++) {
        struct item *item = receive();

        look(item->number);
        kref_put(&item->kref, item_release);
    }
    return unused;
}

int main(void)
{
    pthread_t thread;
    struct kref *last;

    start(&thread, consume, NULL);
    for (int i = 0; i < OBJECTS; i++) {
        struct item *item = calloc(1, sizeof *item);

        CHECK(item);
        kref_init(&item->kref);
        item->number = i;
        if (i % 4 == 0)
            publish(item);
        send(item);
    }
    join(thread);
    last = kref_slot_replace(&newest, NULL);
    CHECK(last);
    kref_put(last, item_release);
    return 0;
}
