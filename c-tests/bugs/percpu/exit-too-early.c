/*
 * A cache is shut down: percpu_ref_kill(), and at once percpu_ref_exit(). A request still holds a reference.
 * The release function should have called it. Seen in tear-down paths without a wait.
 *
 * found by: exit-while-alive
 */
#include "check.h"

struct cache {
    int entries;
    struct percpu_ref users;
};

static void cache_release(struct percpu_ref *users)
{
#ifdef RIGHT
    percpu_ref_exit(users); /* FIX */
#else
    (void)users;
#endif
}

static void cache_stop(struct cache *cache)
{
    percpu_ref_kill(&cache->users);
#ifndef RIGHT
    percpu_ref_exit(&cache->users); /* BLAME */
#endif
}

int main(void)
{
    struct cache *cache = calloc(1, sizeof *cache);

    CHECK(cache);
    CHECK(percpu_ref_init(&cache->users, cache_release, 0) == 0);
    percpu_ref_get(&cache->users);
    cache_stop(cache);
#ifdef RIGHT
    percpu_ref_put(&cache->users);
#endif
    return 0;
}
