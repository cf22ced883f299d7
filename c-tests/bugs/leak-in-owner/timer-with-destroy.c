/*
 * lookup_begin() makes a lookup, with one reference for the caller and a second one for the timer. The timer's
 * destroy function gives the second one back. When the answer comes, the timer is removed, but the caller's reference
 * is never given back. Both references are taken in one call. Only the function that is passed to timer_add() shows
 * which of them the put gives back. Modelled on event loops that call a destroy function for each source.
 *
 * found by: leak
 */
#include "check.h"

struct lookup {
    struct kref kref;
    int answered;
    struct timer *timer;
};

struct timer {
    void (*call)(void *data);
    void *data;
    void (*destroy)(void *data);
};

static void lookup_release(struct kref *kref)
{
    free(kref_entry(kref, struct lookup, kref));
}

static struct timer *timer_add(void (*call)(void *), void *data, void (*destroy)(void *))
{
    struct timer *timer = calloc(1, sizeof *timer);

    CHECK(timer);
    timer->call = call;
    timer->data = data;
    timer->destroy = destroy;
    return timer;
}

static void timer_remove(struct timer *timer)
{
    timer->destroy(timer->data);
    free(timer);
}

static void lookup_timer_gone(void *data)
{
    struct lookup *lookup = data;

    kref_put(&lookup->kref, lookup_release);
}

static void lookup_timeout(void *data)
{
    ((struct lookup *)data)->answered = -1;
}

static struct lookup *lookup_begin(void)
{
    struct lookup *lookup = calloc(1, sizeof *lookup);

    CHECK(lookup);
    kref_init(&lookup->kref); /* BLAME */
    kref_get(&lookup->kref);
    lookup->timer = timer_add(lookup_timeout, lookup, lookup_timer_gone);
    return lookup;
}

static void answer(struct lookup *lookup)
{
    struct timer *timer = lookup->timer;

    lookup->answered = 1;
    timer_remove(timer);
#ifdef RIGHT
    kref_put(&lookup->kref, lookup_release); /* FIX */
#endif
}

int main(void)
{
    for (int i = 0; i < 30; i++)
        answer(lookup_begin());
    return 0;
}
