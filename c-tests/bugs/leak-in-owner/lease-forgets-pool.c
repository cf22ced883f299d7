/*
 * lease_allocate() takes a reference on a pool of addresses, and gives it back before it returns. In between it takes
 * a second reference, for the new lease; lease_release() forgets to give that one back. So in nearly every call the
 * put comes right after the second get, which is to blame, but undoes the first. There are few pools and many leases.
 * Modelled on a DHCP server.
 *
 * found by: leak
 * wrappers: pool_get
 */
#include "check.h"

enum { POOLS = 3, LEASES = 900 };

struct pool {
    struct kref kref;
    int leases;
};

struct lease {
    struct kref kref;
    struct pool *pool;
};

static struct pool *pools[POOLS];

static void pool_release(struct kref *kref)
{
    free(kref_entry(kref, struct pool, kref));
}

static void lease_release(struct kref *kref)
{
    struct lease *lease = kref_entry(kref, struct lease, kref);

    lease->pool->leases--;
#ifdef RIGHT
    kref_put(&lease->pool->kref, pool_release); /* FIX */
#endif
    free(lease);
}

static struct pool *pool_get(struct pool *pool)
{
    kref_get(&pool->kref);
    return pool;
}

static struct lease *lease_allocate(int number)
{
    struct pool *pool = pool_get(pools[number % POOLS]);
    struct lease *lease = NULL;

    if (number % 50 == 49)
        goto out;
    lease = calloc(1, sizeof *lease);
    CHECK(lease);
    kref_init(&lease->kref);
    lease->pool = pool_get(pool); /* BLAME */
    pool->leases++;
out:
    kref_put(&pool->kref, pool_release);
    return lease;
}

int main(void)
{
    for (int i = 0; i < POOLS; i++) {
        pools[i] = calloc(1, sizeof *pools[i]);
        CHECK(pools[i]);
        kref_init(&pools[i]->kref);
    }
    for (int i = 0; i < LEASES; i++) {
        struct lease *lease = lease_allocate(i);

        if (lease)
            kref_put(&lease->kref, lease_release);
    }
    for (int i = 0; i < POOLS; i++)
        kref_put(&pools[i]->kref, pool_release);
    return 0;
}
