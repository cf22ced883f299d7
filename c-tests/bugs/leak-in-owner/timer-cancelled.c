/*
 * An armed timer holds a reference on its object, and its callback puts it. The callback of a
 * cancelled timer never runs. Seen with timeouts: nearly all are cancelled, and each leaks.
 *
 * found by: leak
 */
#include "check.h"

struct peer {
    char address[16];
    struct kref kref;
    int timer_armed, timeouts;
};

static void peer_release(struct kref *kref)
{
    free(kref_entry(kref, struct peer, kref));
}

static void timer_arm(struct peer *peer)
{
    kref_get(&peer->kref); /* BLAME */
    peer->timer_armed = 1;
}

static void timer_fire(struct peer *peer)
{
    peer->timer_armed = 0;
    peer->timeouts++;
    kref_put(&peer->kref, peer_release);
}

static void timer_cancel(struct peer *peer)
{
    if (!peer->timer_armed)
        return;
    peer->timer_armed = 0;
#ifdef RIGHT
    kref_put(&peer->kref, peer_release); /* FIX */
#endif
}

int main(void)
{
    struct peer *peer = calloc(1, sizeof *peer);

    CHECK(peer);
    kref_init(&peer->kref);
    timer_arm(peer);
    timer_fire(peer);
    timer_arm(peer);
    timer_cancel(peer); /* the answer came in time */
    CHECK(peer->timeouts == 1);
    kref_put(&peer->kref, peer_release);
    return 0;
}
