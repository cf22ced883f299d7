/*
 * A resolver for names, with a cache. Questions for the same name wait for one query, which is sent again when its
 * timer fires. The network answers late, twice, with an alias, or never. Who asked may have hung up meanwhile.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

#define NAMES 40
#define WIRE 32
#define TIMERS 64
#define CALLERS 24
#define MAXTRIES 3

/* The records of a name. They do not change; those of an alias refer to those of its target. */
struct rrset {
    struct kref refs;
    int name, expires;
    struct rrset *target;
};

struct query {
    struct kref refs;
    int name, tries, due;
    struct lookup *waiters;
};

struct lookup {
    struct kref refs;
    struct lookup *next;
    struct rrset *result;
};

static struct rrset *cache[NAMES];
static struct query *pending[NAMES];
static struct query *wire[WIRE];
static struct query *timers[TIMERS];
static struct lookup *callers[CALLERS];
static int nwire, ntimers, now, answers;

static int dice(int sides)
{
    static unsigned long long x = 0x2545f4914f6cdd1dULL;

    x = x * 6364136223846793005ULL + 1442695040888963407ULL;
    return (int)((x >> 33) % (unsigned int)sides);
}

static void *fresh(size_t size)
{
    void *object = calloc(1, size);

    if (!object)
        abort();
    return object;
}

static void rrset_free(struct kref *refs)
{
    struct rrset *set = kref_entry(refs, struct rrset, refs);

    if (set->target)
        kref_put(&set->target->refs, rrset_free); /* put: alias */
    free(set);
}

static void query_free(struct kref *refs)
{
    free(kref_entry(refs, struct query, refs));
}

static void lookup_free(struct kref *refs)
{
    struct lookup *lookup = kref_entry(refs, struct lookup, refs);

    if (lookup->result)
        kref_put(&lookup->result->refs, rrset_free); /* put: result */
    free(lookup);
}

static void lookup_answer(struct lookup *lookup, struct rrset *set)
{
    kref_get(&set->refs); /* get: result */
    lookup->result = set;
    answers++;
}

static void cache_store(struct rrset *set)
{
    struct rrset *old = cache[set->name];

    kref_get(&set->refs); /* get: cache */
    cache[set->name] = set;
    if (old)
        kref_put(&old->refs, rrset_free); /* put: cache */
}

static struct rrset *cache_find(int name)
{
    struct rrset *set = cache[name];

    if (set && set->expires <= now) {
        cache[name] = NULL;
        kref_put(&set->refs, rrset_free); /* put: cache */
        return NULL;
    }
    return set;
}

static void transmit(struct query *query)
{
    query->tries++;
    if (nwire < WIRE) {
        kref_get(&query->refs); /* get: on the wire */
        wire[nwire++] = query;
    }
    kref_get(&query->refs); /* get: timer */
    query->due = now + 6 * query->tries;
    timers[ntimers++] = query;
}

/* With the answer, or with NULL if there is none. */
static void query_finish(struct query *query, struct rrset *set)
{
    struct lookup *lookup;

    pending[query->name] = NULL;
    while ((lookup = query->waiters)) {
        query->waiters = lookup->next;
        if (set)
            lookup_answer(lookup, set);
        kref_put(&lookup->refs, lookup_free); /* put: waiter */
    }
    kref_put(&query->refs, query_free); /* put: pending */
}

static void timer_fires(int at)
{
    struct query *query = timers[at];

    timers[at] = timers[--ntimers];
    if (pending[query->name] == query) {
        if (query->tries < MAXTRIES)
            transmit(query);
        else
            query_finish(query, NULL);
    }
    kref_put(&query->refs, query_free); /* put: timer */
}

static struct query *query_start(int name)
{
    struct query *query = fresh(sizeof *query);

    kref_init(&query->refs); /* get: pending */
    query->name = name;
    pending[name] = query;
    transmit(query);
    return query;
}

static struct lookup *resolve(int name)
{
    struct lookup *lookup = fresh(sizeof *lookup);
    struct rrset *set = cache_find(name);
    struct query *query;

    kref_init(&lookup->refs); /* get: caller */
    if (set) {
        lookup_answer(lookup, set);
        return lookup;
    }
    query = pending[name] ? pending[name] : query_start(name);
    kref_get(&lookup->refs); /* get: waiter */
    lookup->next = query->waiters;
    query->waiters = lookup;
    return lookup;
}

/* A packet comes, for the query that was sent at this place. */
static void receive(int at)
{
    struct query *query = wire[at];
    struct rrset *set;

    wire[at] = wire[--nwire];
    if (pending[query->name] != query || dice(4) == 0)
        goto drop;
    set = fresh(sizeof *set);
    kref_init(&set->refs); /* get: packet */
    set->name = query->name;
    set->expires = now + 20 + dice(60);
    if (set->name % 5 == 4 && (set->target = cache_find(set->name - 1 - dice(4))))
        kref_get(&set->target->refs); /* get: alias */
    cache_store(set);
    query_finish(query, set);
    kref_put(&set->refs, rrset_free); /* put: packet */
drop:
    kref_put(&query->refs, query_free); /* put: on the wire */
}

static void hang_up(int caller)
{
    struct lookup *lookup = callers[caller];

    callers[caller] = NULL;
    kref_put(&lookup->refs, lookup_free); /* put: caller */
}

int main(void)
{
    int i, caller;

    for (now = 0; now < 1200; now++) {
        caller = dice(CALLERS);
        if (callers[caller])
            hang_up(caller);
        if (ntimers < TIMERS)
            callers[caller] = resolve(dice(dice(2) ? NAMES : 8));
        if (nwire > 0 && dice(3))
            receive(dice(nwire));
        for (i = ntimers - 1; i >= 0; i--)
            if (timers[i]->due <= now)
                timer_fires(i);
    }
    for (caller = 0; caller < CALLERS; caller++)
        if (callers[caller])
            hang_up(caller);
    while (nwire + ntimers > 0) {
        if (nwire > 0)
            receive(0);
        if (ntimers > 0)
            timer_fires(0);
    }
    now += 1000;
    for (i = 0; i < NAMES; i++)
        cache_find(i);
    printf("%d answers\n", answers);
    return 0;
}
