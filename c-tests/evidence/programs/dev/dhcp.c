/*
 * The leases of a DHCP server. A client is offered a lease in a transaction, and takes it, declines it, or is never
 * heard of again. Pools are replaced when the configuration is read anew, while leases of the old ones still run.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

enum { POOLS = 3, POOL_SIZE = 12, CLIENTS = 32, XIDS = 24, PACKETS = 3000 };

struct pool {
    struct kref refcnt;
    int retired, taken[POOL_SIZE];
};

struct lease {
    struct kref refcnt;
    struct pool *pool;
    int address, hw;
};

struct xact {
    struct kref refcnt;
    struct lease *offered;
    int hw, resends;
};

struct timeout {
    struct timeout *next;
    long when;
    void (*func)(struct kref *what);
    struct kref *what;
    void (*destroy)(struct kref *what);
};

static struct pool *pools[POOLS];
static struct lease *bound[CLIENTS];
static struct xact *xacts[XIDS];
static struct timeout *timeouts;
static long now;
static int acks, naks, exhausted, unbound;

static unsigned int arc4(unsigned int below)
{
    static unsigned int s = 0x2545f491;

    s = s * 1664525u + 1013904223u;
    return (s >> 12) % below;
}

KREF_DEFINE(pool, struct pool, refcnt, free);

static void lease_free(struct lease *lease)
{
    lease->pool->taken[lease->address] = 0;
    pool_unref(lease->pool); /* put: lease's pool */
    free(lease);
}

KREF_DEFINE(lease, struct lease, refcnt, lease_free);

static void xact_free(struct xact *x)
{
    lease_unref(x->offered); /* put: offered */
    free(x);
}

KREF_DEFINE(xact, struct xact, refcnt, xact_free);

static void add_timeout(long when, void (*func)(struct kref *), struct kref *what, void (*destroy)(struct kref *))
{
    struct timeout *q = malloc(sizeof *q), **at = &timeouts;

    while (*at && (*at)->when <= when)
        at = &(*at)->next;
    *q = (struct timeout){ *at, when, func, what, destroy };
    kref_get(q->what); /* get: timeout */
    *at = q;
}

static void cancel_timeout(void (*func)(struct kref *), struct kref *what)
{
    struct timeout **at = &timeouts, *q;

    while ((q = *at) && (q->func != func || q->what != what))
        at = &q->next;
    if (!q)
        return;
    *at = q->next;
    kref_put(q->what, q->destroy); /* put: timeout */
    free(q);
}

static void process_timeouts(void)
{
    while (timeouts && timeouts->when <= now) {
        struct timeout *q = timeouts;

        timeouts = q->next;
        q->func(q->what);
        kref_put(q->what, q->destroy); /* put: timeout */
        free(q);
    }
}

static struct lease *allocate_lease(int hw)
{
    struct pool *pool = pool_ref(pools[arc4(POOLS)]); /* get: allocation */
    struct lease *lease = NULL;
    int address = 0;

    while (address < POOL_SIZE && pool->taken[address])
        address++;
    if (address == POOL_SIZE) {
        exhausted++;
        goto out;
    }
    lease = calloc(1, sizeof *lease);
    lease_ref_init(lease); /* get: packet's lease */
    lease->pool = pool_ref(pool); /* get: lease's pool */
    lease->hw = hw;
    lease->address = address;
    pool->taken[address] = 1;
out:
    pool_unref(pool); /* put: allocation */
    return lease;
}

static void unbind(struct kref *what)
{
    struct lease *lease = kref_entry(what, struct lease, refcnt);

    bound[lease->hw] = NULL;
    unbound++;
    lease_unref(lease); /* put: bound */
}

static void resend(struct kref *what);

static void close_xact(int xid)
{
    struct xact *x = xacts[xid];

    xacts[xid] = NULL;
    cancel_timeout(resend, &x->refcnt);
    xact_unref(x); /* put: transaction */
}

static void resend(struct kref *what)
{
    struct xact *x = kref_entry(what, struct xact, refcnt);

    if (++x->resends < 3)
        add_timeout(now + 8 * x->resends, resend, what, xact_kref_release);
    else
        close_xact(x->hw % XIDS);
}

static void dhcpdiscover(int hw)
{
    struct xact **x = &xacts[hw % XIDS];
    struct lease *lease;

    if (*x)
        return;
    lease = lease_ref(bound[hw]); /* get: packet's lease */
    if (!lease)
        lease = allocate_lease(hw);
    if (!lease)
        return;
    if (!lease->pool->retired) {
        *x = calloc(1, sizeof **x);
        xact_ref_init(*x); /* get: transaction */
        (*x)->hw = hw;
        (*x)->offered = lease_ref(lease); /* get: offered */
        add_timeout(now + 8, resend, &(*x)->refcnt, xact_kref_release);
    }
    lease_unref(lease); /* put: packet's lease */
}

static void dhcprequest(int hw)
{
    struct xact *x = xacts[hw % XIDS];

    if (!x || x->hw != hw || x->offered->pool->retired) {
        naks++;
        return;
    }
    acks++;
    if (bound[hw])
        cancel_timeout(unbind, &bound[hw]->refcnt);
    else
        bound[hw] = lease_ref(x->offered); /* get: bound */
    add_timeout(now + 200 + arc4(100), unbind, &bound[hw]->refcnt, lease_kref_release);
    close_xact(hw % XIDS);
}

/* The address that was offered answers to somebody else. */
static void dhcpdecline(int xid)
{
    struct xact *x = xacts[xid];
    struct lease *other;

    if (!x || bound[x->hw])
        return;
    other = allocate_lease(x->hw);
    if (!other) {
        close_xact(xid);
        return;
    }
    lease_unref(x->offered); /* put: offered */
    x->offered = lease_ref(other); /* get: offered */
    lease_unref(other); /* put: packet's lease */
}

static void dhcprelease(struct lease *lease)
{
    if (!lease)
        return;
    cancel_timeout(unbind, &lease->refcnt);
    unbind(&lease->refcnt);
}

static void read_config(int i)
{
    if (pools[i]) {
        pools[i]->retired = 1;
        pool_unref(pools[i]); /* put: configured */
    }
    pools[i] = calloc(1, sizeof *pools[i]);
    pool_ref_init(pools[i]); /* get: configured */
}

int main(void)
{
    int i, hw;

    for (i = 0; i < POOLS; i++)
        read_config(i);
    for (i = 0; i < PACKETS; i++, now++) {
        process_timeouts();
        hw = arc4(CLIENTS);
        switch (arc4(9)) {
        case 0: dhcpdecline(hw % XIDS); break;
        case 1: dhcprelease(bound[hw]); break;
        case 2: case 3: case 4: case 5: dhcpdiscover(hw); break;
        default: dhcprequest(hw); break;
        }
        if (i % 350 == 349)
            read_config(arc4(POOLS));
    }
    for (; timeouts; now += 100)
        process_timeouts();
    for (i = 0; i < POOLS; i++)
        pool_unref(pools[i]); /* put: configured */
    printf("%d acknowledged, %d refused, %d without an address, %d ended\n", acks, naks, exhausted, unbound);
    return 0;
}
