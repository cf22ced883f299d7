/*
 * A lookup takes its reference by kref_get_unless_zero(), as it must, but without the table's lock.
 * Between the read of the pointer and the get, the last put may free the object. Seen where a lock was
 * removed because "the get is atomic". Mostly the freed memory still says zero, so the lookup fails as
 * it should, and nobody notices.
 *
 * found by: race
 */
#include "check.h"

#include <stdatomic.h>

#define ROUNDS 200

struct peer {
    int id;
    struct kref kref;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(struct peer *) current;
static atomic_int stop;

static void peer_release(struct kref *kref)
{
    free(kref_entry(kref, struct peer, kref));
}

static struct peer *peer_find(void)
{
    struct peer *peer;

#ifdef RIGHT
    pthread_mutex_lock(&lock);
#endif
    peer = atomic_load(&current);
    if (peer && !kref_get_unless_zero(&peer->kref)) /* BLAME */
        peer = NULL;
#ifdef RIGHT
    pthread_mutex_unlock(&lock);
#endif
    return peer;
}

static void *find_often(void *unused)
{
    while (!atomic_load(&stop)) {
        struct peer *peer = peer_find();

        if (peer)
            kref_put(&peer->kref, peer_release);
    }
    return unused;
}

static void replace(struct peer *next)
{
    struct peer *old;

    pthread_mutex_lock(&lock);
    old = atomic_exchange(&current, next);
    pthread_mutex_unlock(&lock);
    if (old)
        kref_put(&old->kref, peer_release);
}

int main(void)
{
    pthread_t thread;

    start(&thread, find_often, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        struct peer *peer = calloc(1, sizeof *peer);

        CHECK(peer);
        kref_init(&peer->kref);
        peer->id = i;
        replace(peer);
    }
    replace(NULL);
    atomic_store(&stop, 1);
    join(thread);
    return 0;
}
