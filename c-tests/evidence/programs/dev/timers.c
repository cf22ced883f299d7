/*
 * Timers in a sorted list. An armed timer holds a reference on its object; a cancelled one gives
 * the reference back, one that fires hands the reference to the callback. Leases renew
 * themselves.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

enum { LEASES = 40, END = 300 };

struct lease {
    struct kref kref;
    int id, renewals;
    struct lease *newer; /* in the list of the clients */
};

struct timer {
    struct timer *next;
    int due;
    void (*fire)(struct lease *lease);
    struct lease *lease;
};

static struct timer *timers;
static struct lease *leases;
static int now, fired, cancelled, renewed;

static void lease_release(struct kref *kref)
{
    free(kref_entry(kref, struct lease, kref));
}

static void timer_arm(struct lease *lease, int after, void (*fire)(struct lease *))
{
    struct timer *timer = malloc(sizeof *timer), **place = &timers;

    if (!timer)
        abort();
    kref_get(&lease->kref); /* get: timer */
    timer->due = now + after;
    timer->fire = fire;
    timer->lease = lease;
    while (*place && (*place)->due <= timer->due)
        place = &(*place)->next;
    timer->next = *place;
    *place = timer;
}

static void timer_cancel(struct lease *lease)
{
    struct timer **place = &timers, *timer;

    while ((timer = *place))
        if (timer->lease == lease) {
            *place = timer->next;
            kref_put(&lease->kref, lease_release); /* put: timer */
            free(timer);
            cancelled++;
        } else {
            place = &timer->next;
        }
}

static void expire(struct lease *lease)
{
    fired++;
    kref_put(&lease->kref, lease_release); /* put: timer */
}

static void lease_check(struct lease *lease)
{
    if (lease->renewals-- > 0) {
        renewed++;
        timer_arm(lease, 20 + lease->id % 7, lease_check);
    }
    expire(lease);
}

static void tick(void)
{
    now++;
    while (timers && timers->due <= now) {
        struct timer *timer = timers;

        timers = timer->next;
        timer->fire(timer->lease);
        free(timer);
    }
}

static void lease_grant(int id)
{
    struct lease *lease = malloc(sizeof *lease);

    if (!lease)
        abort();
    kref_init(&lease->kref); /* get: client */
    lease->id = id;
    lease->renewals = id % 4;
    lease->newer = leases;
    leases = lease;
    timer_arm(lease, 15 + id % 11, lease_check);
    if (id % 3 == 0)
        timer_arm(lease, 500, expire);
}

/* The client gives up the lease that it got last. */
static void lease_drop(void)
{
    struct lease *lease = leases;

    leases = lease->newer;
    if (lease->id % 3 == 0)
        timer_cancel(lease);
    kref_put(&lease->kref, lease_release); /* put: client */
}

int main(void)
{
    int id = 0;

    while (now < END) {
        if (now % 5 == 0 && id < LEASES)
            lease_grant(id++);
        if (now % 6 == 5 && leases)
            lease_drop();
        tick();
    }
    while (leases)
        lease_drop();
    while (timers)
        timer_cancel(timers->lease);
    printf("%d fired, %d renewed, %d cancelled\n", fired, renewed, cancelled);
    return 0;
}
