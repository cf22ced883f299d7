/*
 * Telephone calls as state machines. A call has two legs and holds them; a leg holds its call;
 * events in the queue hold the leg that they are for; a recording holds the call.
 */
#include <kref.h>
#include <stdio.h>
#include <stdlib.h>

enum event_kind { RING, ANSWER, HOLD, HANGUP, GONE };
enum { CALLS = 25, QUEUE = 512, RECORDERS = 3 };

struct leg {
    struct kref kref;
    struct call *call;
    int state;
};

struct call {
    struct kref kref;
    struct leg *legs[2];
    int id, seconds;
};

struct event {
    enum event_kind kind;
    struct leg *leg;
};

static struct event queue[QUEUE];
static unsigned first, last;
static struct call *recorded[RECORDERS];
static int bridged, ended, recordings;

static void call_release(struct kref *kref)
{
    ended++;
    free(kref_entry(kref, struct call, kref));
}

static void leg_release(struct kref *kref)
{
    free(kref_entry(kref, struct leg, kref));
}

static void post(struct leg *leg, enum event_kind kind)
{
    struct event *event = &queue[last++ % QUEUE];

    event->kind = kind;
    event->leg = leg;
    kref_get(&leg->kref); /* get: event */
}

static struct leg *leg_new(struct call *call)
{
    struct leg *leg = malloc(sizeof *leg);

    if (!leg)
        abort();
    kref_init(&leg->kref); /* get: call's leg */
    leg->state = RING;
    kref_get(&call->kref); /* get: leg's call */
    leg->call = call;
    return leg;
}

static void dial(int id)
{
    struct call *call = calloc(1, sizeof *call);

    if (!call)
        abort();
    kref_init(&call->kref); /* get: dialling */
    call->id = id;
    call->legs[0] = leg_new(call);
    call->legs[1] = leg_new(call);
    post(call->legs[1], RING);
    kref_put(&call->kref, call_release); /* put: dialling */
}

static void record(struct call *call)
{
    struct call **place = &recorded[call->id % RECORDERS];

    if (*place) {
        kref_put(&(*place)->kref, call_release); /* put: recording */
        recordings++;
    }
    kref_get(&call->kref); /* get: recording */
    *place = call;
}

/* The leg is no longer the call's, and the call no longer the leg's. */
static void leg_leave(struct leg *leg)
{
    struct call *call = leg->call;
    int side = call->legs[1] == leg;

    leg->state = GONE;
    leg->call = NULL;
    call->legs[side] = NULL;
    kref_put(&leg->kref, leg_release); /* put: call's leg */
    kref_put(&call->kref, call_release); /* put: leg's call */
}

static void on_answer(struct leg *leg)
{
    struct call *call = leg->call;

    bridged++;
    call->seconds = call->id % 9;
    if (call->id % 4 == 1)
        record(call);
    post(leg, call->id % 3 ? HANGUP : HOLD);
}

static void on_hangup(struct leg *leg)
{
    struct call *call = leg->call;
    struct leg *other = call->legs[call->legs[0] == leg];

    leg_leave(leg);
    if (other)
        post(other, HANGUP);
}

static void handle(struct leg *leg, enum event_kind kind)
{
    if (leg->state == GONE)
        return;
    switch (kind) {
    case RING:
        leg->state = ANSWER;
        if (leg->call->id % 7 == 6) {
            post(leg, HANGUP);
            post(leg, HANGUP);
        } else {
            post(leg, ANSWER);
        }
        break;
    case ANSWER:
        on_answer(leg);
        break;
    case HOLD:
        post(leg, HANGUP);
        break;
    default:
        on_hangup(leg);
    }
}

static void run(int most)
{
    while (most-- > 0 && first != last) {
        struct event event = queue[first++ % QUEUE];

        handle(event.leg, event.kind);
        kref_put(&event.leg->kref, leg_release); /* put: event */
    }
}

int main(void)
{
    int id, i;

    for (id = 0; id < CALLS; id++) {
        dial(id);
        run(3);
    }
    run(QUEUE);
    for (i = 0; i < RECORDERS; i++)
        if (recorded[i])
            kref_put(&recorded[i]->kref, call_release); /* put: recording */
    printf("%d bridged, %d ended, %d recordings\n", bridged, ended, recordings);
    return 0;
}
