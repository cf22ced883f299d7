/*
 * Promises with continuations. A promise is held by who awaits it, by who will fulfil it, and by
 * the loop while its continuations wait to run; a chained promise is held by its source's
 * callback.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 30, MOST = 64 };

struct promise;
typedef void continuation(struct promise *source, struct promise *target);

struct promise {
    struct kref kref;
    int ready, value;
    continuation *then;
    struct promise *target;
    struct promise *next;
};

struct work {
    struct promise *promise;
    int value, due;
};

static struct promise *loop_first, **loop_last = &loop_first;
static struct work works[MOST];
static int nworks, now, fulfilled, dropped, total;

static void promise_free(struct kref *kref)
{
    struct promise *promise = kref_entry(kref, struct promise, kref);

    if (promise->target) {
        dropped++;
        kref_put(&promise->target->kref, promise_free); /* put: chain */
    }
    free(promise);
}

static struct promise *promise_new(void)
{
    struct promise *promise = calloc(1, sizeof *promise);

    if (!promise)
        abort();
    kref_init(&promise->kref); /* get: awaiter */
    return promise;
}

static void promise_done(struct promise *promise)
{
    kref_put(&promise->kref, promise_free);
}

static void schedule(struct promise *promise)
{
    kref_get(&promise->kref); /* get: loop */
    promise->next = NULL;
    *loop_last = promise;
    loop_last = &promise->next;
}

static void fulfil(struct promise *promise, int value)
{
    promise->value = value;
    promise->ready = 1;
    fulfilled++;
    if (promise->then)
        schedule(promise);
}

static struct promise *then(struct promise *source, continuation *call)
{
    struct promise *target = promise_new();

    kref_get(&target->kref); /* get: chain */
    source->target = target;
    source->then = call;
    if (source->ready)
        schedule(source);
    return target;
}

static void run_loop(void)
{
    while (loop_first) {
        struct promise *promise = loop_first, *target = promise->target;

        if (!(loop_first = promise->next))
            loop_last = &loop_first;
        promise->target = NULL;
        promise->then(promise, target);
        promise_done(target); /* put: chain */
        promise_done(promise); /* put: loop */
    }
}

static struct promise *start(int value, int after)
{
    struct promise *promise = promise_new();

    kref_get(&promise->kref); /* get: worker */
    works[nworks++] = (struct work){ promise, value, now + after };
    return promise;
}

static void work(void)
{
    int i, left = 0;

    for (i = 0; i < nworks; i++) {
        struct promise *promise = works[i].promise;

        if (works[i].due > now && now < ROUNDS) {
            works[left++] = works[i];
            continue;
        }
        if (works[i].value % 7)
            fulfil(promise, works[i].value);
        promise_done(promise); /* put: worker */
    }
    nworks = left;
}

static void twice(struct promise *source, struct promise *target)
{
    fulfil(target, source->value * 2);
}

static void collect(struct promise *source, struct promise *target)
{
    total += source->value;
    fulfil(target, source->value);
}

static void chain(int value)
{
    struct promise *first = start(value, 2 + value % 3), *second = then(first, twice);

    if (value % 2) {
        struct promise *third = then(second, collect);

        promise_done(third); /* put: awaiter */
    }
    promise_done(second); /* put: awaiter */
    promise_done(first); /* put: awaiter */
}

int main(void)
{
    for (now = 0; now < ROUNDS; now++) {
        chain(now);
        if (now % 3 == 0)
            chain(now + 50);
        work();
        run_loop();
    }
    work();
    run_loop();
    printf("%d fulfilled, %d dropped, %d\n", fulfilled, dropped, total);
    return 0;
}
