/*
 * One function takes two references on a pool: one while it works, and one that the new lease keeps. At the function's
 * end, in the line after the second get, a put gives back the first reference. Only the source tells which one: the first
 * get and the put use the same variable. The error path has no put.
 * Modelled on kernel drivers whose error path skips the put at the end of a probe function.
 *
 * found by: leak
 * wrappers: pool_get pool_put
 */
#include "check.h"

enum { LEASES = 60, POOLS = 3 };

struct pool {
    struct kref kref;
    int free;
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

static struct pool *pool_get(struct pool *pool)
{
    kref_get(&pool->kref);
    return pool;
}

static void pool_put(struct pool *pool)
{
    kref_put(&pool->kref, pool_release);
}

static void lease_release(struct kref *kref)
{
    struct lease *lease = kref_entry(kref, struct lease, kref);

    lease->pool->free++;
    pool_put(lease->pool);
    free(lease);
}

static struct lease *lease_new(int number)
{
    struct pool *pool = pool_get(pools[number % POOLS]); /* BLAME */
    struct lease *lease;

    if (!pool->free) {
#ifdef RIGHT
        pool_put(pool); /* FIX */
#endif
        return NULL;
    }
    pool->free--;
    lease = malloc(sizeof *lease);
    CHECK(lease);
    kref_init(&lease->kref);
    lease->pool = pool_get(pool);
    pool_put(pool); /* LEFT OUT */
    return lease;
}

int main(void)
{
    struct lease *leases[LEASES];
    int refused = 0;

    for (int i = 0; i < POOLS; i++) {
        pools[i] = malloc(sizeof *pools[i]);
        CHECK(pools[i]);
        kref_init(&pools[i]->kref);
        pools[i]->free = LEASES / POOLS - 1;
    }
    for (int i = 0; i < LEASES; i++) {
        leases[i] = lease_new(i);
        refused += !leases[i];
    }
    CHECK(refused == POOLS);
    for (int i = 0; i < LEASES; i++)
        if (leases[i])
            kref_put(&leases[i]->kref, lease_release);
    for (int i = 0; i < POOLS; i++)
        pool_put(pools[i]);
    return 0;
}
